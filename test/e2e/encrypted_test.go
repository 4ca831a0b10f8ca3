package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// person is somebody with an age identity.
type person struct{ recipient, file string }

func newPerson(t *testing.T) person {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, identity.String())
	p := person{"age:" + identity.Recipient().String(), filepath.Join(t.TempDir(), "identity.txt")}
	write(t, p.file, identity.String()+"\n")
	return p
}

// opens returns a function that opens what raw returns as the person can, and returns it in version 1,
// so that the suite knows the secrets in it; nothing if it does not open.
func (p person) opens(t *testing.T, raw func() []byte) func() []byte {
	t.Helper()
	opened := driver.OpenedFor(t, p.file)
	return func() []byte { return opened(raw()) }
}

// wantNoSecrets checks that no file below a directory holds a secret of the keys record as it is
// when it is opened.
func wantNoSecrets(t *testing.T, p *program, dir string) {
	t.Helper()
	secrets := testbed.SecretsIn(withoutAnswers(t, p.keys()))
	if len(secrets) == 0 {
		t.Error("the record holds no secret")
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, secret := range secrets {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s shows a secret of the keys record", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// withoutAnswers returns a record without Vault's answers, which are ciphertext of their own.
func withoutAnswers(t *testing.T, record []byte) []byte {
	t.Helper()
	var keys map[string]any
	if err := json.Unmarshal(record, &keys); err != nil {
		t.Fatal(err)
	}
	past, _ := keys["past"].([]any)
	for _, each := range append(past, keys["attempt"]) {
		if attempt, ok := each.(map[string]any); ok {
			delete(attempt, "answer")
		}
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// remote is another Vault, with a transit key and a token that may use it.
type remote struct {
	*testbed.VaultCluster
	keys  testbed.VaultKeys
	flags []string
}

func startRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{VaultCluster: testbed.VaultFor(t, testbed.VaultOptions{TLS: true})}
	var err error
	if r.keys, err = r.Initialize(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, r.keys.RootToken)
	r.unseal(t)
	type fields = map[string]any
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	for _, call := range []struct {
		path string
		in   any
		out  any
	}{
		{"sys/mounts/transit", fields{"type": "transit"}, nil},
		{"transit/keys/vb", fields{}, nil},
		{"sys/policies/acl/vb", fields{"policy": `path "transit/encrypt/vb" { capabilities = ["update"] } path "transit/decrypt/vb" { capabilities = ["update"] }`}, nil},
		{"auth/token/create", fields{"policies": []string{"vb"}, "no_default_policy": true}, &made},
	} {
		if err := r.Nodes[0].Call(t.Context(), http.MethodPut, call.path, r.keys.RootToken, call.in, call.out); err != nil {
			t.Fatalf("%s: %v", call.path, err)
		}
	}
	testbed.NoteSecrets(t, made.Auth.Token)
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, made.Auth.Token+"\n")
	r.flags = []string{"--keys-to=transit:" + r.Nodes[0].Addr + "/transit/vb", "--keys-token-file=" + token, "--keys-ca=" + r.CAFile}
	return r
}

func (r *remote) unseal(t *testing.T) {
	t.Helper()
	if err := r.Unseal(t.Context(), r.keys); err != nil {
		t.Fatal(err)
	}
}

// TestEncryptedToAnotherVault takes a Vault to hardened with keys that another one encrypts, and
// unseals it again after an outage of that one.
func TestEncryptedToAnotherVault(t *testing.T) {
	cluster, other, safe := testbed.VaultFor(t, testbed.VaultOptions{}), startRemote(t), newPerson(t)
	seed, _ := exampleSeed(t)
	p, dir := inFiles(t, cluster, append(other.flags, "--keys-to="+safe.recipient, "--seed="+seed)...)
	p.keys = safe.opens(t, p.keys)
	p.must(0, "run")
	wantNoSecrets(t, p, dir)
	wantEvents(t, "rerun", p.must(0, "run").Events())
	if list := p.must(0, "keys list").Stdout; !strings.Contains(list, "to transit:") || !strings.Contains(list, safe.recipient+" (escrow)") {
		t.Errorf("keys list: %s", list)
	}
	if tried := p.must(0, "keys test").Stdout; !strings.Contains(tried, "transit/vb works") || !strings.Contains(tried, "its identity is not here") {
		t.Errorf("keys test: %s", tried)
	}

	// Both are down, and only ours comes back.
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting := p.must(1, "run", "--timeout=5s")
	if !strings.Contains(waiting.Stderr, "keys unreachable") || !strings.Contains(waiting.Stderr, other.Nodes[0].Addr) {
		t.Errorf("during the outage: %s", waiting)
	}
	p.must(0, "keys list")
	if failure := fmt.Sprint(status(p)["last_error"]); !strings.Contains(failure, "keys unreachable") {
		t.Errorf("status says %s", failure)
	}
	if code := health(t, cluster.Nodes[0]); code != http.StatusServiceUnavailable {
		t.Errorf("the health is %d", code)
	}
	for _, node := range other.Nodes {
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	other.unseal(t)
	p.must(0, "run")
	if code := health(t, cluster.Nodes[0]); code != http.StatusOK {
		t.Errorf("the health is %d", code)
	}
}

// TestEncryptedAndKilled kills a first run at each of its steps: the record shows no secret, and the
// next run goes on from it.
func TestEncryptedAndKilled(t *testing.T) {
	for _, point := range []string{"initialize.spooled", "initialize.stored", "unseal.done", "harden.credential", "harden.revoked"} {
		t.Run(point, func(t *testing.T) {
			ours, safe := newPerson(t), newPerson(t)
			p, dir := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--keys-to="+safe.recipient, "--keys-to="+ours.recipient)
			p.keys = ours.opens(t, p.keys)
			escrowed := *p
			p.flags = append(p.flags, "--keys-identity="+ours.file)
			killedAt(p, point)
			wantNoSecrets(t, p, dir)
			// One that has no identity stores an answer that was spooled, and opens nothing.
			without := escrowed.must(70, "run")
			if !strings.Contains(without.Stderr, "keys sealed to others") {
				t.Errorf("without an identity: %s", without)
			}
			if list := p.must(0, "keys list", "-o", "json").Stdout; point == "initialize.spooled" && !strings.Contains(list, `"status": "unopened"`) {
				t.Errorf("the spooled answer was not stored: %s", list)
			}
			p.must(0, "run")
			wantNoSecrets(t, p, dir)
			if keysIn(t, p).Root != nil {
				t.Error("the store holds a root token")
			}
		})
	}
}

// TestEncryptedInKubernetes keeps encrypted records in Secrets, with nothing but the shipped rules.
func TestEncryptedInKubernetes(t *testing.T) {
	cluster, ours := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t)
	p, _, _ := inKubernetes(t, cluster, append(shortLease, "--keys-to="+ours.recipient, "--keys-identity="+ours.file)...)
	raw := p.keys
	p.keys = ours.opens(t, raw)
	killedAt(p, "initialize.stored")
	p.must(0, "run")
	for _, secret := range testbed.SecretsIn(withoutAnswers(t, p.keys())) {
		if strings.Contains(string(raw()), secret) {
			t.Error("the Secret shows a secret of the keys record")
		}
	}
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.must(0, "run")
	if code := health(t, cluster.Nodes[0]); code != http.StatusOK {
		t.Errorf("the health is %d", code)
	}
	wantEvents(t, "rerun", p.must(0, "run").Events())
}

// TestReseal encrypts a record that was in clear, and then to others.
func TestReseal(t *testing.T) {
	cluster, former, next := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, dir := inFiles(t, cluster)
	p.must(0, "run")
	plain := *p
	p.flags = append(p.flags, "--keys-to="+former.recipient, "--keys-identity="+former.file)
	p.keys = former.opens(t, plain.keys)
	if moved := p.must(0, "run"); !strings.Contains(moved.Stderr, "the keys record is encrypted now") {
		t.Errorf("the run does not say that the keys were in clear: %s", moved)
	}
	wantNoSecrets(t, p, dir)
	if left := plain.must(70, "run"); !strings.Contains(left.Stderr, "keys sealed to others") || !strings.Contains(left.Stderr, former.recipient) {
		t.Errorf("without recipients: %s", left)
	}
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "not-a-token")
	itself := p.must(64, "keys reseal", "--to=transit:"+cluster.Nodes[0].Addr+"/transit/vb", "--keys-token-file="+token)
	if !strings.Contains(itself.Stderr, "is the Vault itself that the keys unseal") {
		t.Errorf("to the Vault itself: %s", itself)
	}
	if lost := p.must(64, "keys reseal", "--to="+newPerson(t).recipient); !strings.Contains(lost.Stderr, "nothing here could open them again") {
		t.Errorf("to an escrow alone: %s", lost)
	}
	if more := p.must(0, "run", "--keys-to="+next.recipient); !strings.Contains(more.Stderr, "other recipients than --keys-to names") {
		t.Errorf("with a recipient more: %s", more)
	}
	reseal := []string{"--to=" + next.recipient, "--keys-identity=" + next.file}
	p.stopped("reseal.prepared", "keys reseal", reseal...).Kill()
	p.must(0, "run")
	p.keys = next.opens(t, plain.keys)
	p.stopped("reseal.stored", "keys reseal", reseal...).Kill()
	if late := p.must(70, "run"); !strings.Contains(late.Stderr, "keys sealed to others") {
		t.Errorf("the former recipient: %s", late)
	}
	p.must(0, "keys reseal", reseal...)
	q := plain
	q.flags = append(q.flags, "--keys-to="+next.recipient, "--keys-identity="+next.file)
	q.keys = next.opens(t, plain.keys)
	before := keysIn(t, &q)
	q.must(0, "keys rotate")
	wantNoSecrets(t, &q, dir)
	if after := keysIn(t, &q); after.Set == nil || after.Set.Shares[0] == before.Set.Shares[0] {
		t.Error("the shares are the same")
	}
	wantEvents(t, "rerun", q.must(0, "run").Events())
}
