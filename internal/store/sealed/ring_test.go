package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

func TestPrepareRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		ring func() []*storetest.Recipient
		kind fault.Kind
		says string
	}{
		{"away", func() []*storetest.Recipient {
			r := storetest.NewRecipient("kms")
			r.Fail(r.Away())
			return []*storetest.Recipient{storetest.NewRecipient("first"), r}
		}, fault.Transient, `"kms": cannot be reached`},
		{"refused", func() []*storetest.Recipient {
			r := storetest.NewRecipient("kms")
			r.Fail(r.Refuses())
			return []*storetest.Recipient{r}
		}, fault.Usage, `"kms": permission denied`},
		{"only an escrow", func() []*storetest.Recipient {
			return []*storetest.Recipient{storetest.NewEscrow("safe")}
		}, fault.Usage, "to safe only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := opener(test.ring()...)
			err := c.Prepare(t.Context(), store.Keys{})
			if fault.KindOf(err) != test.kind || !strings.Contains(fmt.Sprint(err), test.says) || fault.RemedyOf(err) == "" {
				t.Errorf("%v (%s): %s", err, fault.KindOf(err), fault.RemedyOf(err))
			}
			if data, _, err := c.Encode(sample(t)); err == nil {
				t.Errorf("it encrypts all the same: %s", data)
			}
		})
	}
}

func TestNotOpened(t *testing.T) {
	kms, second := storetest.NewRecipient("kms"), storetest.NewRecipient("second")
	data := encode(t, codec(t, kms, second), sample(t))
	away := storetest.NewRecipient("kms")
	away.Fail(away.Away())
	refusing := storetest.NewRecipient("second")
	refusing.Fail(refusing.Refuses())
	for _, test := range []struct {
		name string
		with []*storetest.Recipient
		kind fault.Kind
		what string
		says []string
	}{
		{"no recipient given", nil, fault.Terminal, sealed.KeysSealedToOthers, []string{"kms, second", "--keys-to"}},
		{"another recipient given", []*storetest.Recipient{storetest.NewRecipient("third")}, fault.Terminal, sealed.KeysSealedToOthers, []string{"kms, second"}},
		{"an escrow", []*storetest.Recipient{storetest.NewEscrow("kms")}, fault.Terminal, sealed.KeysSealedToOthers, []string{"no identity"}},
		{"away", []*storetest.Recipient{away}, fault.Transient, sealed.KeysUnreachable, []string{`"kms": cannot be reached`}},
		{"one away, one refuses", []*storetest.Recipient{away, refusing}, fault.Transient, sealed.KeysUnreachable, []string{`"kms": cannot be reached`, `"second": permission denied`}},
		{"refused", []*storetest.Recipient{refusing}, fault.Terminal, sealed.KeysSealedToOthers, []string{`"second": permission denied`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := opener(test.with...).Decode(t.Context(), data, object)
			if fault.KindOf(err) != test.kind || fault.NameOf(err) != test.what || !errors.Is(err, store.ErrLocked) {
				t.Errorf("%v (%s)", err, fault.KindOf(err))
			}
			text := err.Error() + fault.RemedyOf(err)
			for _, says := range append(test.says, object.Name) {
				if !strings.Contains(text, says) {
					t.Errorf("%q does not say %q", text, says)
				}
			}
		})
	}
	// Any one of them is enough.
	decode(t, opener(away, second), data)
	decode(t, opener(refusing, kms), data)
}

func TestRecipientsByName(t *testing.T) {
	a, b := storetest.NewRecipient("a"), storetest.NewRecipient("b")
	data := encode(t, codec(t, b, a), sample(t))
	c := opener(a)
	outline(t, c, data)
	if present, given := c.Recipients(); !slices.Equal(present, []string{"a", "b"}) || !slices.Equal(given, []string{"a"}) {
		t.Errorf("present are %v, given were %v", present, given)
	}
	decode(t, c, encode(t, sealed.New("x"), sample(t)))
	if present, _ := c.Recipients(); len(present) > 0 {
		t.Errorf("of a record in clear, present are %v", present)
	}
}

func TestMoved(t *testing.T) {
	kms := storetest.NewRecipient("kms")
	c := codec(t, kms)
	keys := decode(t, c, encode(t, sealed.New("x"), sample(t)))
	if c.Moved() {
		t.Error("nothing was encrypted yet")
	}
	check(t, c.Confirm(encode(t, c, keys), keys, object))
	if !c.Moved() {
		t.Error("it is not noticed that the keys were in clear")
	}
	fresh := codec(t, kms)
	check(t, fresh.Confirm(encode(t, fresh, keys), keys, object))
	if fresh.Moved() {
		t.Error("keys that never were in clear count as moved")
	}
}

// itself is a recipient that is a server of a cluster.
type itself struct {
	*storetest.Recipient
	cluster string
	err     error
}

func (i itself) ClusterID(context.Context) (string, error) { return i.cluster, i.err }

func TestNotToTheVaultItself(t *testing.T) {
	keys := store.Keys{Set: &store.KeySet{ClusterID: "c1"}}
	for name, test := range map[string]struct {
		server itself
		kind   fault.Kind
		says   string
	}{
		"itself":  {itself{storetest.NewRecipient("vault"), "c1", nil}, fault.Usage, "is the Vault itself"},
		"silent":  {itself{storetest.NewRecipient("vault"), "", errors.New("cannot be reached")}, fault.Transient, "cannot be reached"},
		"another": {itself{storetest.NewRecipient("vault"), "c2", nil}, 0, ""},
	} {
		c := sealed.New("x")
		ring := storetest.NewRing()
		ring.Recipients = []sealed.Recipient{test.server}
		c.Use(ring)
		err := c.Prepare(t.Context(), keys)
		if test.says == "" && err != nil || test.says != "" && (fault.KindOf(err) != test.kind || !strings.Contains(fmt.Sprint(err), test.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTry(t *testing.T) {
	kms, away, safe := storetest.NewRecipient("kms"), storetest.NewRecipient("away"), storetest.NewEscrow("safe")
	c := codec(t, kms, away, safe)
	keys := decode(t, c, encode(t, c, sample(t)))
	away.Fail(away.Away())
	other := opener(kms, away, safe, storetest.NewRecipient("other"))
	results := other.Try(t.Context(), *keys.Sealing)
	if len(results) != 3 || results["kms"] != nil || results["away"] == nil || other.Escrow(results["away"]) || !other.Escrow(results["safe"]) {
		t.Errorf("tried: %v", results)
	}
}

// hanging is a recipient that does not answer before the call ends.
type hanging struct{ *storetest.Recipient }

func (h hanging) Unwrap(ctx context.Context, _ []byte, _ map[string]string) (secret.Value, error) {
	<-ctx.Done()
	return secret.Value{}, fmt.Errorf("with %q: %w", h.Name(), ctx.Err())
}

func TestARecipientThatHangs(t *testing.T) {
	kms, second := storetest.NewRecipient("kms"), storetest.NewRecipient("second")
	data := encode(t, codec(t, kms, second), sample(t))
	c := sealed.New("x")
	c.Use(sealed.Ring{Recipients: []sealed.Recipient{hanging{kms}}, Patience: time.Millisecond})
	if _, err := c.Decode(t.Context(), data, object); fault.NameOf(err) != sealed.KeysUnreachable || !strings.Contains(err.Error(), `"kms"`) {
		t.Errorf("alone: %v", err)
	}
	c.Use(sealed.Ring{Recipients: []sealed.Recipient{hanging{kms}, second}, Patience: time.Millisecond})
	decode(t, c, data)
}
