package sealed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

var object = wire.Object{Name: `Secret "ns/x-keys"`, Restore: "kubectl replace -f BACKUP"}

// sample has a value in every field, and names its secrets so that they are found in a text.
func sample(t *testing.T) store.Keys {
	t.Helper()
	var keys store.Keys
	n := 0
	fill(t, reflect.ValueOf(&keys).Elem(), &n)
	keys.Sealing = nil
	return keys
}

// fill sets every field of a value to something that is not zero.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case secret.Value:
		v.Set(reflect.ValueOf(secret.New(fmt.Sprintf("secret-%d", *n))))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 2, 3, 4, 5, 6, *n, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, n)
			fill(t, value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a record has a field of kind %s", v.Kind())
	}
}

// secretsIn counts the secrets in a value, by reflection: a field that is added later is found, too.
func secretsIn(v reflect.Value) (known, withheld int) {
	count := func(v reflect.Value) {
		k, w := secretsIn(v)
		known, withheld = known+k, withheld+w
	}
	if s, ok := v.Interface().(secret.Value); ok {
		if s.IsWithheld() {
			return 0, 1
		}
		return 1, 0
	}
	if _, ok := v.Interface().(time.Time); ok {
		return 0, 0
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			count(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			count(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			count(v.MapIndex(key))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			count(v.Field(i))
		}
	}
	return known, withheld
}

// codec returns a Codec for recipients that is ready to encrypt.
func codec(t *testing.T, recipients ...*storetest.Recipient) *sealed.Codec {
	t.Helper()
	c := opener(recipients...)
	if err := c.Prepare(t.Context(), store.Keys{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// opener returns a Codec of a process that has opened nothing yet.
func opener(recipients ...*storetest.Recipient) *sealed.Codec {
	c := sealed.New("x")
	c.Use(storetest.NewRing(recipients...))
	return c
}

func encode(t *testing.T, c *sealed.Codec, keys store.Keys) []byte {
	t.Helper()
	data, _, err := c.Encode(keys)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t *testing.T, c *sealed.Codec, data []byte) store.Keys {
	t.Helper()
	keys, err := c.Decode(t.Context(), data, object)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func outline(t *testing.T, c *sealed.Codec, data []byte) store.Keys {
	t.Helper()
	keys, err := c.Outline(data, object)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func without(keys store.Keys) store.Keys {
	keys.Sealing = nil
	return keys
}

func TestEveryFieldSurvivesAndNoSecretShows(t *testing.T) {
	keys, kms, escrow := sample(t), storetest.NewRecipient("kms"), storetest.NewEscrow("safe")
	data := encode(t, codec(t, escrow, kms), keys)
	if i := strings.Index(string(data), "secret-"); i >= 0 {
		t.Errorf("a secret shows: %s", data[i:i+20])
	}
	back := decode(t, opener(kms), data)
	if !reflect.DeepEqual(without(back), keys) {
		t.Errorf("the keys came back different: %+v", back)
	}
	s := back.Sealing
	if s == nil || s.Generation != 1 || len(s.Wraps) != 2 || !s.Wraps[0].Escrow || s.Wraps[1].Escrow || s.Wraps[1].Version != "1" || back.Locked() {
		t.Errorf("it was encrypted as %+v", s)
	}

	// Everything that is no secret can be read without a key, and that there is a secret.
	seen := outline(t, sealed.New("x"), data)
	if !seen.Locked() {
		t.Error("an outline is not locked")
	}
	want := keys
	if known, withheld := secretsIn(reflect.ValueOf(seen)); known > 0 || withheld == 0 {
		t.Errorf("%d secrets are withheld, and %d are not", withheld, known)
	}
	a, err := wire.EncodeOutline(want)
	check(t, err)
	b, err := wire.EncodeOutline(seen)
	check(t, err)
	if string(a) != string(b) {
		t.Errorf("the outline is\n%s, want\n%s", b, a)
	}
	if _, err := wire.EncodeKeys(seen); err == nil {
		t.Error("a record that was not opened can be stored in clear")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEachSealingIsNew(t *testing.T) {
	kms := storetest.NewRecipient("kms")
	c := codec(t, kms)
	first, again := encode(t, c, sample(t)), encode(t, c, sample(t))
	if string(first) == string(again) || nonceOf(t, first) == nonceOf(t, again) {
		t.Error("two sealings of the same keys are equal, or have the same nonce")
	}
	keys := decode(t, c, first)
	second := encode(t, c, keys)
	if got := decode(t, c, second).Sealing; got.Generation != 2 || got.DataKey != keys.Sealing.DataKey {
		t.Errorf("the next generation is %+v", got)
	}
	// One process asks once, however often it reads and writes.
	if wraps, unwraps := kms.Calls(); wraps != 1 || unwraps != 1 {
		t.Errorf("%d wraps and %d unwraps", wraps, unwraps)
	}
	other := opener(kms)
	for range 3 {
		decode(t, other, encode(t, other, decode(t, other, second)))
	}
	if wraps, unwraps := kms.Calls(); wraps != 1 || unwraps != 2 {
		t.Errorf("after another process there were %d wraps and %d unwraps", wraps, unwraps)
	}
}

func nonceOf(t *testing.T, data []byte) string {
	t.Helper()
	var d struct{ Sealing struct{ Nonce string } }
	check(t, json.Unmarshal(data, &d))
	if d.Sealing.Nonce == "" {
		t.Fatal("no nonce")
	}
	return d.Sealing.Nonce
}

// A record in clear stays so without recipients, and is encrypted at the first write with some.
func TestRecordInClearMovesOver(t *testing.T) {
	keys, kms := sample(t), storetest.NewRecipient("kms")
	clear := encode(t, sealed.New("x"), keys)
	if back, err := wire.DecodeKeys(clear, object); err != nil || !reflect.DeepEqual(back, keys) {
		t.Fatalf("without recipients the record is not in version 1: %v", err)
	}
	c := codec(t, kms)
	if back := decode(t, c, clear); back.Sealing != nil {
		t.Errorf("in clear: %+v", back.Sealing)
	}
	data, fresh, err := c.Encode(keys)
	if err != nil || !fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	check(t, c.Confirm(data, keys, object))
	other := keys
	other.HashKey = secret.New("another")
	if err := c.Confirm(data, other, object); err == nil {
		t.Error("other keys than those that were stored are confirmed")
	}
	if _, err := wire.DecodeKeys(data, object); fault.NameOf(err) != wire.RecordLater || !strings.Contains(err.Error(), "has version 2, this program knows 1") {
		t.Errorf("a program that knows version 1 says %v", err)
	}
	if _, fresh, err = c.Encode(decode(t, c, data)); err != nil || fresh {
		t.Errorf("the next write: fresh %v, %v", fresh, err)
	}
	// A record without a secret needs no data key.
	if empty := encode(t, opener(kms), store.Keys{Epoch: 3}); !strings.Contains(string(empty), `"version":1`) {
		t.Errorf("an epoch was stored as %s", empty)
	}
}

// Secrets are never written in clear where they were encrypted, or were to be.
func TestNeverBackToClear(t *testing.T) {
	keys, kms := sample(t), storetest.NewRecipient("kms")
	if data, _, err := opener(kms).Encode(keys); err == nil {
		t.Errorf("without a data key it was stored as %s", data)
	}
	data := encode(t, codec(t, kms), keys)
	c := opener(kms)
	decode(t, c, data)
	// Somebody removed the record: what a late delivery creates again is no less protected.
	if again := encode(t, c, keys); strings.Contains(string(again), "secret-") {
		t.Errorf("a record that was removed is stored as %s", again)
	}
	// What is in clear already can be written while the recipients are away.
	c = opener(kms)
	decode(t, c, encode(t, sealed.New("x"), keys))
	if data := encode(t, c, keys); !strings.Contains(string(data), `"version":1`) {
		t.Errorf("stored as %s", data)
	}
}

// What a run has to write while nobody can open the record, and nothing else.
func TestWithoutTheKey(t *testing.T) {
	keys, kms := sample(t), storetest.NewRecipient("kms")
	data := encode(t, codec(t, kms), keys)
	c := opener()
	locked := outline(t, c, data)
	locked.Epoch = 99
	locked.Attempt.Status = store.AttemptStored
	locked.Attempt.Answer = &store.Answer{Shares: []string{"message"}, Root: "root", Threshold: 1}
	locked.Past[0].Answer = nil
	written := encode(t, c, locked)
	back := decode(t, opener(kms), written)
	want := keys
	attempt := *keys.Attempt
	attempt.Status, attempt.Answer = locked.Attempt.Status, locked.Attempt.Answer
	want.Epoch, want.Attempt, want.Past = 99, &attempt, append([]store.Attempt{}, keys.Past...)
	want.Past[0].Answer = nil
	if !reflect.DeepEqual(without(back), want) {
		t.Errorf("it opens to %+v, want %+v", back, want)
	}
	if before, after := boxOf(t, data), boxOf(t, written); before != after {
		t.Error("the box was changed by who cannot open it")
	}
	for name, change := range map[string]func(*store.Keys){
		"the threshold":   func(k *store.Keys) { k.Set.Threshold = 1 },
		"a share":         func(k *store.Keys) { k.Set.Shares = k.Set.Shares[1:] },
		"the public key":  func(k *store.Keys) { k.Attempt.PublicKey = "other" },
		"an attempt":      func(k *store.Keys) { k.Past = k.Past[1:] },
		"an attempt more": func(k *store.Keys) { k.Past = append(k.Past, store.Attempt{PrivateKey: secret.New("x")}) },
		"the root token":  func(k *store.Keys) { k.Root = nil },
		"what to delete":  func(k *store.Keys) { k.Attempt.Emptied = nil },
	} {
		locked := outline(t, c, data)
		change(&locked)
		if data, _, err := c.Encode(locked); !errors.Is(err, store.ErrLocked) {
			t.Errorf("%s was changed: %v, %s", name, err, data)
		}
	}
}

func boxOf(t *testing.T, data []byte) string {
	t.Helper()
	var d struct{ Sealing json.RawMessage }
	check(t, json.Unmarshal(data, &d))
	return string(d.Sealing)
}

// Another set of recipients has another data key, so that whoever is no longer one opens nothing
// that is written later, not even with their old wrap put back.
func TestRenew(t *testing.T) {
	kms, former := storetest.NewRecipient("kms"), storetest.NewRecipient("former")
	c := codec(t, kms, former)
	before := encode(t, c, sample(t))
	c.Use(storetest.NewRing(kms))
	keys := decode(t, c, before)
	renewed, err := c.Renew(t.Context(), keys, nil)
	check(t, err)
	if keys.Sealing.DataKey == renewed.DataKey {
		t.Error("the data key is the same")
	}
	keys.Sealing = renewed
	data, fresh, err := c.Encode(keys)
	if err != nil || !fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	if back := decode(t, opener(kms), data); !reflect.DeepEqual(without(back), sample(t)) {
		t.Error("the keys came back different")
	}
	if _, err := opener(former).Decode(t.Context(), data, object); fault.NameOf(err) != sealed.KeysSealedToOthers {
		t.Errorf("the former recipient: %v", err)
	}
	var was, now map[string]any
	check(t, json.Unmarshal(before, &was))
	check(t, json.Unmarshal(data, &now))
	old, present := was["sealing"].(map[string]any), now["sealing"].(map[string]any)
	present["wraps"] = append(present["wraps"].([]any), old["wraps"].([]any)[1])
	put, err := json.Marshal(now)
	check(t, err)
	if _, err := opener(former).Decode(t.Context(), put, object); fault.NameOf(err) != sealed.KeysSealedToOthers {
		t.Errorf("with its old wrap: %v", err)
	}
	if _, err := opener(kms).Decode(t.Context(), put, object); fault.NameOf(err) != wire.RecordCorrupt || !strings.Contains(err.Error(), "list of recipients") {
		t.Errorf("a recipient sees a wrap that was put back: %v", err)
	}
}
