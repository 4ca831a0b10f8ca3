package verify_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// longLeases is the seed of the suite with a mount that has long leases on purpose.
func longLeases(dir, rules string) string {
	return strings.NewReplacer("{type: kv, path: team}", "{type: kv, path: team, config: {max_lease_ttl: 9000h}}", "profile: baseline", "profile: production\n  advise: [mlock, keys-encrypted]").
		Replace(goodSeed(dir, rules))
}

// TestDeclared has a seed declare what a control blames, and others change the same mount and make
// another: the control accepts the first and nothing else, and a fix changes the last only.
func TestDeclared(t *testing.T) {
	t.Parallel()
	b := hardened(t, testbed.VaultOptions{TLS: true}, "  fix: [all]\n")
	b.seed = write(t, filepath.Join(t.TempDir(), "seed.yaml"), longLeases(b.dir, "  fix: [all]\n"))
	b.must(t, 0, "run")
	declared := b.verify(t)
	want(t, declared, "mount-lease-ttl", harden.Declared)
	if got := declared["mount-lease-ttl"].Declared; len(got) != 1 || got[0].Object != "team" || !b.names(t, got[0].At, "path: team") {
		t.Errorf("declared: %+v", got)
	}
	place := declared["mount-lease-ttl"].Declared[0].At
	for _, format := range []string{"table", "json", "junit", "html"} {
		if shown := b.must(t, 0, "verify", "-o="+format).Stdout; !strings.Contains(shown, place) || !strings.Contains(shown, "declared") {
			t.Errorf("-o %s does not say that it is declared at %s:\n%s", format, place, shown)
		}
	}

	put("sys/mounts/theirs", m{"type": "kv", "config": m{"max_lease_ttl": "9000h"}})(t, b)
	b.blames(t, "theirs")
	b.fixes(t, "sys/mounts/theirs/tune")

	put("sys/mounts/team/tune", m{"default_lease_ttl": "8000h"})(t, b) // a setting that the seed leaves open
	b.blames(t, "team")
	b.fixes(t, "sys/mounts/team/tune")

	put("sys/mounts/team/tune", m{"max_lease_ttl": "9500h"})(t, b)
	if found := b.blames(t, "team"); found.Fixable {
		t.Error("a fix of what the seed declares is offered")
	}
	b.fixes(t, "sys/mounts/team/tune") // since it differs from the seed, not by a fix
	tuned, _ := b.call(t, http.MethodGet, "sys/mounts/team/tune", nil)["data"].(m)
	if tuned["max_lease_ttl"] != float64(9000*3600) {
		t.Errorf("the seed's mount has %v", tuned)
	}
}

// blames wants one object to be to blame for long leases.
func (b *bed) blames(t *testing.T, object string) shown {
	t.Helper()
	found := b.verify(t)
	want(t, found, "mount-lease-ttl", harden.Fails)
	if got := found["mount-lease-ttl"].Objects; !slices.Equal(got, []string{object}) {
		t.Errorf("blamed: %v, want %s", got, object)
	}
	return found["mount-lease-ttl"]
}

// fixes wants a run to write to one path, the next one nothing, and only the seed to have long leases.
func (b *bed) fixes(t *testing.T, path string) {
	t.Helper()
	_, before := b.audited(t, 0)
	b.must(t, 0, "run")
	writes, middle := b.audited(t, before)
	if len(writes) != 1 || !strings.HasSuffix(writes[0], " "+path) {
		t.Errorf("run wrote %v, want one write of %s", writes, path)
	}
	b.must(t, 0, "run")
	if writes, _ := b.audited(t, middle); len(writes) > 0 {
		t.Errorf("the run after it wrote %v", writes)
	}
	want(t, b.verify(t), "mount-lease-ttl", harden.Declared)
}

// TestContradictions has every verb that reads the seed refuse one that demands what it declares
// otherwise, before it looks for a server, and name the places of both.
func TestContradictions(t *testing.T) {
	t.Parallel()
	p := &program{flags: []string{"--store=file:" + t.TempDir(), "--vault-addr=http://127.0.0.1:1"}, keys: func(*testing.T) []byte { return nil }}
	p.seed = write(t, filepath.Join(t.TempDir(), "seed.yaml"), longLeases(t.TempDir(), "  require: [mount-lease-ttl]\n"))
	for _, verb := range []string{"run", "plan", "verify"} {
		done := p.must(t, 65, verb)
		said := regexp.MustCompile(`(\S+:\d+:\d+): harden.require names the control \\?"mount-lease-ttl\\?".*: team at (\S+:\d+:\d+)`).FindStringSubmatch(done.Stderr)
		if said == nil || !p.names(t, said[1][strings.IndexByte(said[1], '/'):], "require: [mount-lease-ttl]") || !p.names(t, said[2], "path: team") {
			t.Errorf("%s does not name the places of both:\n%s", verb, done.Stderr)
		}
	}
}
