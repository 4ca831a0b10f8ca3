package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// setOf is a set of key shares in the keys record.
type setOf struct {
	Shares    []string
	Custody   []struct{ Message string }
	Threshold int
}

// setsIn returns the set in force, that of a rotation, and those that were put away.
func setsIn(t *testing.T, p *program) (inForce, rotation *setOf, old []setOf) {
	t.Helper()
	var record struct {
		Set      *setOf
		Rotation *struct{ Set *setOf }
		Old      map[string]setOf
	}
	if err := json.Unmarshal(p.keys(), &record); err != nil {
		t.Fatal(err)
	}
	if record.Rotation != nil {
		rotation = record.Rotation.Set
	}
	for _, set := range record.Old {
		old = append(old, set)
	}
	return record.Set, rotation, old
}

func (s *setOf) equal(other *setOf) bool {
	return s != nil && other != nil && fmt.Sprint(*s) == fmt.Sprint(*other)
}

func holds(old []setOf, set *setOf) bool {
	for i := range old {
		if old[i].equal(set) {
			return true
		}
	}
	return false
}

// rotateKilledAt kills an exchange of the shares of p at a point.
func rotateKilledAt(p *program, point string, flags ...string) {
	p.t.Helper()
	run := p.stopped(point, "keys rotate", flags...)
	run.Kill()
}

func becomesOpen(t *testing.T, node *testbed.VaultNode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := testbed.Poll(ctx, 20*time.Millisecond, "the server to be open", func(context.Context) error {
		if code := health(t, node); code != http.StatusOK {
			return fmt.Errorf("it answers %d", code)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// leaseTaken has somebody else hold the lease of p until release is called.
func leaseTaken(t *testing.T, p *program) (release func()) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(storeOf(t, p), "vault-bootstrap.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	return func() { _ = file.Close() }
}

// storeOf returns the directory in which p keeps its records.
func storeOf(t *testing.T, p *program) string {
	t.Helper()
	for _, flag := range p.flags {
		if dir, found := strings.CutPrefix(flag, "--store=file:"); found {
			return dir
		}
	}
	t.Fatal("the records are not in files")
	return ""
}

// unsealWith gives a server shares, and reports whether they opened it.
func unsealWith(t *testing.T, node *testbed.VaultNode, given []string) bool {
	t.Helper()
	var said struct{ Sealed bool }
	for _, share := range given {
		if err := node.Call(t.Context(), http.MethodPut, "sys/unseal", "", map[string]string{"key": share}, &said); err != nil {
			return false
		}
	}
	return !said.Sealed
}

// TestUnsettledOpened kills an exchange, restarts Vault, and has each verb that unseals
// open it, whichever set is in force.
func TestUnsettledOpened(t *testing.T) {
	for _, point := range []string{"rotate.stored", "rotate.share", "rotate.verified"} {
		for _, verb := range []string{"post-start", "sidecar", "run", "watch"} {
			t.Run(point+" "+verb, func(t *testing.T) {
				p, cluster := rotationKilledAt(t, point)
				node := cluster.Nodes[0]
				seal(t, cluster)
				// What somebody has left there must not be counted among ours.
				if unsealWith(t, node, []string{rotatedIn(t, p).Set.Shares[4]}) {
					t.Fatal("one share opens the Vault")
				}
				before := string(p.keys())
				switch verb {
				case "post-start":
					p.must(0, verb, "--timeout=10s")
					becomesOpen(t, node)
					if string(p.keys()) != before {
						t.Error("post-start has written to the keys record")
					}
				case "sidecar":
					release := leaseTaken(t, p)
					run := p.start("watch", "--own-replica="+node.Addr)
					becomesOpen(t, node)
					run.Send(syscall.SIGTERM)
					run.Wait()
					release()
				case "watch":
					run := p.start(verb)
					becomesOpen(t, node)
					run.Send(syscall.SIGTERM)
					run.Wait()
				default:
					p.must(0, verb)
					becomesOpen(t, node)
				}
				p.must(0, "run")
				if _, rotation, _ := setsIn(t, p); rotation != nil {
					t.Error("the run did not settle the exchange")
				}
				opens(t, p, cluster)
			})
		}
	}
}

// TestUnsettledRetired puts the keys of a Vault that is gone away while an exchange of
// them is on record: either set may be what opens a backup.
func TestUnsettledRetired(t *testing.T) {
	p, _ := rotationKilledAt(t, "rotate.verified")
	inForce, fresh, _ := setsIn(t, p)
	list := p.must(0, "keys list").Stdout
	if strings.Contains(list, "in force") {
		t.Errorf("keys list calls a set of an unsettled rotation the one in force:\n%s", list)
	}
	for _, text := range []string{"unsettled", "unsettled: former", "unsettled: new"} {
		if !strings.Contains(list, text) {
			t.Errorf("keys list does not say %q:\n%s", text, list)
		}
	}
	empty := testbed.VaultFor(t, testbed.VaultOptions{})
	moved := *p
	moved.flags = append([]string{"--store=file:" + storeOf(t, p)}, driver.VaultFlags(empty)...)
	moved.must(0, "keys retire")
	set, rotation, old := setsIn(t, p)
	if set != nil || rotation != nil || !holds(old, inForce) || !holds(old, fresh) {
		t.Errorf("%d sets were put away, and not both of the unsettled rotation", len(old))
	}
	moved.must(0, "run")
	if _, _, kept := setsIn(t, p); len(kept) != len(old) {
		t.Errorf("%d sets are put away after the next run, want %d", len(kept), len(old))
	}
}

// TestRetireKeepsGlass retires keys while a root token of break-glass is on record: it
// lives on in a backup of that Vault.
func TestRetireKeepsGlass(t *testing.T) {
	p, _, _ := hardened(t)
	run := p.stopped("breakglass.stored", "break-glass exec", because, "--", "/bin/true")
	run.Kill()
	empty := testbed.VaultFor(t, testbed.VaultOptions{})
	moved := *p
	moved.flags = append([]string{"--store=file:" + storeOf(t, p)}, driver.VaultFlags(empty)...)
	before := string(p.keys())
	wantFailure(t, moved.run("keys retire"), 64, "break-glass", "--forget-break-glass")
	var now, then struct{ Set, Break_glass json.RawMessage }
	if json.Unmarshal([]byte(before), &then) != nil || json.Unmarshal(p.keys(), &now) != nil || string(now.Set) != string(then.Set) || len(now.Break_glass) == 0 {
		t.Error("the refused retirement has changed the record")
	}
	moved.must(0, "keys retire", "--forget-break-glass")
	moved.must(0, "run")
}

// TestUnsettledBreakGlass makes a root token while nobody knows which set is in force.
func TestUnsettledBreakGlass(t *testing.T) {
	for _, point := range []string{"rotate.stored", "rotate.verified"} {
		t.Run(point, func(t *testing.T) {
			p, _ := rotationKilledAt(t, point)
			p.must(0, "break-glass exec", because, "--", "/bin/true")
			if _, rotation, _ := setsIn(t, p); rotation != nil {
				t.Error("the rotation is on record still")
			}
		})
	}
}

// TestUnsettledRaft restarts three servers, of which each is opened by the new shares.
func TestUnsettledRaft(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3})
	p, _ := inFiles(t, cluster)
	p.must(0, "run")
	rotateKilledAt(p, "rotate.verified")
	_, fresh, _ := setsIn(t, p)
	seal(t, cluster)
	p.must(0, "run")
	for _, node := range cluster.Nodes {
		if code := health(t, node); code != http.StatusOK && code != http.StatusTooManyRequests {
			t.Errorf("%s answers %d", node.Addr, code)
		}
	}
	if set, rotation, _ := setsIn(t, p); rotation != nil || !set.equal(fresh) {
		t.Error("the run did not mark the set in force")
	}
}

// TestAdoptUnsettled offers the new shares of an unsettled rotation.
func TestAdoptUnsettled(t *testing.T) {
	p, _ := rotationKilledAt(t, "rotate.verified")
	_, fresh, _ := setsIn(t, p)
	p.must(0, "adopt", "--keys-file="+kept(t, strings.Join(fresh.Shares, "\n")))
	p.must(0, "run")
	if set, rotation, _ := setsIn(t, p); rotation != nil || !set.equal(fresh) {
		t.Error("the run did not mark the set in force")
	}
}
