package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func TestTimesThatKeepTwoHoldersApart(t *testing.T) {
	if err := DefaultLeaseOptions("a").Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*LeaseOptions){
		"no holder":         func(o *LeaseOptions) { o.Holder = "" },
		"no period":         func(o *LeaseOptions) { o.RetryPeriod = 0 },
		"no room to retry":  func(o *LeaseOptions) { o.RetryPeriod = o.RenewDeadline },
		"no room to notice": func(o *LeaseOptions) { o.Duration = o.RenewDeadline },
		"part of a second":  func(o *LeaseOptions) { o.Duration += time.Millisecond },
	} {
		options := DefaultLeaseOptions("a")
		spoil(&options)
		if err := options.Check(); fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHoldersAreReportedOnceInARow(t *testing.T) {
	var reported []string
	waiting := LeaseOptions{Waiting: func(holder string) { reported = append(reported, holder) }}.Wait()
	cause := errors.New("enough")
	if err := waiting.Failed("the lease", cause); !errors.Is(err, cause) || fault.KindOf(err) == fault.Busy {
		t.Errorf("without a holder: %v", err)
	}
	for _, holder := range []string{"", "a", "a", "b", "", "a"} {
		waiting.For(holder)
	}
	if want := []string{"a", "b", "a"}; !slices.Equal(reported, want) {
		t.Errorf("reported are %q", reported)
	}
	if err := waiting.Failed("the lease", cause); !errors.Is(err, cause) || fault.KindOf(err) != fault.Busy {
		t.Errorf("got %v", err)
	}
	LeaseOptions{}.Wait().For("a") // nobody wants to know
}

func TestCausesOfAnEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := Pause(ctx, 1); err != nil {
		t.Error(err)
	}
	cause, failure := errors.New("enough"), errors.New("refused")
	cancel(cause)
	if err := Pause(ctx, time.Hour); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if err := WithLast(cause, nil); !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("got %v", err)
	}
	if err := WithLast(cause, failure); !errors.Is(err, cause) || !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if err := Lost("the lease", "gone"); !errors.Is(err, ErrLeaseLost) || fault.KindOf(err) != fault.Busy {
		t.Errorf("got %v", err)
	}
}
