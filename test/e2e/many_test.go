package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// thousand returns a seed of a thousand objects, the audit device apart, and the line
// in which badRole stands. Vault refuses that one, and says so only when it is asked.
func thousand(auditLog, ttl string) (text string, line int) {
	var b strings.Builder
	fmt.Fprintf(&b, "audit:\n  - {type: file, options: {file_path: %s}}\npolicies:\n", auditLog)
	for i := range 500 {
		fmt.Fprintf(&b, "  - {name: p%d, rules: 'path \"kv/data/%d/*\" { capabilities = [\"read\"] }'}\n", i, i)
	}
	b.WriteString("auth:\n  - type: approle\n    path: apps\n    roles:\n")
	for i := range 499 {
		if limit := "2h"; i == 77 {
			line = strings.Count(b.String(), "\n") + 1
			fmt.Fprintf(&b, "      - {name: r%d, token_policies: [p%d], token_ttl: %s, token_max_ttl: %s}\n", i, i, ttl, limit)
		} else {
			fmt.Fprintf(&b, "      - {name: r%d, token_policies: [p%d], token_ttl: 1h, token_max_ttl: %s}\n", i, i, limit)
		}
	}
	return b.String(), line
}

const badRole = "auth/apps/role/r77"

// TestOneBadAmongAThousand applies a large seed of which Vault refuses one object: the
// others are applied, the run ends with 1 and names the one, and after the repair only
// that one is written.
func TestOneBadAmongAThousand(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	dir := t.TempDir()
	auditLog, seed := filepath.Join(dir, "audit.log"), filepath.Join(dir, "seed.yaml")
	text, line := thousand(auditLog, "9h")
	write(t, seed, text)
	p, _ := inFiles(t, cluster, "--seed="+seed)

	first := p.run("run")
	wantFailure(t, first, 1, badRole, fmt.Sprintf("seed.yaml:%d:9", line), "token_ttl")
	wrote := objects(first, true)
	if len(wrote) != 999 || slices.Contains(wrote, badRole) {
		t.Errorf("the first run wrote %d of the 999 objects that are good", len(wrote))
	}
	failed := first.Log("failed")
	if said := fmt.Sprint(failed); len(failed) != 1 || !strings.Contains(said, "objects written, 1 not") || strings.Count(said, "creating ") != 1 {
		t.Errorf("more than the one object is named: %s", said)
	}

	write(t, seed, strings.Replace(text, "token_ttl: 9h", "token_ttl: 1h", 1))
	_, before := driver.AuditFor(t, auditLog, 0)
	again := p.must(0, "run")
	wantEvents(t, "rerun", again.Events(), "seed", "harden")
	if wrote := objects(again, false); !slices.Equal(wrote, []string{badRole}) {
		t.Errorf("the rerun wrote %v", wrote)
	}
	entries, _ := driver.AuditFor(t, auditLog, before)
	written := slices.DeleteFunc(writes(entries), func(call string) bool {
		return !strings.Contains(call, " auth/apps/") && !strings.Contains(call, " sys/policies/acl/p") || strings.HasPrefix(call, "help ")
	})
	if !slices.Equal(written, []string{"create " + badRole}) {
		t.Errorf("by the audit log the rerun wrote %v", written)
	}
	if keysIn(t, p).Root != nil {
		t.Error("the store holds a root token")
	}
	if r := p.must(0, "plan", "--seed="+seed, "--detailed-exitcode"); !strings.Contains(r.Stdout, "Plan: 0 to create, 0 to update, 1001 unchanged.") {
		t.Errorf("the plan says %s", r)
	}
}

// objects returns what a run says that it wrote; with seedOnly what the seed of a
// thousand names, and not its audit device.
func objects(r driver.Result, seedOnly bool) []string {
	var ids []string
	for _, line := range r.Log("wrote") {
		id := line.Text("object")
		if !seedOnly || strings.HasPrefix(id, "sys/policies/acl/p") || strings.HasPrefix(id, "auth/apps/") || id == "sys/auth/apps" {
			ids = append(ids, id)
		}
	}
	return ids
}
