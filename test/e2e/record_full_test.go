package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// secretLimit is the size in bytes of all data of a Secret, as the API server has it.
const secretLimit = 1 << 20

// TestKeysRecordFull fills the keys record with attempts until another one fits and the
// answer to it does not. What Vault answers then could not be stored: it must not be asked.
func TestKeysRecordFull(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, cluster, append(shortLease, "--login=approle", "--timeout=20s")...)
	killedAt(p, "initialize.intended")
	full := filled(t, p.keys(), secretLimit-4<<10)
	putBackFile(t, namespace, "vault-bootstrap-keys", "keys.json", full)

	run := p.start("run")
	// A run that has asked Vault tries for minutes to store what cannot be stored.
	settles(t, time.Minute, func() bool {
		select {
		case <-run.Ended():
			return true
		default:
			return health(t, cluster.Nodes[0]) != http.StatusNotImplemented
		}
	})
	if code := health(t, cluster.Nodes[0]); code != http.StatusNotImplemented {
		run.Send(syscall.SIGKILL)
		t.Fatalf("Vault was initialized (it answers %d) although the record has no room for its answer: these keys are lost\n%s", code, run.Wait())
	}
	wantFailure(t, run.Wait(), 70, "keys record full")
	if changed := changedIn(t, full, p.keys()); len(changed) > 0 {
		t.Errorf("these parts of the record were changed: %v", changed)
	}
}

// changedIn names the parts in which two keys records differ. The epoch is none of them:
// whoever takes the Lease writes its own, to keep earlier holders out.
func changedIn(t *testing.T, before, after []byte) []string {
	t.Helper()
	var was, is map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(before, &was), json.Unmarshal(after, &is)); err != nil {
		t.Fatal(err)
	}
	var changed []string
	for part := range maps.Keys(is) {
		if _, known := was[part]; !known {
			changed = append(changed, part)
		}
	}
	for part, text := range was {
		var a, b any
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		if now, known := is[part]; known {
			if err := json.Unmarshal(now, &b); err != nil {
				t.Fatal(err)
			}
		}
		if part != "epoch" && !reflect.DeepEqual(a, b) {
			changed = append(changed, part)
		}
	}
	return changed
}

// filled returns a record in which an attempt is past as often as size allows, each time
// with an ID of its own, and no attempt is the latest: nothing has to be waited for.
func filled(t *testing.T, record []byte, size int) []byte {
	t.Helper()
	var keys map[string]any
	if err := json.Unmarshal(record, &keys); err != nil {
		t.Fatal(err)
	}
	attempt, ok := keys["attempt"].(map[string]any)
	if !ok {
		t.Fatal("no attempt is on record")
	}
	delete(keys, "attempt")
	one, err := json.Marshal(attempt)
	if err != nil {
		t.Fatal(err)
	}
	var past []any
	for i := range size / (len(one) + 1) {
		another := map[string]any{}
		if err := json.Unmarshal(one, &another); err != nil {
			t.Fatal(err)
		}
		another["id"] = fmt.Sprintf("%0*d", len(attempt["id"].(string)), i)
		past = append(past, another)
	}
	keys["past"] = past
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > size {
		past = past[1:]
		keys["past"] = past
		if text, err = json.Marshal(keys); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d attempts are on record, %d of %d bytes", len(past), len(text), secretLimit)
	return text
}

// putBackFile is putBack for a record that is too large for an argument.
func putBackFile(t *testing.T, namespace, secret, key string, record []byte) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"data": map[string]string{key: base64.StdEncoding.EncodeToString(record)}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "patch.json")
	write(t, file, string(patch))
	kubectl(t, "patch", "secret", secret, "-n", namespace, "--type=merge", "--patch-file="+file)
}
