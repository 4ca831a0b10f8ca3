package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// changes returns what a run says at its end that it has changed.
func changes(t *testing.T, r driver.Result) map[string][]string {
	t.Helper()
	done := r.Log("done")
	if len(done) != 1 {
		t.Fatalf("it does not say how it ended\n%s", r)
	}
	found := map[string][]string{}
	fields, _ := done[0].Fields["changes"].(map[string]any)
	for kind, names := range fields {
		list, _ := names.([]any)
		for _, name := range list {
			found[kind] = append(found[kind], fmt.Sprint(name))
		}
	}
	return found
}

// TestClosingSummary has runs say by name what they have changed: in the log, on a terminal and in the
// termination message.
func TestClosingSummary(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 2, NoRetryJoin: true})
	first, second := cluster.Nodes[0], cluster.Nodes[1]
	seed, _ := exampleSeed(t)
	message := filepath.Join(t.TempDir(), "termination")
	write(t, message, "")
	p, _ := inFiles(t, cluster, "--seed="+seed)
	terminal := []string{"--log-format=terminal", "--termination-log=" + message}

	t.Run("the first run", func(t *testing.T) {
		found := changes(t, p.must(0, "run"))
		if !slices.Contains(found["created"], "sys/policies/acl/app") || !slices.Contains(found["created"], "sys/mounts/transit") || len(found["updated"])+len(found["deleted"]) > 0 {
			t.Errorf("of objects it says %v", found)
		}
		slices.Sort(found["unsealed"])
		want := []string{first.Addr, second.Addr}
		slices.Sort(want)
		if !slices.Equal(found["initialized"], []string{first.Addr}) || !slices.Equal(found["joined"], []string{second.Addr}) || !slices.Equal(found["unsealed"], want) {
			t.Errorf("of replicas it says %v", found)
		}
		if !slices.Equal(found["revoked"], []string{"the root token"}) {
			t.Errorf("of tokens it says %v", found["revoked"])
		}
	})
	t.Run("nothing to do", func(t *testing.T) {
		r := p.must(0, "run", terminal...)
		for where, text := range map[string]string{"the terminal": r.Stdout, "the termination message": read(t, message)} {
			if !strings.Contains(text, "Vault is hardened. Nothing was left to do.\n") {
				t.Errorf("%s says %q", where, text)
			}
		}
		if found := changes(t, p.must(0, "run")); len(found) != 0 {
			t.Errorf("it says that it has changed %v", found)
		}
	})
	t.Run("a replica", func(t *testing.T) { // a standby that was restarted: no state changes
		standby := standbyOf(t, cluster)
		if err := standby.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := p.must(0, "run", terminal...)
		if strings.Contains(r.Stdout, "Nothing was left") || !strings.Contains(r.Stdout, "unsealed    1: "+standby.Addr+"\n") {
			t.Errorf("the terminal says %q", r.Stdout)
		}
		if text := read(t, message); text != "Vault is hardened.\nUnsealed 1: "+standby.Addr+".\n" {
			t.Errorf("the termination message says %q", text)
		}
	})
	t.Run("many objects", func(t *testing.T) {
		more := &strings.Builder{}
		for i := range 25 {
			fmt.Fprintf(more, "  - {name: many-%02d, rules: 'path \"kv/data/many\" { capabilities = [\"read\"] }'}\n", i)
		}
		write(t, seed, strings.Replace(read(t, seed), "policies:\n", "policies:\n"+more.String(), 1))
		write(t, message, "")
		r := p.must(0, "run", terminal...)
		if !strings.Contains(r.Stdout, "created     25: ") || strings.Count(r.Stdout, "many-") != 20 || !strings.Contains(r.Stdout, " and 5 more") {
			t.Errorf("the terminal says %q", r.Stdout)
		}
		if info, err := os.Stat(message); err != nil || info.Size() > 4096 || !strings.Contains(read(t, message), "Created 25: ") {
			t.Errorf("the termination message says %q, %v", read(t, message), err)
		}
		write(t, seed, strings.ReplaceAll(read(t, seed), `["read"] }'}`, `["list"] }'}`))
		if found := changes(t, p.must(0, "run")); len(found) != 1 || len(found["updated"]) != 25 {
			t.Errorf("the log says %v", found)
		}
	})
}

// TestSummaryOfAFailure has a run that fails say what it has written before.
func TestSummaryOfAFailure(t *testing.T) {
	file, seed := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "seed.yaml")
	message := filepath.Join(t.TempDir(), "termination")
	write(t, message, "")
	write(t, file, "") // where a directory would have to be
	write(t, seed, "audit:\n  - type: file\n    options:\n      file_path: "+file+"/audit.log\npolicies:\n  - {name: good, rules: 'path \"kv/*\" { capabilities = [\"read\"] }'}\n")
	p, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--seed="+seed)
	r := p.run("run", "--termination-log="+message)
	wantFailure(t, r, 1, "sys/audit/file")
	if changed := r.Log("changed"); len(changed) != 1 || !strings.Contains(fmt.Sprint(changed[0].Fields["changes"]), "sys/policies/acl/good") {
		t.Errorf("it does not say what was written\n%s", r)
	}
	if text := read(t, message); !strings.Contains(text, "exit code 1") || !strings.Contains(text, "sys/policies/acl/good") {
		t.Errorf("the termination message says %q", text)
	}
}

// TestSeedChanged distinguishes a seed that somebody has edited from a Vault that somebody has changed.
func TestSeedChanged(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, _ := exampleSeed(t)
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")

	edited := strings.Replace(read(t, seed), "policies:\n", "policies:\n  - {name: one, rules: 'path \"kv/data/one\" { capabilities = [\"read\"] }'}\n  - {name: anything, rules: 'path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"sudo\"] }'}\n", 1)
	write(t, seed, edited)
	r := p.must(0, "run", "--log-format=terminal")
	if !strings.Contains(r.Stderr, "the seed has changed: 2 objects differ") || strings.Contains(r.Stderr, "no longer matches") || strings.Contains(r.Stderr, "it is unsealed") || strings.Contains(r.Stderr, "drift") {
		t.Errorf("of an edited seed it says\n%s", r.Stderr)
	}
	write(t, seed, strings.Replace(edited, "token_policies: [app]", "token_policies: [app, anything]", 1))
	r = p.must(0, "run")
	if said := r.Log("the seed has changed: 1 object differs"); len(said) != 1 || said[0].Fields["level"] != "INFO" {
		t.Errorf("of an edited seed it says\n%s", r.Stderr)
	}

	// A seed that no longer names an object leaves it as it is, and is the one on record from then on.
	before := status(p)["seed_digest"]
	write(t, seed, strings.Replace(read(t, seed), "  - type: transit\n", "", 1))
	wantEvents(t, "a seed without an object", p.must(0, "run").Events())
	if after := status(p)["seed_digest"]; after == before {
		t.Errorf("on record is still the seed %v", after)
	}

	administrator(t, cluster, "ada")("PUT", "sys/policies/acl/one", map[string]any{"policy": `path "x" { capabilities = ["read"] }`}, nil)
	r = p.must(0, "run")
	if said := r.Log("Vault no longer matches the seed: 1 object differs"); len(said) != 1 || said[0].Fields["level"] != "WARN" {
		t.Errorf("of a Vault that was changed it says\n%s", r.Stderr)
	}
	if strings.Contains(r.Stderr, "the seed has changed") {
		t.Errorf("it blames the seed\n%s", r.Stderr)
	}
}
