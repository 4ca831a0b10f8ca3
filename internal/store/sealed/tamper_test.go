package sealed_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// edited returns a record with one change to its JSON.
func edited(t *testing.T, data []byte, change func(record, header, sealing map[string]any)) []byte {
	t.Helper()
	var record map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	check(t, decoder.Decode(&record))
	change(record, record["header"].(map[string]any), record["sealing"].(map[string]any))
	text, err := json.Marshal(record)
	check(t, err)
	return text
}

func part(from map[string]any, name string) map[string]any { return from[name].(map[string]any) }

// flip returns base64 text with one bit changed.
func flip(t *testing.T, text any) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text.(string))
	check(t, err)
	raw[len(raw)/2] ^= 4
	return base64.StdEncoding.EncodeToString(raw)
}

func TestTamperingIsNamed(t *testing.T) {
	kms := storetest.NewRecipient("kms")
	c := codec(t, kms, storetest.NewRecipient("second"))
	data := encode(t, c, sample(t))
	later := encode(t, c, decode(t, c, data))
	another := encode(t, codec(t, kms), sample(t))
	sealingOf := func(data []byte) (sealing map[string]any) {
		edited(t, data, func(_, _, s map[string]any) { sealing = s })
		return sealing
	}
	for _, test := range []struct {
		name   string
		change func(record, header, sealing map[string]any)
		says   string
	}{
		{"threshold", func(_, h, _ map[string]any) { part(h, "set")["threshold"] = 1 }, `"set.threshold"`},
		{"kind", func(_, h, _ map[string]any) { part(h, "set")["kind"] = "recovery" }, `"set.kind"`},
		{"cluster", func(_, h, _ map[string]any) { part(h, "set")["cluster_id"] = "c" }, `"set.cluster_id"`},
		{"public key", func(_, h, _ map[string]any) { part(h, "attempt")["public_key"] = "theirs" }, `"attempt.public_key"`},
		{"public key of a past attempt", func(_, h, _ map[string]any) { h["past"].([]any)[1].(map[string]any)["public_key"] = "theirs" }, `"past[1].public_key"`},
		{"custody", func(_, h, _ map[string]any) { part(h, "set")["custody"].([]any)[0].(map[string]any)["message"] = "m" }, `"set.custody[0].message"`},
		{"no set", func(_, h, _ map[string]any) { delete(h, "set") }, `"set"`},
		{"one attempt less", func(_, h, _ map[string]any) { h["past"] = h["past"].([]any)[1:] }, `"past"`},
		{"one share less", func(_, h, _ map[string]any) { part(h, "set")["shares"] = []string{"sealed"} }, `"set.shares"`},
		{"no root token", func(_, h, _ map[string]any) { part(h, "root")["token"] = "" }, `"root.token"`},
		{"a secret in the header", func(_, h, _ map[string]any) { part(h, "root")["token"] = "hvs.theirs" }, `something else than "sealed"`},
		{"box", func(_, _, s map[string]any) { s["box"] = flip(t, s["box"]) }, "box does not open"},
		{"truncated box", func(_, _, s map[string]any) { s["box"] = s["box"].(string)[:40] }, "box does not open"},
		{"nonce", func(_, _, s map[string]any) { s["nonce"] = flip(t, s["nonce"]) }, "box does not open"},
		{"short nonce", func(_, _, s map[string]any) { s["nonce"] = "AAAA" }, "box does not open"},
		{"generation", func(_, _, s map[string]any) { s["generation"] = 7 }, "box does not open"},
		{"box of another generation", func(_, _, s map[string]any) {
			s["box"], s["nonce"] = sealingOf(later)["box"], sealingOf(later)["nonce"]
		}, "box does not open"},
		{"box of another data key", func(_, _, s map[string]any) {
			s["box"], s["nonce"] = sealingOf(another)["box"], sealingOf(another)["nonce"]
		}, "box does not open"},
		{"order of recipients", func(_, _, s map[string]any) { w := s["wraps"].([]any); w[0], w[1] = w[1], w[0] }, "the list of recipients"},
		{"one recipient less", func(_, _, s map[string]any) { s["wraps"] = s["wraps"].([]any)[:1] }, "the list of recipients"},
		{"one recipient more", func(_, _, s map[string]any) {
			s["wraps"] = append(s["wraps"].([]any), map[string]any{"recipient": "theirs", "wrapped": "AAAA", "made": "2026-01-01T00:00:00Z"})
		}, "the list of recipients"},
		{"no recipients", func(_, _, s map[string]any) { s["wraps"] = nil }, "no recipients"},
		{"name", func(r, _, _ map[string]any) { r["name"] = "y" }, `the record of "y"`},
		{"no header", func(r, _, _ map[string]any) { delete(r, "header") }, "no header"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := edited(t, data, test.change)
			_, err := opener(kms).Decode(t.Context(), bad, object)
			if fault.NameOf(err) != wire.RecordCorrupt || fault.KindOf(err) != fault.Terminal || !strings.Contains(fmt.Sprint(err), test.says) || !strings.Contains(fmt.Sprint(err), object.Name) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if strings.Contains(fmt.Sprint(err), "hvs.theirs") {
				t.Errorf("%v shows a secret", err)
			}
		})
	}
	if _, err := opener(kms).Decode(t.Context(), edited(t, data, func(_, h, _ map[string]any) { h["epoch"] = 1000 }), object); err != nil {
		t.Errorf("an epoch that somebody else raised: %v", err)
	}
}

// A wrap is bound to the ID of its data key, which commits to the key.
func TestForeignWraps(t *testing.T) {
	kms, second := storetest.NewRecipient("kms"), storetest.NewRecipient("second")
	data := encode(t, codec(t, kms, second), sample(t))
	another := encode(t, codec(t, kms), sample(t))
	flipped := edited(t, data, func(_, _, s map[string]any) {
		w := s["wraps"].([]any)[0].(map[string]any)
		w["wrapped"] = flip(t, w["wrapped"])
	})
	swapped := edited(t, data, func(_, _, s map[string]any) {
		edited(t, another, func(_, _, other map[string]any) { s["wraps"].([]any)[0] = other["wraps"].([]any)[0] })
	})
	renamed := edited(t, another, func(_, _, s map[string]any) { s["data_key"] = strings.Repeat("0", 64) })
	for name, bad := range map[string][]byte{"flipped": flipped, "swapped": swapped, "renamed": renamed} {
		if _, err := opener(kms).Decode(t.Context(), bad, object); fault.NameOf(err) != sealed.KeysSealedToOthers || !strings.Contains(err.Error(), `"kms"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string][]byte{"flipped": flipped, "swapped": swapped} {
		if _, err := opener(kms, second).Decode(t.Context(), bad, object); err != nil {
			t.Errorf("%s: the other recipient does not open it: %v", name, err)
		}
	}
	// A recipient that returns any other key is caught by the ID, even if it was bound to it.
	if _, err := (lying{}).open(t, data); fault.NameOf(err) != sealed.KeysSealedToOthers || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	kms := storetest.NewRecipient("kms")
	c := opener(kms)
	if err := c.Prepare(f.Context(), store.Keys{}); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"version":2,"name":"x","header":{"version":1},"sealing":{"data_key":"","generation":1,"wraps":[{"recipient":"kms","wrapped":"AAAA"}],"nonce":"","box":""}}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, openErr := c.Decode(t.Context(), data, object)
		_, outlineErr := c.Outline(data, object)
		for _, err := range []error{openErr, outlineErr} {
			if e, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || e.Kind != fault.Terminal || fault.RemedyOf(err) == "") {
				t.Errorf("%q: %v is no terminal fault with a remedy", data, err)
			}
		}
		if openErr == nil && outlineErr != nil {
			t.Errorf("%q opens, and has no outline: %v", data, outlineErr)
		}
	})
}
