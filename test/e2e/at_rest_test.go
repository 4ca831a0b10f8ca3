package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// atRest is the warning that the keys are not encrypted.
const atRest = "keys at rest: "

// wantAtRest checks how often a run warns of keys that are not encrypted.
func wantAtRest(t *testing.T, what string, run driver.Result, times int, says ...string) {
	t.Helper()
	if got := strings.Count(run.Stdout+run.Stderr, atRest); got != times {
		t.Errorf("%s: %d warnings, want %d: %s", what, got, times, run)
	}
	for _, text := range says {
		if !strings.Contains(run.Stderr, text) {
			t.Errorf("%s: the warning lacks %q: %s", what, text, run)
		}
	}
}

// listed is a recipient as 'keys list -o json' shows it.
type listed struct {
	Name, Kind string
	Escrow     bool
	Since      time.Time
	Proven     time.Time `json:"last_proven"`
}

// recipients returns those that 'keys list' shows; none for a record in clear.
func recipients(p *program) (found []listed) {
	p.t.Helper()
	var list struct {
		Encryption *struct{ Recipients []listed }
	}
	if err := json.Unmarshal([]byte(p.must(0, "keys list", "-o", "json").Stdout), &list); err != nil {
		p.t.Fatal(err)
	}
	if list.Encryption != nil {
		found = list.Encryption.Recipients
	}
	return found
}

// TestKeysAtRest follows one Vault from keys in clear to recipients that are proven: the warning of each
// run, the one command that ends it, what 'keys list' shows and what 'keys test' records.
func TestKeysAtRest(t *testing.T) {
	cluster, ours, safe := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, dir := inFiles(t, cluster)
	wantAtRest(t, "first run", p.must(0, "run"), 1, "keys reseal --keys-to=RECIPIENT", "key shares", driver.RecordFile(dir, "keys"))
	rerun := p.must(0, "run")
	wantAtRest(t, "rerun", rerun, 1)
	wantEvents(t, "rerun", rerun.Events())
	if got := recipients(p); len(got) > 0 {
		t.Errorf("a record in clear has the recipients %+v", got)
	}
	if list := p.must(0, "keys list").Stdout; strings.Contains(list, "LAST PROVEN") {
		t.Errorf("keys list of a record in clear: %s", list)
	}
	wantFailure(t, p.run("keys test", "--recipients-only"), 64, "is not encrypted", "keys reseal")

	// The command of the warning. The identity beside the record counts as clear.
	beside := filepath.Join(dir, "identity.txt")
	identity, err := os.ReadFile(ours.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, beside, string(identity))
	raw := p.keys
	bare := *p
	p.keys = ours.opens(t, raw)
	p.must(0, "keys reseal", "--keys-to="+ours.recipient, "--keys-identity="+ours.file)
	inside := *p
	inside.flags = append(slices.Clone(p.flags), "--keys-to="+ours.recipient, "--keys-identity="+beside)
	wantAtRest(t, "with the identity beside the record", inside.must(0, "run"), 1, "lies beside", ours.recipient)
	p.flags = append(p.flags, "--keys-to="+ours.recipient, "--keys-identity="+ours.file)
	wantAtRest(t, "encrypted", p.must(0, "run"), 0)
	one := recipients(p)
	if len(one) != 1 || one[0].Name != ours.recipient || one[0].Kind != "age" || one[0].Escrow || one[0].Proven.IsZero() || !one[0].Proven.Equal(one[0].Since) {
		t.Errorf("one recipient: %+v", one)
	}

	// An escrow, which nobody has tried.
	p.must(0, "keys reseal", "--to="+ours.recipient, "--to="+safe.recipient)
	p.flags = append(p.flags, "--keys-to="+safe.recipient)
	before := recipients(p)
	if len(before) != 2 || before[0].Escrow || before[0].Proven.IsZero() || !before[1].Escrow || !before[1].Proven.IsZero() {
		t.Fatalf("with an escrow: %+v", before)
	}
	if list := p.must(0, "keys list").Stdout; !strings.Contains(list, "age, escrow") || !strings.Contains(list, "never") {
		t.Errorf("keys list: %s", list)
	}
	// A rerun changes the epoch only.
	stored := encryptionOf(t, raw())
	wantEvents(t, "rerun", p.must(0, "run").Events())
	if got := encryptionOf(t, raw()); got != stored {
		t.Errorf("a rerun has changed how the record is encrypted:\n%s\n%s", stored, got)
	}

	tested := p.must(0, "keys test").Stdout
	if !strings.Contains(tested, ours.recipient+" works") || !strings.Contains(tested, "its identity is not here, never proven") || !strings.Contains(tested, "unseal keys") {
		t.Errorf("keys test: %s", tested)
	}
	after := recipients(p)
	if !after[0].Proven.After(before[0].Proven) || !after[1].Proven.IsZero() || !after[0].Since.Equal(before[0].Since) {
		t.Errorf("after keys test: %+v, before it %+v", after, before)
	}

	// Whoever keeps the escrow's identity has nothing else, and Vault is down.
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	person := bare
	person.flags = []string{"--store=file:" + dir}
	person.keys = func() []byte { return nil }
	tested = person.must(0, "keys test", "--keys-identity="+safe.file, "--recipients-only").Stdout
	if !strings.Contains(tested, safe.recipient+" works") || !strings.Contains(tested, "--keys-to does not name it, last proven ") || strings.Contains(tested, "unseal keys") {
		t.Errorf("by the escrow: %s", tested)
	}
	proven := recipients(p)
	if proven[1].Proven.IsZero() || !proven[1].Escrow || !proven[0].Proven.Equal(after[0].Proven) {
		t.Errorf("after the escrow was tried: %+v", proven)
	}
	wantFailure(t, person.run("keys test", "--keys-identity="+newPerson(t).file, "--recipients-only"), 64, "no recipient of", "keys list")
	// What the recipients came to is recorded, although Vault does not answer.
	if down := p.run("keys test", "--timeout=5s"); down.Code == 0 || !strings.Contains(down.Stdout, ours.recipient+" works") {
		t.Errorf("while Vault is down: %s", down)
	}
	if late := recipients(p); !late[0].Proven.After(proven[0].Proven) || !late[1].Proven.Equal(proven[1].Proven) {
		t.Errorf("after keys test without Vault: %+v, before it %+v", late, proven)
	}
	// A new data key leaves the escrow its date.
	p.must(0, "keys reseal")
	if renewed := recipients(p); !renewed[1].Proven.Equal(proven[1].Proven) || !renewed[1].Escrow || !renewed[0].Proven.Equal(renewed[0].Since) || !renewed[0].Since.After(before[0].Since) {
		t.Errorf("after a new data key: %+v", renewed)
	}
}

// encryptionOf returns to whom a record is encrypted, and what.
func encryptionOf(t *testing.T, record []byte) string {
	t.Helper()
	sealing := sealingOf(t, record)
	return fmt.Sprint(sealing["data_key"], sealing["wraps"], sealing["box"])
}

// TestProvenInKubernetes records proofs in a Secret, with nothing but the shipped rules.
func TestProvenInKubernetes(t *testing.T) {
	ours, safe := newPerson(t), newPerson(t)
	p, _, _ := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	wantAtRest(t, "first run", p.must(0, "run"), 1, "vault-bootstrap-keys")
	p.flags = append(p.flags, "--keys-to="+ours.recipient, "--keys-to="+safe.recipient, "--keys-identity="+ours.file)
	p.keys = ours.opens(t, p.keys)
	wantAtRest(t, "with recipients", p.must(0, "run"), 0)
	before := recipients(p)
	p.must(0, "keys test", "--keys-identity="+safe.file, "--recipients-only")
	after := recipients(p)
	if len(before) != 2 || before[0].Proven.IsZero() || !before[1].Proven.IsZero() || !after[0].Proven.After(before[0].Proven) || !after[1].Proven.After(before[0].Proven) {
		t.Errorf("before keys test %+v, after it %+v", before, after)
	}
}

// TestProductionWantsEncryption has a run of the profile production stop at keys in clear, once, and
// accept them by an exception.
func TestProductionWantsEncryption(t *testing.T) {
	p, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "harden: {profile: baseline, require: [keys-encrypted], advise: [audit-device]}\n")
	refused := p.run("run", "--seed="+seed)
	wantFailure(t, refused, 70, "control fails", "keys-encrypted: The keys record can be read without any key", "keys reseal --keys-to=")
	wantAtRest(t, "required", refused, 0)
	write(t, seed, "harden: {profile: baseline, require: [keys-encrypted], advise: [audit-device], exceptions: [{control: keys-encrypted, reason: a test, expires: 2999-12-31}]}\n")
	wantAtRest(t, "accepted", p.must(0, "run", "--seed="+seed), 0)
	write(t, seed, "harden: {profile: baseline, require: [keys-second-recipient], advise: [audit-device, keys-encrypted]}\n")
	advised := p.must(0, "run", "--seed="+seed)
	wantAtRest(t, "advised", advised, 0)
	if strings.Count(advised.Stderr, `"control":"keys-encrypted"`) != 1 {
		t.Errorf("the advice is not given once: %s", advised)
	}
}
