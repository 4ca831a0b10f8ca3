package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/long"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// outageTries is how often a process asks the KMS in vain in the short form of an outage: often enough
// that its waits are the longest that there are.
const outageTries = 5

// away has a KMS be away until its users have had every reason to give up: in the long form for ten
// minutes, refusing and then hanging; in the short one until it was asked in vain so often.
func away(t *testing.T, front *testbed.KMSFront, meanwhile func()) {
	t.Helper()
	if long.Wanted() {
		for _, how := range []testbed.Outage{testbed.Refused, testbed.Hanging} {
			check(t, front.Back())
			check(t, front.Away(how))
			for range 10 {
				meanwhile()
				wait(t, 30*time.Second)
			}
		}
		return
	}
	before := front.Calls("decrypt")
	for front.Calls("decrypt") < before+outageTries {
		meanwhile()
	}
}

// wait lets time go by: it is what a long form is about.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestKMSAwayAfterInit takes the KMS away as soon as Vault has answered, in Kubernetes: the answer is
// stored as ciphertext, another pod waits and names the recipient, what needs no key works, nothing is
// initialized again, and the run finishes when the KMS is back.
func TestKMSAwayAfterInit(t *testing.T) {
	kms := testbed.TransitFor(t)
	for name, killed := range map[string]bool{"the run goes on": false, "the run is killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			front, flags := testbed.FrontFor(t, kms, "after-init")
			safe := newPerson(t)
			p, _, _ := inKubernetes(t, cluster, append(append(shortLease, "--keys-to="+safe.recipient, "--spool-dir="+t.TempDir()), flags...)...)
			raw := p.keys
			p.keys = safe.opens(t, raw)
			first := p.stopped("initialize.spooled", "run")
			check(t, front.Away(testbed.Failing))
			if killed {
				first.Kill()
			} else {
				check(t, first.Resume(t.Context(), "initialize.spooled"))
				first.Exits(0) // it knows the data key
			}
			began := time.Now()
			later := p.start("run", "--timeout=30m")
			if long.Wanted() {
				later.Patience = 40 * time.Minute
			}
			later.Says("keys unreachable", 1)
			took := time.Since(began)
			t.Logf("a new process says so %s after its start", took.Round(100*time.Millisecond))
			if took > 15*time.Second {
				t.Error("that is too late")
			}
			if recipient := front.Recipient("after-init"); !strings.Contains(later.Stderr(), recipient) {
				t.Errorf("it does not name %s\n%s", recipient, later.Stderr())
			}
			var id string
			away(t, front, func() {
				keys := keysIn(t, p)
				if !driver.Encrypted(raw()) || len(keys.Attempts()) != 1 || killed && keys.Attempts()[0].Answer == nil || !killed && keys.Set == nil {
					t.Fatalf("the record is encrypted (%t), and holds %+v", driver.Encrypted(raw()), keys.Attempts())
				}
				if id == "" {
					id = keys.Attempts()[0].ID
				}
				if keys.Attempts()[0].ID != id {
					t.Error("there is another attempt")
				}
				if list := p.must(0, "keys list").Stdout; !strings.Contains(list, front.Recipient("after-init")) {
					t.Errorf("keys list: %s", list)
				}
				p.must(0, "wait", "--for=initialized", "--timeout=20s")
				if state := fmt.Sprint(status(p)["state"]); !killed && state != "hardened" {
					t.Errorf("status says %q", state)
				}
				if got := health(t, cluster.Nodes[0]); killed && got != http.StatusServiceUnavailable || !killed && got != http.StatusOK {
					t.Errorf("the health is %d", got)
				}
				select {
				case <-later.Ended():
					t.Fatalf("the run has given up: %s", later.Wait())
				default:
				}
			})
			back := time.Now()
			check(t, front.Back())
			later.Exits(0)
			t.Logf("the run finished %s after the KMS was back", time.Since(back).Round(100*time.Millisecond))
			if keys := keysIn(t, p); keys.Root != nil || keys.Set == nil || len(keys.Attempts()) != 1 {
				t.Error("the record is not that of one finished run")
			}
			if n := count(history(p), "initialize"); n > 1 || n == 0 && !killed { // who finds an answer has made none
				t.Errorf("the history has %d initializations", n)
			}
			testbed.NoteSecrets(t, testbed.SecretsIn(p.keys())...)
		})
	}
}

func count(list []string, what string) (n int) {
	for _, each := range list {
		if each == what {
			n++
		}
	}
	return n
}

// TestOneCallForAProcess counts what a run asks of the KMS: three calls when the record gets its first
// data key, and one for each later process.
func TestOneCallForAProcess(t *testing.T) {
	t.Parallel()
	kms, cluster := testbed.TransitFor(t), testbed.VaultFor(t, testbed.VaultOptions{})
	front, flags := testbed.FrontFor(t, kms, "counted")
	safe := newPerson(t)
	p, _ := inFiles(t, cluster, append(flags, "--keys-to="+safe.recipient)...)
	p.keys = safe.opens(t, p.keys)
	calls := func() [2]int { return [2]int{front.Calls("encrypt"), front.Calls("decrypt")} }
	p.must(0, "run")
	if got, want := calls(), [2]int{1, 2}; got != want {
		t.Errorf("a first run encrypts and decrypts %v times, want %v", got, want)
	}
	for i := range 2 {
		check(t, cluster.Nodes[0].Restart(t.Context()))
		p.must(0, "run")
		if got, want := calls(), [2]int{1, 3 + i}; got != want {
			t.Errorf("after %d runs on a sealed Vault: %v calls, want %v", i+1, got, want)
		}
	}
	for _, verb := range []string{"status", "keys list", "keys list"} {
		p.must(0, verb)
	}
	if got, want := calls(), [2]int{1, 4}; got != want {
		t.Errorf("what needs no key makes calls: %v, want %v", got, want)
	}
}

// TestTwoSilentRecipients has two recipients that both accept connections and never answer: a run
// says so in time, and names both.
func TestTwoSilentRecipients(t *testing.T) {
	t.Parallel()
	kms, cluster := testbed.TransitFor(t), testbed.VaultFor(t, testbed.VaultOptions{})
	one, flags := testbed.FrontFor(t, kms, "both")
	other, _ := testbed.FrontFor(t, kms, "both")
	flags = append(flags, "--keys-to="+other.Recipient("both"))
	p, _ := inFiles(t, cluster, flags...)
	p.must(0, "run")
	check(t, cluster.Nodes[0].Restart(t.Context()))
	check(t, one.Away(testbed.Hanging))
	p.must(0, "run") // by the other one
	check(t, cluster.Nodes[0].Restart(t.Context()))
	check(t, other.Away(testbed.Hanging))
	began := time.Now()
	run := p.start("run")
	run.Says("keys unreachable", 1)
	took := time.Since(began)
	t.Logf("it says so after %s", took.Round(100*time.Millisecond))
	if took > 13*time.Second {
		t.Error("that is too late")
	}
	for _, front := range []*testbed.KMSFront{one, other} {
		if !strings.Contains(run.Stderr(), front.URL) {
			t.Errorf("%s is not named", front.URL)
		}
	}
	check(t, other.Back())
	run.Exits(0)
}

// TestLateHolderKeepsTheDataKey stops a holder before it writes a new data key, for longer than its
// Lease lives: nobody has taken over, and it writes nothing all the same.
func TestLateHolderKeepsTheDataKey(t *testing.T) {
	for verb, stop := range map[string]struct {
		point string
		code  int
	}{"keys rotate": {"rotate.done", 0}, "keys reseal": {"reseal.prepared", 75}} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			ours := newPerson(t)
			p, namespace, _ := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}), append(shortLease, "--keys-to="+ours.recipient, "--keys-identity="+ours.file)...)
			raw := p.keys
			p.keys = ours.opens(t, raw)
			p.must(0, "run")
			late := p.stopped(stop.point, verb)
			before := string(raw())
			expired(t, namespace)
			check(t, late.Resume(t.Context(), stop.point))
			if end := late.Exits(stop.code); !strings.Contains(end.Stderr, "lease") {
				t.Errorf("it does not say that it has lost the Lease: %s", end)
			}
			if string(raw()) != before {
				t.Error("the resumed process has written the record")
			}
			p.must(0, "run")
		})
	}
}

// expired waits until the Lease of a stopped holder has expired.
func expired(t *testing.T, namespace string) {
	t.Helper()
	plane := kubernetes(t)
	check(t, testbed.Poll(t.Context(), 500*time.Millisecond, "the Lease to expire", func(ctx context.Context) error {
		lease, err := plane.Client.CoordinationV1().Leases(namespace).Get(ctx, "vault-bootstrap", metav1.GetOptions{})
		if err != nil {
			return testbed.GiveUp(err)
		}
		if lease.Spec.RenewTime == nil || lease.Spec.LeaseDurationSeconds == nil {
			return errors.New("nobody holds it")
		}
		if left := time.Until(lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second)); left > -time.Second {
			return fmt.Errorf("it has %s left", left)
		}
		return nil
	}))
}
