package verify_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// newIdentity returns a recipient of age and the file with its identity, in a directory.
func newIdentity(t *testing.T, dir string) (recipient, file string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, identity.String())
	return "age:" + identity.Recipient().String(), write(t, filepath.Join(dir, "identity.txt"), identity.String()+"\n")
}

// opensWith has the suite know the secrets of a record that is encrypted.
func (p *program) opensWith(t *testing.T, recipient, file string) {
	t.Helper()
	raw, opened := p.keys, driver.OpenedFor(t, file)
	p.keys = func(t *testing.T) []byte {
		if record := raw(t); len(record) > 0 {
			return opened(record)
		}
		return nil
	}
}

// encrypts adds two recipients to the flags, one of them an escrow, as the profile production wants it.
func (p *program) encrypts(t *testing.T) {
	t.Helper()
	ours, file := newIdentity(t, t.TempDir())
	safe, _ := newIdentity(t, t.TempDir())
	p.opensWith(t, ours, file)
	p.flags = append(p.flags, "--keys-to="+ours, "--keys-to="+safe, "--keys-identity="+file)
}

// keysVerb runs a verb that works with the keys, which takes no seed.
func (p *program) keysVerb(t *testing.T, verb string, flags ...string) {
	t.Helper()
	args := strings.Fields(verb)
	for _, flag := range p.flags {
		ofVault := strings.HasPrefix(flag, "--vault-addr=") || strings.HasPrefix(flag, "--ca-cert=")
		if verb != "keys reseal" || !ofVault { // which asks no Vault
			args = append(args, flag)
		}
	}
	args = append(args, flags...)
	driver.StartFor(t, driver.Command{Binary: binary, Args: args, Env: p.env, Limit: 3 * time.Minute}).Exits(0)
}

// TestKeysAtRest makes the record of the keys bad in one way after another, and good again.
func TestKeysAtRest(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	dir := t.TempDir()
	p := inFiles(t, cluster, goodSeed(dir, ""))
	p.must(t, 0, "run")
	records := filepath.Dir(driver.RecordFile(strings.TrimPrefix(p.flags[0], "--store=file:"), "keys"))
	ours, file := newIdentity(t, dir)
	safe, safeFile := newIdentity(t, t.TempDir())
	given := []string{"--keys-to=" + ours, "--keys-identity=" + file}
	with := func(flags ...string) *program {
		other := *p
		other.flags = append(slices.Clone(p.flags), flags...)
		return &other
	}
	check := func(p *program, encrypted, second, proven harden.Status, objects string) {
		t.Helper()
		found := p.verify(t)
		want(t, found, "keys-encrypted", encrypted)
		want(t, found, "keys-second-recipient", second)
		want(t, found, "recipients-proven", proven)
		blamed := slices.Concat(found["keys-encrypted"].Objects, found["keys-second-recipient"].Objects, found["recipients-proven"].Objects)
		if got := strings.Join(blamed, ", "); got != objects {
			t.Errorf("blamed: %s, want %s", got, objects)
		}
	}
	const yes, no, never, unread = harden.Holds, harden.Fails, harden.Inapplicable, harden.Unknown

	check(p, no, never, never, "key shares, secret ID")
	with(given...).keysVerb(t, "keys reseal")
	p.opensWith(t, ours, file)
	both := append(slices.Clone(given), "--keys-to="+safe)
	check(with(given...), yes, no, yes, ours)
	with(given...).keysVerb(t, "keys reseal", "--to="+ours, "--to="+safe)
	good := with(both...)
	check(good, yes, yes, yes, "")

	// Without what opens it, the header says all but where the identity lies.
	check(p, unread, yes, yes, "")

	beside := write(t, filepath.Join(records, "identity.txt"), read(t, file))
	check(with("--keys-to="+ours, "--keys-to="+safe, "--keys-identity="+beside), no, yes, yes, ours)
	if err := os.Remove(beside); err != nil {
		t.Fatal(err)
	}

	// Two years pass, as the dates in the header say, which are not protected.
	record := driver.RecordFile(strings.TrimPrefix(p.flags[0], "--store=file:"), "keys")
	dates := regexp.MustCompile(`"(made|proven)": *"[^"]+"`)
	write(t, record, dates.ReplaceAllString(read(t, record), `"$1": "`+time.Now().AddDate(-2, 0, 0).UTC().Format(time.RFC3339)+`"`))
	check(good, yes, yes, no, ours+", "+safe)
	good.keysVerb(t, "keys test")
	check(good, yes, yes, no, safe)
	p.keysVerb(t, "keys test", "--keys-identity="+safeFile, "--recipients-only")
	check(good, yes, yes, yes, "")
	short := *good
	short.seed = write(t, filepath.Join(dir, "short.yaml"), strings.Replace(goodSeed(dir, ""), "limits: {", "limits: {proof-age: 1ms, ", 1))
	check(&short, yes, yes, no, ours+", "+safe)
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestKeysOfOperators holds that shares which operators keep count as encrypted, and what lies beside
// them does not.
func TestKeysOfOperators(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	dir := t.TempDir()
	pair, err := pgp.Generate("operator", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	public := write(t, filepath.Join(dir, "operator.pub"), pair.Public)
	p := inFiles(t, cluster, goodSeed(dir, ""), "--pgp-keys="+public, "--key-shares=1", "--key-threshold=1")
	p.must(t, 70, "run")
	var stored struct {
		Set struct{ Custody []struct{ Message string } }
	}
	if err := json.Unmarshal(p.keys(t), &stored); err != nil || len(stored.Set.Custody) != 1 {
		t.Fatalf("%d shares are stored, %v", len(stored.Set.Custody), err)
	}
	share, err := pgp.Decrypt(pair.Private, stored.Set.Custody[0].Message)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, share.Reveal())
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodPut, "sys/unseal", "", m{"key": share.Reveal()}, nil); err != nil {
		t.Fatal(err)
	}
	p.must(t, 0, "run")
	found := p.verify(t)
	want(t, found, "keys-encrypted", harden.Fails)
	if got := found["keys-encrypted"].Objects; !slices.Equal(got, []string{"secret ID"}) {
		t.Errorf("blamed: %v", got)
	}
	want(t, found, "keys-second-recipient", harden.Inapplicable)
	want(t, found, "recipients-proven", harden.Inapplicable)

	recipient, file := newIdentity(t, dir)
	p.flags = append(p.flags, "--keys-to="+recipient, "--keys-identity="+file)
	p.keysVerb(t, "keys reseal")
	p.opensWith(t, recipient, file)
	found = p.verify(t)
	want(t, found, "keys-encrypted", harden.Holds)
	want(t, found, "keys-second-recipient", harden.Inapplicable)
	want(t, found, "recipients-proven", harden.Holds)
}
