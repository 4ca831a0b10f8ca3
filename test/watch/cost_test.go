package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// The bounds of what one watch costs in a minute, once it has had a minute to find out that
// nothing helps, and at rest. Renewals of the Lease of those who lead come on top.
const (
	mostFailing = 12
	// An object that Vault refuses is announced in the ledger, and taken out of it again: two
	// changes of the record more than without.
	mostPartial = mostFailing + 2
	mostIdle    = 10
	mostActs    = 3
)

// TestCost measures what a watch that cannot go on, and one that has nothing to do, ask of
// the API server and of Vault. The figures are in docs/watch.md.
func TestCost(t *testing.T) {
	t.Parallel()
	for _, each := range []struct {
		name    string
		prepare func(t *testing.T, in *installation) []string // returns flags
		stuck   string                                        // in the log, when it cannot go on
		most    int
	}{
		{"partial", func(_ *testing.T, in *installation) []string {
			in.sow(in.text() + "auth:\n  - type: userpass\n    users:\n      - {username: ada, password: correct-horse, token_ttl: 2h, token_max_ttl: 1h}\n")
			return nil
		}, "auth/userpass/users/ada", mostPartial},
		{"custody", func(t *testing.T, _ *installation) []string {
			return []string{"--key-shares=1", "--key-threshold=1", "--pgp-keys=" + operator(t)}
		}, "custodians must unseal", mostFailing},
		{"seed exceeds policy", func(t *testing.T, in *installation) []string {
			// Our login becomes an entity that a policy of the seed denies something: it makes that itself, and
			// may not apply the seed from then on.
			in.sow(strings.Replace(in.text(), "policies:\n", "policies:\n  - name: weak\n    rules: 'path \"sys/policies/acl/app\" { capabilities = [\"deny\"] }'\n", 1) +
				"entities:\n  - {name: weak, policies: [weak]}\nentity-aliases:\n  - {name: vault-bootstrap, mountpath: userpass, entity: weak}\n")
			in.walk[slices.Index(in.walk, "--login=approle")] = "--login=userpass"
			password := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(password, []byte("a-password-of-the-suite"), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"--login-password-file=" + password}
		}, "seed exceeds policy", mostFailing},
		{"idle", func(*testing.T, *installation) []string { return nil }, "", mostIdle},
	} {
		t.Run(each.name, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{})
			counted := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
			in, namespace := installInKubernetes(t, cluster)
			in.flags[1] = "--vault-addr=" + counted.URL
			flags := each.prepare(t, in)
			// The pace of an installation: interval, health and Lease have their defaults.
			watch := in.start("watch", append(flags, "--listen=127.0.0.1:0")...)
			if each.stuck == "" {
				watch.shows(`vault_bootstrap_state{state="hardened"}`, 1)
			} else {
				watch.Says(each.stuck, 1)
			}
			user := "system:serviceaccount:" + namespace + ":vault-bootstrap"
			began := time.Now()
			passes(t, began.Add(time.Minute))
			from, failuresBefore, linesBefore := time.Now(), failures(watch), auditLines(in)
			passes(t, from.Add(time.Minute))
			cost, err := kubernetes(t).Requests(user, from, from.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			renewals := len(slices.DeleteFunc(slices.Clone(cost), func(r testbed.APIRequest) bool { return !renews(r) }))
			others := slices.DeleteFunc(cost, renews)
			acts := failures(watch) - failuresBefore
			fmt.Printf("cost: %-15s %2d requests to the API server in a minute (and %d renewals), %d acts\n", each.name, len(others), renewals, acts)
			if len(others) > each.most {
				t.Errorf("%d requests to the API server in a minute, at most %d: %v", len(others), each.most, others[:min(len(others), 30)])
			}
			if acts > mostActs {
				t.Errorf("%d acts in a minute, at most %d", acts, mostActs)
			}
			if each.stuck != "" && strings.Count(watch.Shown(), `"msg":"failed"`)+strings.Count(watch.Shown(), `"msg":"waiting"`)+strings.Count(watch.Shown(), `"msg":"did not succeed"`) > 12 {
				t.Errorf("the log repeats itself:\n%s", watch.Shown())
			}
			if each.stuck == "" {
				wantIdleInVault(t, in, linesBefore)
			}
			if each.name == "partial" {
				wantNoWriteAgain(t, in, linesBefore)
			}
		})
	}
}

// failures returns how many acts of a watch have failed.
func failures(watch *process) int {
	_, body := get(watch.t, watch.URL()+"/metrics")
	total := 0.0
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "vault_bootstrap_act_failures_total{") {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:len(line)-1], 64)
		if err != nil {
			watch.t.Fatal(err)
		}
		total += value
	}
	return int(total)
}

// passes waits until a moment: what is measured here is what happens in a span of time.
func passes(t *testing.T, moment time.Time) {
	t.Helper()
	eventually(t, moment.Format(time.TimeOnly), 3*time.Minute, func(context.Context) error {
		if left := time.Until(moment); left > 0 {
			return fmt.Errorf("%s left", left)
		}
		return nil
	})
}

// operator returns a file with somebody's public key, whose private key nobody has.
func operator(t *testing.T) string {
	t.Helper()
	pair, err := pgp.Generate("operator", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "operator.asc")
	if err := os.WriteFile(file, []byte(pair.Public), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// renews reports whether a request renews the Lease of those who lead, which is held all the
// time.
func renews(r testbed.APIRequest) bool {
	return r.Verb == "update" && r.ObjectRef.Resource == "leases" && strings.HasSuffix(r.ObjectRef.Name, "-watch")
}

// auditLines returns how long Vault's audit log is; 0 where there is none yet.
func auditLines(in *installation) int {
	if _, err := os.Stat(in.audit); errors.Is(err, os.ErrNotExist) {
		return 0
	}
	return in.lines()
}

// wantIdleInVault wants no more than two looks in Vault's audit log, and no write. Each look
// asks for our own capabilities once.
func wantIdleInVault(t *testing.T, in *installation, from int) {
	t.Helper()
	if written := in.written(from); len(written) > 0 {
		t.Errorf("an idle watch writes: %v", written)
	}
	looks := 0
	for _, each := range in.requests(from) {
		if each.Request.Path == "sys/capabilities-self" {
			looks++
		}
	}
	if looks > 2 {
		t.Errorf("%d looks in a minute, and the interval is one", looks)
	}
}

// wantNoWriteAgain wants no write but the one that Vault refuses.
func wantNoWriteAgain(t *testing.T, in *installation, from int) {
	t.Helper()
	for _, written := range in.written(from) {
		if !strings.HasSuffix(written, "auth/userpass/users/ada") {
			t.Errorf("it writes what was not refused: %s", written)
		}
	}
}
