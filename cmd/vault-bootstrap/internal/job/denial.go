package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// errNotPermitted means that Kubernetes has refused a request for longer than a new rule may take to
// be known everywhere.
var errNotPermitted = errors.New("a permission in Kubernetes is missing")

// Denial is what is known of refusals by Kubernetes' authorizer that follow one another. A rule that
// was applied together with us may need SettleTime; one that is missing after that does not come by
// itself.
type Denial struct {
	since time.Time // of the first refusal in a row; zero if the latest error was none
}

// Judge returns err or, if Kubernetes has refused us for SettleTime, an error of configuration that
// names the verb, the resource, the namespace and the rule.
func (d *Denial) Judge(err error, now time.Time) error {
	switch {
	case !kubestore.Denied(err):
		d.since = time.Time{}
		return err
	case d.since.IsZero():
		d.since = now
	}
	if now.Sub(d.since) < SettleTime {
		return err
	}
	return fault.Misuse(fmt.Errorf("%w: %w", errNotPermitted, err), fault.RemedyOf(err))
}

// askAgain is the pause between two requests that Kubernetes refuses.
const askAgain = 500 * time.Millisecond

// Permitted calls read until Kubernetes no longer refuses it, or has done so for SettleTime. Other
// errors are returned at once.
func Permitted(ctx context.Context, read func(ctx context.Context) error) error {
	denial := &Denial{}
	var last error
	err := retry.Do(ctx, retry.NewConstant(askAgain), func(ctx context.Context) error {
		last = denial.Judge(read(ctx), time.Now())
		if kubestore.Denied(last) && fault.KindOf(last) == fault.Transient {
			return retry.RetryableError(last)
		}
		return last
	})
	if err != nil && last != nil {
		return last
	}
	return err
}

// NotPermitted reports whether err is about a permission that is missing for good.
func NotPermitted(err error) bool { return errors.Is(err, errNotPermitted) }
