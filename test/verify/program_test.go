package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// program is the binary with the flags of one installation.
type program struct {
	// flags are those of every verb; runFlags those of 'run' alone.
	flags, runFlags []string
	seed            string
	keys            func(t *testing.T) []byte
}

type outcome struct {
	code           int
	stdout, stderr string
}

// do runs a verb to its end.
func (p *program) do(t *testing.T, verb string, flags ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := append([]string{verb}, p.flags...)
	if verb == "run" {
		args = append(args, p.runFlags...)
	}
	if !slices.ContainsFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") }) {
		args = append(args, "--seed="+p.seed)
	}
	cmd := exec.CommandContext(ctx, binary, append(args, flags...)...)
	cmd.Env = []string{"PATH=/nonexistent", "HOME=" + t.TempDir()}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	testbed.NoteOutput(t, strings.Join(cmd.Args[1:], " ")+"\n"+stdout.String()+stderr.String())
	testbed.NoteSecrets(t, testbed.SecretsIn(p.keys(t))...)
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must is do for a verb that must exit with code.
func (p *program) must(t *testing.T, code int, verb string, flags ...string) outcome {
	t.Helper()
	done := p.do(t, verb, flags...)
	if done.code != code {
		t.Fatalf("%s %v exited with %d, want %d\nstdout:\n%s\nstderr:\n%s", verb, flags, done.code, code, done.stdout, done.stderr)
	}
	return done
}

// shown is a control in the JSON report.
type shown struct {
	ID       string
	Status   harden.Status
	Required bool
	Seen     string
	Objects  []string
	Fixable  bool
	Expired  []struct{ Reason string } `json:"expired_exceptions"`
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
	if done.code != 0 && done.code != 3 {
		return nil, fmt.Errorf("verify exited with %d\n%s%s", done.code, done.stdout, done.stderr)
	}
	var report struct {
		Passed   bool
		Controls []shown
	}
	if err := json.Unmarshal([]byte(done.stdout), &report); err != nil {
		t.Fatalf("the report is no JSON: %v\n%s", err, done.stdout)
	}
	if report.Passed != (done.code == 0) {
		t.Errorf("passed is %v, and the exit code %d", report.Passed, done.code)
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
	for _, node := range cluster.Nodes {
		p.flags = append(p.flags, "--vault-addr="+node.Addr)
	}
	if cluster.CAFile != "" {
		p.flags = append(p.flags, "--ca-cert="+cluster.CAFile)
	}
	p.seed = write(t, filepath.Join(t.TempDir(), "seed.yaml"), seed)
	p.keys = func(*testing.T) []byte {
		content, _ := os.ReadFile(filepath.Join(dir, "vault-bootstrap-keys.json"))
		return content
	}
	return p
}
