package e2e

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// mostFiles is through how many files of the seed's code a policy may lead its reader.
const mostFiles = 12

// TestFilesOfOnePolicy runs the program, built to count what runs of it, on two fresh Vaults:
// with a seed of one policy, and with an empty one. What runs because of the policy lies in few
// files of the seed's code.
func TestFilesOfOnePolicy(t *testing.T) {
	t.Parallel()
	if testbed.FactsFor(t).Product != testbed.Vault {
		testbed.NotApplicable(t, "the files are counted once, with Vault")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	counting := filepath.Join(t.TempDir(), "vault-bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-cover", "-coverpkg=./internal/seed/...,./cmd/vault-bootstrap", "-o", counting, "./cmd/vault-bootstrap")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	without := blocksOf(t, counting, "policies: []\n")
	with := blocksOf(t, counting, "policies:\n  - {name: app, rules: 'path \"secret/data/app\" { capabilities = [\"read\"] }'}\n")
	files := map[string]bool{}
	for block := range with {
		if !without[block] {
			file, _, _ := strings.Cut(block, ":")
			_, file, _ = strings.Cut(file, "/internal/")
			files[file] = true
		}
	}
	t.Logf("what runs because of a policy lies in %d files: %s", len(files), strings.Join(slices.Sorted(maps.Keys(files)), " "))
	if len(files) == 0 || len(files) > mostFiles {
		t.Errorf("%d files, want 1 to %d", len(files), mostFiles)
	}
}

// blocksOf runs a counting program with a seed on a fresh Vault, and returns what of the seed's
// code has run.
func blocksOf(t *testing.T, program, seed string) map[string]bool {
	t.Helper()
	vault, err := testbed.StartVault(t.Context(), testbed.VaultOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := vault.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir, counts := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "seed.yaml")
	if err := os.WriteFile(path, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "run", "--vault-addr="+vault.Nodes[0].Addr, "--store=file:"+filepath.Join(dir, "records"), "--seed="+path)
	cmd.Env = []string{"HOME=" + dir, "GOCOVERDIR=" + counts}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	profile := filepath.Join(dir, "profile")
	if out, err := exec.CommandContext(t.Context(), "go", "tool", "covdata", "textfmt", "-i="+counts, "-o="+profile).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := os.Open(profile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	ran := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[2] != "0" && strings.Contains(fields[0], "/internal/seed/") {
			ran[fields[0]] = true
		}
	}
	if err := lines.Err(); err != nil || len(ran) == 0 {
		t.Fatalf("%d blocks have run: %v", len(ran), err)
	}
	return ran
}
