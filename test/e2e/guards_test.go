package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// behindGuards returns a program with a hardened Vault whose endpoints for key shares want a
// token, and a root token of the test's own in it.
func behindGuards(t *testing.T, flags ...string) (*program, *testbed.VaultCluster, *observer) {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Front: true})
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "secrets:\n  - type: kv\n")
	p, _ := inFiles(t, cluster, append(flags, "--seed="+seed)...)
	p.must(0, "run")
	token, child := inside(p, "")
	watch := observe(t, cluster.Nodes[0], token)
	child.Send(syscall.SIGTERM)
	child.Wait()
	return p, cluster, watch
}

// mayCeremonies returns a file with a token that may use exactly the endpoints for key shares.
func mayCeremonies(t *testing.T, o *observer) string {
	t.Helper()
	var rules strings.Builder
	for _, family := range []string{"generate-root/attempt generate-root/update generate-root-token/attempt generate-root-token/update", "rekey/init rekey/update rekey/verify rotate/root/init rotate/root/update rotate/root/verify"} {
		for _, path := range strings.Fields(family) {
			fmt.Fprintf(&rules, "path \"sys/%s\" { capabilities = [\"update\", \"read\", \"delete\"] }\n", path)
		}
	}
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	o.ask(http.MethodPut, "sys/policies/acl/ceremonies", map[string]string{"policy": rules.String()}, nil)
	o.ask(http.MethodPost, "auth/token/create-orphan", map[string]any{"policies": []string{"ceremonies"}}, &made)
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	return kept(t, made.Auth.ClientToken+"\n")
}

// ask sends a request with the observer's root token.
func (o *observer) ask(method, path string, in, out any) {
	o.t.Helper()
	if err := o.node.Call(o.t.Context(), method, path, o.token, in, out); err != nil {
		o.t.Fatal(err)
	}
}

// TestGuards takes every ceremony through endpoints that want a token, by our own login.
func TestGuards(t *testing.T) {
	p, cluster, watch := behindGuards(t)
	before := rotatedIn(t, p)
	p.must(0, "break-glass run", because)
	p.must(0, "break-glass exec", because, "--", "/bin/true")
	watch.wantNoRoot("two break-glasses")
	p.must(0, "keys rotate", "--key-shares=4", "--key-threshold=2")
	if after := rotatedIn(t, p); len(after.Set.Shares) != 4 || slices.Contains(after.Set.Shares, before.Set.Shares[0]) || len(after.Old) != 1 {
		t.Errorf("the record holds %d shares and %d old sets", len(after.Set.Shares), len(after.Old))
	}
	opens(t, p, cluster)
}

// TestGuardsAndCustody moves the shares to operators and back. Our login may begin a ceremony only
// while the record holds the shares; a token of somebody else's may do it then.
func TestGuardsAndCustody(t *testing.T) {
	p, cluster, watch := behindGuards(t)
	pairs, flag := operators(t, 3)
	wantFailure(t, p.run("keys rotate", flag, "--key-threshold=2"), 64, "operator 0", "--new-shares-file")
	p.must(0, "run") // leaves the exchange that waits for people alone
	file := decrypted(t, p, pairs[:2])
	p.must(0, "keys rotate", "--new-shares-file="+file)
	given := "--shares-file=" + file
	// The policy was written when the record held the shares. Root writes it again, without.
	p.must(0, "break-glass run", because, given)
	watch.wantNoRoot("break-glass")
	for _, verb := range []string{"break-glass run", "break-glass exec"} {
		command := []string{because, given}
		if verb == "break-glass exec" {
			command = append(command, "--", "/bin/true")
		}
		wantFailure(t, p.run(verb, command...), 70, "break-glass refused", "--token-file", "/attempt")
	}
	wantFailure(t, p.run("keys rotate", given, "--store-shares"), 70, "rotation refused", "--token-file", "/verify")
	token := "--token-file=" + mayCeremonies(t, watch)
	p.must(0, "keys rotate", given, "--store-shares", token)
	if after := rotatedIn(t, p); len(after.Set.Shares) != 3 {
		t.Errorf("the record holds %d shares", len(after.Set.Shares))
	}
	opens(t, p, cluster)
	p.must(0, "break-glass run", because, token) // and the policy fits again
	p.must(0, "break-glass exec", because, "--", "/bin/true")
	watch.wantNoRoot("the last break-glass")
}

// TestGuardsLimits tries with the token of our own login what its grants leave out.
func TestGuardsLimits(t *testing.T) {
	for name, flags := range map[string][]string{"the record holds the shares": nil, "never": {"--ceremonies=never"}} {
		t.Run(name, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{Front: true})
			p, _ := inFiles(t, cluster, flags...)
			p.must(0, "run")
			wantLimits(t, cluster.Nodes[0], ownToken(t, p, cluster.Nodes[0]), flags == nil)
		})
	}
	t.Run("operators hold the shares", func(t *testing.T) {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{Front: true})
		p, _ := hardenedByCustodians(t, cluster)
		wantLimits(t, cluster.Nodes[0], ownToken(t, p, cluster.Nodes[0]), false)
	})
	t.Run("there are no recovery keys", func(t *testing.T) {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{Binary: openBao(t), Storage: "raft", Seal: staticSeal(t)})
		p, _ := inFiles(t, cluster, "--recovery-shares=0", "--ceremonies=always")
		p.must(0, "run")
		wantLimits(t, cluster.Nodes[0], ownToken(t, p, cluster.Nodes[0]), false)
	})
}

// wantLimits checks what a token may do with the endpoints that take key shares: begin a ceremony
// there or not, and in no case what does without the shares.
func wantLimits(t *testing.T, node *testbed.VaultNode, token string, ceremonies bool) {
	t.Helper()
	may := func(path string) []string {
		var said struct{ Data map[string][]string }
		if err := node.Call(t.Context(), http.MethodPost, "sys/capabilities-self", token, map[string]any{"paths": []string{path}}, &said); err != nil {
			t.Fatal(err)
		}
		return said.Data[path]
	}
	for _, path := range []string{"sys/generate-root-token/attempt", "sys/rotate/root/init", "sys/rotate/recovery/init", "sys/rekey/verify", "sys/rekey-recovery-key/update"} {
		if slices.Contains(may(path), "update") != ceremonies {
			t.Errorf("at %s it may %v", path, may(path))
		}
		if product := testbed.FactsFor(t).Product; !ceremonies && product == testbed.OpenBao && strings.HasPrefix(path, "sys/rotate/") {
			if err := node.Call(t.Context(), http.MethodPost, path, token, map[string]any{"secret_shares": 1, "secret_threshold": 1}, nil); err == nil {
				t.Errorf("POST %s is not refused", path)
			}
		}
	}
	for _, path := range []string{"sys/rotate/root", "sys/rotate/recovery", "sys/rotate", "sys/rotate/keyring", "sys/rotate/root/backup", "sys/rekey/backup", "sys/rekey/recovery-key-backup", "sys/generate-root", "sys/seal", "sys/step-down"} {
		if got := may(path); !slices.Equal(got, []string{"deny"}) {
			t.Errorf("at %s it may %v", path, got)
		}
		if path == "sys/step-down" { // which a server that is alone takes from anybody
			continue
		}
		if err := node.Call(t.Context(), http.MethodPost, path, token, map[string]any{}, nil); err == nil {
			t.Errorf("POST %s is not refused", path)
		}
	}
}

// ownToken logs in as the program does, with its AppRole.
func ownToken(t *testing.T, p *program, node *testbed.VaultNode) string {
	t.Helper()
	var record struct {
		AppRole struct {
			RoleID   string `json:"role_id"`
			SecretID string `json:"secret_id"`
		} `json:"app_role"`
	}
	if err := json.Unmarshal(p.keys(), &record); err != nil {
		t.Fatal(err)
	}
	var said struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	in := map[string]string{"role_id": record.AppRole.RoleID, "secret_id": record.AppRole.SecretID}
	if err := node.Call(t.Context(), http.MethodPost, "auth/approle/login", "", in, &said); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, said.Auth.ClientToken)
	return said.Auth.ClientToken
}

// TestGuardsLeaveOthersAlone has somebody else in the middle of each ceremony, behind endpoints
// whose cancelling takes no nonce.
func TestGuardsLeaveOthersAlone(t *testing.T) {
	p, cluster, watch := behindGuards(t)
	root, rekey := "sys/generate-root/attempt", "sys/rekey/init" // the bed reaches them by Addr
	if cluster.Server.Product == testbed.OpenBao {
		rekey = "sys/rotate/root/init" // which knows nothing of the old one
	}
	begin := func(path string, in any) (status func() (nonce string)) {
		watch.ask(http.MethodPut, path, in, nil)
		return func() string {
			var said struct {
				Nonce string
				Data  struct{ Nonce string }
			}
			watch.ask(http.MethodGet, path, nil, &said)
			return said.Nonce + said.Data.Nonce
		}
	}
	attempt := begin(root, map[string]any{})
	exchange := begin(rekey, map[string]int{"secret_shares": 1, "secret_threshold": 1})
	before := []string{attempt(), exchange()}
	wantFailure(t, p.run("break-glass exec", because, "--", "/bin/true"), 75, "somebody else is generating a root token", before[0])
	wantFailure(t, p.run("keys rotate"), 64, "a rekey is in progress", before[1])
	p.must(0, "run")
	if after := []string{attempt(), exchange()}; !slices.Equal(after, before) || slices.Contains(after, "") {
		t.Errorf("in progress are %q, were %q", after, before)
	}
}

// TestCeremonyCredential is let in by the credential beside the shares when our own login no longer
// works, and tries it before.
func TestCeremonyCredential(t *testing.T) {
	p, _, watch := behindGuards(t, "--ceremony-credential")
	secretID := func() string {
		var record struct {
			Ceremony struct {
				SecretID string `json:"secret_id"`
			}
		}
		if err := json.Unmarshal(p.keys(), &record); err != nil || record.Ceremony.SecretID == "" {
			t.Fatalf("no credential is on record: %v", err)
		}
		testbed.NoteSecrets(t, record.Ceremony.SecretID)
		return record.Ceremony.SecretID
	}
	first := secretID()
	tried := p.must(0, "keys test").Stdout
	for _, text := range []string{"unseal keys", "our own login", "credential for ceremonies"} {
		if !strings.Contains(tried, text) {
			t.Errorf("keys test does not say %q:\n%s", text, tried)
		}
	}
	p.must(0, "keys rotate")
	if secretID() == first {
		t.Error("the credential was not exchanged with the keys")
	}
	if !strings.Contains(p.must(0, "keys list").Stdout, "a credential is stored") {
		t.Error("keys list does not show it")
	}
	var listed struct{ Data struct{ Keys []string } }
	watch.ask("LIST", "auth/vault-bootstrap-ceremony/role/vault-bootstrap-ceremony/secret-id", nil, &listed)
	if len(listed.Data.Keys) != 1 {
		t.Errorf("the role has %d secret IDs", len(listed.Data.Keys))
	}

	watch.ask(http.MethodDelete, "auth/approle/role/vault-bootstrap", nil, nil)
	wantFailure(t, p.run("run"), 70, "locked out")
	wantFailure(t, p.run("keys test"), 70, "our own login", "locked out")
	p.must(0, "break-glass run", because)
	watch.wantNoRoot("break-glass run")
	p.must(0, "run")
	p.must(0, "keys test")
}

// TestCeremonyCredentialLimits tries with the credential what its policy leaves out.
func TestCeremonyCredentialLimits(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Front: true})
	p, _ := inFiles(t, cluster, "--ceremony-credential")
	p.must(0, "run")
	var record struct {
		Ceremony struct {
			RoleID   string `json:"role_id"`
			SecretID string `json:"secret_id"`
		}
	}
	if err := json.Unmarshal(p.keys(), &record); err != nil {
		t.Fatal(err)
	}
	node := cluster.Nodes[0]
	var said struct {
		Auth struct {
			ClientToken   string   `json:"client_token"`
			LeaseDuration int      `json:"lease_duration"`
			Policies      []string `json:"policies"`
		}
	}
	in := map[string]string{"role_id": record.Ceremony.RoleID, "secret_id": record.Ceremony.SecretID}
	if err := node.Call(t.Context(), http.MethodPost, "auth/vault-bootstrap-ceremony/login", "", in, &said); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, said.Auth.ClientToken, record.Ceremony.SecretID)
	if said.Auth.LeaseDuration != 300 || !slices.Equal(said.Auth.Policies, []string{"vault-bootstrap-ceremony"}) {
		t.Errorf("the token lives for %d s, with %v", said.Auth.LeaseDuration, said.Auth.Policies)
	}
	for _, path := range []string{"sys/policies/acl", "sys/mounts", "auth/token/lookup-self", "auth/token/accessors", "sys/rotate/root", "auth/vault-bootstrap-ceremony/role/vault-bootstrap-ceremony"} {
		if err := node.Call(t.Context(), http.MethodGet, path, said.Auth.ClientToken, nil, nil); err == nil {
			t.Errorf("it may read %s", path)
		}
	}
}

// TestRotateAcrossAnUpgrade upgrades the server in the middle of an exchange of keys, at each point
// at which that can leave two sets: the server forgets the exchange, and a run finds out which set
// is in force.
func TestRotateAcrossAnUpgrade(t *testing.T) {
	earlier, now := testbed.EarlierFor(t), testbed.FactsFor(t).Server
	if now.Product != earlier.Product {
		testbed.NotApplicable(t, "an earlier version of it is not to be had")
	}
	for _, point := range []string{"rotate.begun", "rotate.stored", "rotate.share", "rotate.verified"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{Binary: earlier.Binary})
			p, _ := inFiles(t, cluster)
			p.must(0, "run")
			run := p.stopped(point, "keys rotate", "--key-shares=4")
			run.Kill()
			cluster.Nodes[0].Replace(now)
			opens(t, p, cluster)
			if record := rotatedIn(t, p); record.Rotation != nil {
				t.Error("the run did not settle the exchange")
			}
			p.must(0, "keys test")
			p.must(0, "keys rotate")
			opens(t, p, cluster)
		})
	}
}

// TestOlderPolicy puts the policy in the place of ours that fca1e9c made for the same seed. Runs go
// on, and say what is missing; a ceremony is refused with what helps; a token of somebody else's
// brings the policy up to date.
func TestOlderPolicy(t *testing.T) {
	p, _, watch := behindGuards(t)
	older, err := os.ReadFile("testdata/fca1e9c/policy.hcl")
	if err != nil {
		t.Fatal(err)
	}
	watch.ask(http.MethodPut, "sys/policies/acl/vault-bootstrap", map[string]string{"policy": string(older)}, nil)
	run := p.must(0, "run")
	wantEvents(t, "a run with the older policy", run.Events())
	if guarded := testbed.FactsFor(t).Product == testbed.OpenBao; guarded != strings.Contains(run.Stderr, "does not let our login generate a root token") {
		t.Errorf("guards that show are there: %v; it says\n%s", guarded, run.Stderr)
	}
	p.must(0, "plan", p.flags[slices.IndexFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") })])
	watch.ask(http.MethodDelete, "sys/mounts/kv", nil, nil)
	wantEvents(t, "a run after a drift", p.must(0, "run").Events(), "drift", "seed")
	wantFailure(t, p.run("break-glass exec", because, "--", "/bin/true"), 70, "break-glass refused", "seed policy", "--token-file")
	wantFailure(t, p.run("keys rotate"), 70, "rotation refused", "seed policy", "--token-file")
	p.must(0, "break-glass run", because, "--token-file="+mayCeremonies(t, watch))
	p.must(0, "break-glass exec", because, "--", "/bin/true")
	p.must(0, "keys rotate")
	watch.wantNoRoot("the last break-glass")
}
