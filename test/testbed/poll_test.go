package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func TestPoll(t *testing.T) {
	t.Parallel()
	notYet, never := errors.New("not yet"), errors.New("never")
	for _, test := range []struct {
		name    string
		answers []error // the last one is repeated
		tries   int     // 0: any number
		want    []error
	}{
		{"at once", []error{nil}, 1, nil},
		{"third time", []error{notYet, notYet, nil}, 3, nil},
		{"gives up", []error{notYet, fmt.Errorf("around: %w", testbed.GiveUp(never))}, 2, []error{never}},
		{"time is up", []error{notYet}, 0, []error{notYet, context.DeadlineExceeded}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		tries := 0
		err := testbed.Poll(ctx, time.Millisecond, "it", func(context.Context) error {
			tries++
			return test.answers[min(tries, len(test.answers))-1]
		})
		cancel()
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		for _, want := range test.want {
			if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "waiting for it: ") {
				t.Errorf("%s: got %v, want %v in it", test.name, err, want)
			}
		}
		if test.tries != 0 && tries != test.tries {
			t.Errorf("%s: got %d tries, want %d", test.name, tries, test.tries)
		}
	}
}
