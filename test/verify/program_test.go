package verify_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// program is the binary with the flags of one installation.
type program struct {
	// flags are those of every verb; runFlags those of 'run' alone.
	flags, runFlags []string
	seed            string
	env             []string
	keys            func(t *testing.T) []byte
}

// do runs a verb to its end.
func (p *program) do(t *testing.T, verb string, flags ...string) driver.Result {
	t.Helper()
	return p.start(t, verb, flags...).Wait()
}

// must is do for a verb that must exit with code.
func (p *program) must(t *testing.T, code int, verb string, flags ...string) driver.Result {
	t.Helper()
	return p.start(t, verb, flags...).Exits(code)
}

func (p *program) start(t *testing.T, verb string, flags ...string) *driver.Driven {
	t.Helper()
	args := append([]string{verb}, p.flags...)
	if verb == "run" {
		args = append(args, p.runFlags...)
	}
	if !slices.ContainsFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") }) {
		args = append(args, "--seed="+p.seed)
	}
	run := driver.StartFor(t, driver.Command{Binary: binary, Args: append(args, flags...), Env: p.env, Limit: 3 * time.Minute})
	run.Keys, run.Patience = func() []byte { return p.keys(t) }, 3*time.Minute
	return run
}

// shown is a control in the JSON report.
type shown struct {
	ID, Name string
	Status   harden.Status
	Required bool
	Seen     string
	Value    string
	Objects  []string
	Fixable  bool
	Expired  []struct{ Reason string } `json:"expired_exceptions"`
	Declared []struct{ Object, At string }
}

// verify returns the controls of a report with the strictest profile, and enters what
// was seen into the ledger.
func (p *program) verify(t *testing.T, flags ...string) map[string]shown {
	t.Helper()
	found, err := p.look(t, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// look is verify for a Vault that may have no active node just now.
func (p *program) look(t *testing.T, flags ...string) (map[string]shown, error) {
	t.Helper()
	done := p.do(t, "verify", append([]string{"-o=json", "--profile=strict", "--deep"}, flags...)...)
	if done.Code != 0 && done.Code != 3 {
		return nil, fmt.Errorf("verify exited with %d\n%s%s", done.Code, done.Stdout, done.Stderr)
	}
	var report struct {
		Passed   bool
		Controls []shown
	}
	if err := json.Unmarshal([]byte(done.Stdout), &report); err != nil {
		t.Fatalf("the report is no JSON: %v\n%s", err, done.Stdout)
	}
	if report.Passed != (done.Code == 0) {
		t.Errorf("passed is %v, and the exit code %d", report.Passed, done.Code)
	}
	found := map[string]shown{}
	ledger.Lock()
	defer ledger.Unlock()
	for _, control := range report.Controls {
		found[control.ID] = control
		if ledger.seen[control.ID] == nil {
			ledger.seen[control.ID] = map[harden.Status]bool{}
		}
		ledger.seen[control.ID][control.Status] = true
	}
	return found, nil
}

// changed returns the controls whose status differs, as "id: before → after".
func changed(before, after map[string]shown) []string {
	var list []string
	for id, control := range after {
		if was := before[id].Status; was != control.Status {
			list = append(list, id+": "+string(was)+" → "+string(control.Status))
		}
	}
	slices.Sort(list)
	return list
}

// want fails the test unless a control has the status.
func want(t *testing.T, controls map[string]shown, id string, status harden.Status) {
	t.Helper()
	if got := controls[id]; got.Status != status {
		t.Errorf("%s: %s (%s %v), want %s", id, got.Status, got.Seen, got.Objects, status)
	}
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inFiles returns a program that keeps its records in a directory of the test.
func inFiles(t *testing.T, cluster *testbed.VaultCluster, seed string, runFlags ...string) *program {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	p := &program{flags: []string{"--store=file:" + dir}, runFlags: runFlags}
	p.flags = append(p.flags, driver.VaultFlags(cluster)...)
	p.seed = write(t, filepath.Join(t.TempDir(), "seed.yaml"), seed)
	p.keys = func(*testing.T) []byte {
		content, _ := os.ReadFile(driver.RecordFile(dir, "keys"))
		return content
	}
	return p
}
