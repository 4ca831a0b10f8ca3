package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/leaks/needle"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// rest is what is left of a control plane: etcd's files, and an audit log with all bodies.
type rest struct{ plane *testbed.ControlPlane }

// restFor gives a test a control plane of its own, whose audit log has bodies.
func restFor(t *testing.T) rest {
	t.Helper()
	plane := testbed.ControlPlaneFor(t, testbed.ControlPlaneOptions{AuditBodies: true})
	ownPlanes.Store(t.Name(), plane)
	return rest{plane}
}

// shows returns, by place, how many forms of secrets are there, and says where.
func (r rest) shows(t *testing.T, secrets []string) (found map[string]int, places []string) {
	t.Helper()
	needles := needle.Of(secrets)
	found = map[string]int{"etcd": 0, "audit": 0}
	search := func(place, path string) error {
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // etcd drops its older files
			return nil
		}
		needles.Search(content, func(n needle.Needle, at int) {
			found[place]++
			places = append(places, fmt.Sprintf("%s: %s, %d characters, at byte %d", path, n.Form, n.Length, at))
		})
		return err
	}
	err := filepath.WalkDir(filepath.Join(r.plane.Dir, "etcd"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return search("etcd", path)
	})
	if err = errors.Join(err, search("audit", r.plane.AuditLog)); err != nil {
		t.Fatal(err)
	}
	return found, places
}

// remembered are the secrets that an installation had at any time.
type remembered []string

func (r *remembered) learn(t *testing.T, p *program) {
	t.Helper()
	*r = append(*r, testbed.SecretsIn(withoutAnswers(t, p.keys()))...)
}

// learnTokens adds every token in a raw audit log of Vault's.
func (r *remembered) learnTokens(t *testing.T, log string) {
	t.Helper()
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	*r = append(*r, driver.Tokens(string(content))...)
}

func (r *remembered) distinct() []string {
	return slices.Compact(slices.Sorted(slices.Values(*r)))
}

// TestNothingAtRestOpensAnything takes an installation with an encrypted record through everything
// that writes it, and looks for what it ever held in etcd's files and in an audit log with all bodies.
// The same search finds what an installation without recipients has left there.
func TestNothingAtRestOpensAnything(t *testing.T) {
	left := restFor(t)
	t.Run("encrypted", func(t *testing.T) {
		ownPlanes.Store(t.Name(), left.plane)
		former, next := newPerson(t), newPerson(t)
		var secrets remembered
		p, namespace, vaultLog := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}), shortLease...)
		plain := *p
		to := func(who person) {
			p.flags = append(slices.Clone(plain.flags), "--keys-to="+who.recipient, "--keys-identity="+who.file)
			p.keys = who.opens(t, plain.keys)
		}
		to(former)
		for _, point := range []string{"initialize.stored", "login.made"} {
			killedAt(p, point)
			secrets.learn(t, p)
		}
		if len(secrets) < 7 { // keys of attempts, five shares, the root token
			t.Fatalf("the record held %d secrets", len(secrets))
		}
		p.must(0, "run")
		secrets.learn(t, p)
		wantEvents(t, "rerun", p.must(0, "run").Events())

		p.stopped("rotate.stored", "keys rotate").Kill()
		secrets.learn(t, p)
		p.must(0, "keys rotate")
		secrets.learn(t, p)
		p.keys = nil
		p.must(0, "keys reseal", "--to="+next.recipient, "--keys-identity="+next.file)
		to(next)
		p.stopped("breakglass.stored", "break-glass run", because).Kill()
		secrets.learn(t, p)
		p.must(0, "break-glass run", because)

		safe := filepath.Join(t.TempDir(), "keys.age")
		p.must(0, "keys export", "--to="+next.recipient, "--out="+safe)
		kubectl(t, "delete", "secret", "-n", namespace, "vault-bootstrap-keys")
		p.must(0, "keys import", "--from="+safe)
		p.must(0, "run")
		watch := p.start("watch", "--listen=127.0.0.1:0")
		watch.Says(`"listening"`, 1)
		watch.Terminates()
		secrets.learn(t, p)
		secrets.learnTokens(t, vaultLog)
		testbed.NoteEncrypted(t, secrets.distinct()...)

		if found, places := left.shows(t, secrets.distinct()); found["etcd"]+found["audit"] > 0 {
			t.Errorf("of %d secrets these are shown:\n%s", len(secrets.distinct()), strings.Join(places, "\n"))
		}
	})
	t.Run("in clear", func(t *testing.T) {
		ownPlanes.Store(t.Name(), left.plane)
		var secrets remembered
		p, _, _ := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}), shortLease...)
		killedAt(p, "initialize.stored")
		secrets.learn(t, p)
		testbed.NoteClear(t, secrets.distinct()...)
		for _, secret := range secrets.distinct() {
			if found, _ := left.shows(t, []string{secret}); found["etcd"] == 0 || found["audit"] == 0 {
				t.Errorf("a secret of %d characters is in etcd %d times, in the audit log %d times: the search does not find it", len(secret), found["etcd"], found["audit"])
			}
		}
	})
}
