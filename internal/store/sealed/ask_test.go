package sealed_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// late answers an unwrapping after a while, or not at all.
type late struct {
	*storetest.Recipient
	after time.Duration
	calls int
}

func (l *late) Unwrap(ctx context.Context, wrapped []byte, about map[string]string) (secret.Value, error) {
	l.calls++
	select {
	case <-time.After(l.after):
		return l.Recipient.Unwrap(ctx, wrapped, about)
	case <-ctx.Done():
		return secret.Value{}, l.Away()
	}
}

// Silent recipients are not waited for one after another, and no second one is asked while the first
// is only slow.
func TestSilentRecipients(t *testing.T) {
	const never = time.Hour
	for name, test := range map[string]struct {
		first, second time.Duration
		took          time.Duration
		asked         int // the second one
		opens         bool
	}{
		"the first answers":       {time.Second, 0, time.Second, 0, true},
		"the first is slow":       {3 * time.Second, 0, 3 * time.Second, 0, true},
		"the first is too slow":   {7 * time.Second, never, 7 * time.Second, 1, true},
		"the first never answers": {never, time.Second, 5 * time.Second, 1, true},
		"nobody answers":          {never, never, 8 * time.Second, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			kms, other := storetest.NewRecipient("kms"), storetest.NewRecipient("other")
			record := encode(t, codec(t, kms, other), sample(t))
			synctest.Test(t, func(t *testing.T) {
				first, second := &late{kms, test.first, 0}, &late{other, test.second, 0}
				ring := storetest.NewRing()
				ring.Recipients = []sealed.Recipient{first, second}
				c := sealed.New("x")
				c.Use(ring)
				began := time.Now()
				_, err := c.Decode(t.Context(), record, wire.Object{Name: "the record"})
				if took := time.Since(began); took != test.took || second.calls != test.asked || (err == nil) != test.opens {
					t.Errorf("%v after %s, the second one asked %d times", err, took, second.calls)
				}
				if err == nil {
					return
				}
				if text := err.Error(); fault.NameOf(err) != sealed.KeysUnreachable || strings.Index(text, `"kms"`) > strings.Index(text, `"other"`) || !strings.Contains(text, `"kms"`) {
					t.Errorf("it says %v", err)
				}
			})
		})
	}
}
