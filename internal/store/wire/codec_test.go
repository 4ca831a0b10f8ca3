package wire

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

var testObject = Object{Name: `Secret "ns/x-keys"`, Restore: "kubectl apply -f BACKUP", Rebuilt: "Remove it."}

// fill sets every field of the value to something that is not zero, so that a round trip shows a
// field that the codec forgets, even one that is added later.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case secret.Value:
		v.Set(reflect.ValueOf(secret.New(fmt.Sprintf("secret-%d <&>", *n))))
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
		t.Fatalf("a record has a field of kind %s: teach fill and the codec", v.Kind())
	}
}

func filled[T any](t *testing.T) T {
	t.Helper()
	var record T
	n := 0
	fill(t, reflect.ValueOf(&record).Elem(), &n)
	return record
}

func TestEveryFieldSurvives(t *testing.T) {
	keys := filled[store.Keys](t)
	keys.Sealing = nil // it is not part of a record in clear
	data, err := EncodeKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := DecodeKeys(data, testObject); err != nil || !reflect.DeepEqual(back, keys) {
		t.Errorf("the keys came back different (error %v); stored as %s", err, data)
	}
	if strings.Contains(string(data), secret.Redacted) {
		t.Errorf("a secret was stored redacted: %s", data)
	}

	checkpoint := filled[store.Checkpoint](t)
	data, err = new(Ledgers).EncodeCheckpoint(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := new(Ledgers).DecodeCheckpoint(data, testObject); err != nil || !reflect.DeepEqual(back, checkpoint) {
		t.Errorf("the checkpoint came back as %+v, want %+v (error %v); stored as %s", back, checkpoint, err, data)
	}
}

func TestZeroRecordsSurvive(t *testing.T) {
	data, err := EncodeKeys(store.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	if back, err := DecodeKeys(data, testObject); err != nil || !reflect.DeepEqual(back, store.Keys{}) {
		t.Errorf("zero keys came back as %+v, %v", back, err)
	}
	if data, err = new(Ledgers).EncodeCheckpoint(store.Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	if back, err := new(Ledgers).DecodeCheckpoint(data, testObject); err != nil || !reflect.DeepEqual(back, store.Checkpoint{}) {
		t.Errorf("a zero checkpoint came back as %+v, %v", back, err)
	}
}

func TestTimesAreStoredInUTC(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 7200))
	data, err := new(Ledgers).EncodeCheckpoint(store.Checkpoint{Since: when})
	if err != nil {
		t.Fatal(err)
	}
	back, err := new(Ledgers).DecodeCheckpoint(data, testObject)
	if err != nil || !back.Since.Equal(when) || back.Since.Location() != time.UTC {
		t.Errorf("since came back as %v, %v", back.Since, err)
	}
}

func TestNotUTF8IsRefused(t *testing.T) {
	bad := secret.New("\xff\xfe")
	for name, keys := range map[string]store.Keys{
		"share":      {Set: &store.KeySet{Shares: []secret.Value{secret.New("a"), bad}}},
		"old share":  {Old: map[string]store.KeySet{"2026": {Shares: []secret.Value{bad}}}},
		"root":       {Root: &store.Root{Token: bad}},
		"secret ID":  {AppRole: &store.AppRole{SecretID: bad}},
		"hash key":   {HashKey: bad},
		"root grant": {RootGrant: &store.RootGrant{Token: bad}},
		"rotation":   {Rotation: &store.Rotation{Set: &store.KeySet{Shares: []secret.Value{bad}}}},
	} {
		if data, err := EncodeKeys(keys); err == nil {
			t.Errorf("%s: stored as %s", name, data)
		}
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, data, fault, says string
	}{
		{"empty", "", RecordCorrupt, "unexpected end"},
		{"cut off", `{"version":1,"epoch":`, RecordCorrupt, "unexpected end"},
		{"not JSON", "hvs.token", RecordCorrupt, "invalid character"},
		{"null", "null", RecordCorrupt, "no version"},
		{"another type", "[1]", RecordCorrupt, "cannot unmarshal array"},
		{"no version", `{"epoch":1}`, RecordCorrupt, "no version"},
		{"negative version", `{"version":-1}`, RecordCorrupt, "no version"},
		{"version as text", `{"version":"1"}`, RecordCorrupt, "version"},
		{"wrong type of a field", `{"version":1,"epoch":"hvs.token"}`, RecordCorrupt, "epoch"},
		{"two records", `{"version":1}{"version":1}`, RecordCorrupt, ""},
		{"bytes after the end", `{"version":1} x`, RecordCorrupt, "after"},
		{"later version", `{"version":2,"anything":{}}`, RecordLater, "has version 2, this program knows 1"},
		{"unknown field", `{"version":1,"wrapped_keys":["x"]}`, RecordLater, "wrapped_keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, keysErr := DecodeKeys([]byte(test.data), testObject)
			_, checkpointErr := new(Ledgers).DecodeCheckpoint([]byte(test.data), testObject)
			for _, err := range []error{keysErr, checkpointErr} {
				if fault.KindOf(err) != fault.Terminal || fault.NameOf(err) != test.fault {
					t.Fatalf("got %v (%v), want a terminal %q", err, fault.KindOf(err), test.fault)
				}
				if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), testObject.Name) {
					t.Errorf("%q does not name the object and %q", err, test.says)
				}
				if strings.Contains(err.Error(), "hvs.token") {
					t.Errorf("%q shows what is in the record", err)
				}
				if fault.RemedyOf(err) == "" {
					t.Errorf("%q has no remedy", err)
				}
			}
		})
	}
}

func TestUnknownNestedFieldIsRefused(t *testing.T) {
	for _, data := range []string{
		`{"version":1,"set":{"kind":"unseal","wrapped":["x"]}}`,
		`{"version":1,"past":[{"id":"a","new_field":"x"}]}`,
		`{"version":1,"old":{"2026":{"more":1}}}`,
	} {
		if _, err := DecodeKeys([]byte(data), testObject); fault.NameOf(err) != RecordLater {
			t.Errorf("%s was read: %v", data, err)
		}
	}
}

func TestAMangledTimeIsNotQuoted(t *testing.T) {
	_, err := DecodeKeys([]byte(`{"version":1,"attempt":{"started":"hvs.token"}}`), testObject)
	if fault.NameOf(err) != RecordCorrupt || strings.Contains(err.Error(), "hvs.token") {
		t.Errorf("got %v", err)
	}
}

func TestHistoryIsCapped(t *testing.T) {
	var c store.Checkpoint
	for i := range store.HistoryLimit + 7 {
		c.History = append(c.History, store.Transition{Event: fmt.Sprint(i)})
	}
	data, err := new(Ledgers).EncodeCheckpoint(c)
	if err != nil {
		t.Fatal(err)
	}
	back, err := new(Ledgers).DecodeCheckpoint(data, testObject)
	if err != nil || len(back.History) != store.HistoryLimit || back.History[0].Event != "7" {
		t.Errorf("%d transitions came back, the first is %q (%v)", len(back.History), back.History[0].Event, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"epoch":2,"attempt":{"id":"a","started":"2026-01-02T03:04:05Z","status":"open"}}`))
	f.Add([]byte(`{"version":1,"set":{"kind":"unseal","shares":["a","b"],"threshold":2},"old":{"x":{"shares":[]}}}`))
	f.Add([]byte(`{"version":1,"history":[{"took_ns":5}],"ledger":{},"hashes":{"a":{}}}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := DecodeKeys(data, testObject)
		if err == nil {
			again := reencode(t, keys, EncodeKeys, DecodeKeys)
			if !reflect.DeepEqual(again, keys) {
				t.Errorf("%q: the keys changed on the way", data)
			}
		} else if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Terminal || e.Remedy == "" {
			t.Errorf("%q: %v is no terminal fault with a remedy", data, err)
		}
		if checkpoint, err := new(Ledgers).DecodeCheckpoint(data, testObject); err == nil && len(checkpoint.History) <= store.HistoryLimit {
			if again := reencode(t, checkpoint, new(Ledgers).EncodeCheckpoint, new(Ledgers).DecodeCheckpoint); !reflect.DeepEqual(again, checkpoint) {
				t.Errorf("%q: the checkpoint changed on the way: %+v, then %+v", data, checkpoint, again)
			}
		}
	})
}

func reencode[T any](t *testing.T, record T, encode func(T) ([]byte, error), decode func([]byte, Object) (T, error)) T {
	t.Helper()
	data, err := encode(record)
	if err != nil {
		t.Fatalf("a record that was decoded does not encode: %v", err)
	}
	again, err := decode(data, testObject)
	if err != nil {
		t.Fatalf("a record that was encoded does not decode: %v", err)
	}
	return again
}
