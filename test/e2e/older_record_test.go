package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// putBack replaces a record by an earlier copy of it, as a restore of a backup does.
func putBack(t *testing.T, namespace, secret, key string, record []byte) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"data": map[string]string{key: base64.StdEncoding.EncodeToString(record)}})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "patch", "secret", secret, "-n", namespace, "--type=merge", "-p="+string(patch))
}

// recordOf returns a record as it is stored.
func recordOf(t *testing.T, namespace, secret, key string) []byte {
	t.Helper()
	out := kubectl(t, "get", "secret", secret, "-n", namespace, "-o=jsonpath={.data."+strings.ReplaceAll(key, ".", `\.`)+"}")
	record, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// TestResetSparesAVaultInUse puts older records back beside a Vault that is in use and was
// restarted: sealed, and with an attempt to initialize on record that has no answer, it
// looks like one whose keys are lost. --on-keys-lost=reset must not take its volume.
func TestResetSparesAVaultInUse(t *testing.T) {
	for _, each := range []struct {
		name string
		// answered has an answer on record, and no state that knows more than the keys do.
		answered bool
	}{
		{"older keys", false},
		{"older keys beside an answer", true},
	} {
		t.Run(each.name, func(t *testing.T) {
			p, namespace, node := inStatefulSet(t)
			pod, claim := uids(t, namespace)
			first := p.stopped("initialize.intended", "run")
			open := recordOf(t, namespace, "vault-bootstrap-keys", "keys.json")
			early := recordOf(t, namespace, "vault-bootstrap-state", "state.json")
			first.Send(sigcont)
			if r := first.Wait(); r.Code != 0 {
				t.Fatalf("the first run exited with %d\n%s", r.Code, r)
			}
			hardened := recordOf(t, namespace, "vault-bootstrap-keys", "keys.json")
			if err := node.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			runPod(t, namespace, "vault-0", 1)

			putBack(t, namespace, "vault-bootstrap-keys", "keys.json", aged(t, open, each.answered))
			if each.answered {
				putBack(t, namespace, "vault-bootstrap-state", "state.json", early)
			}
			// One that has deleted the volume waits for what comes in its place.
			r := p.run("run", "--on-keys-lost=reset", "--timeout=20s")
			if newPod, newClaim := uids(t, namespace); newPod != pod || newClaim != claim {
				t.Fatalf("the volume of a Vault in use was deleted (exit %d)\n%s", r.Code, r)
			}
			if r.Code != 70 {
				t.Errorf("it exited with %d, want 70\n%s", r.Code, r)
			}
			putBack(t, namespace, "vault-bootstrap-keys", "keys.json", hardened)
			p.must(0, "run")
		})
	}
}

// inStatefulSet returns a program that may delete the volume of a Vault in a StatefulSet.
func inStatefulSet(t *testing.T) (p *program, namespace string, node *testbed.VaultNode) {
	t.Helper()
	node = testbed.VaultFor(t, testbed.VaultOptions{}).Nodes[0]
	p, namespace, _ = inKubernetes(t, nil, append(shortLease, "--vault-selector=component=server", "--vault-scheme=http", "--login=approle")...)
	grant(t, namespace, "find-vault", "--verb=list,delete", "--resource=pods")
	grant(t, namespace, "count-vault", "--verb=get", "--resource=statefulsets")
	grant(t, namespace, "claims", "--verb=get,delete", "--resource=persistentvolumeclaims")
	apply(t, namespace, fmt.Sprintf(statefulVault, portOf(t, node)))
	untilNew(t, namespace, "", "")
	runPod(t, namespace, "vault-0", 0)
	return p, namespace, node
}

// aged returns a record whose attempt was made a day ago: its maker can bring nothing any
// more. With an answer it also holds an earlier attempt that a late holder has delivered.
func aged(t *testing.T, open []byte, answered bool) []byte {
	t.Helper()
	var record map[string]any
	if err := json.Unmarshal(open, &record); err != nil {
		t.Fatal(err)
	}
	attempt, ok := record["attempt"].(map[string]any)
	if !ok {
		t.Fatal("no attempt is on record")
	}
	attempt["started"] = time.Now().Add(-24 * time.Hour).UTC().Format(time.RFC3339Nano)
	if answered {
		earlier := maps.Clone(attempt)
		earlier["id"], earlier["status"] = "EARLIER", "stored"
		earlier["answer"] = map[string]any{"shares": []string{"AAAA"}, "root": "AAAA"}
		record["past"] = []any{earlier}
	}
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
