package seed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// recipe is a seed of the cookbook and what the suite does with it.
type recipe struct {
	file string
	// edits adapt the seed to the machine of the suite: old, new, …
	edits func(t *testing.T, b *bed) []string
	// old becomes new in one field; write is the one write that this makes.
	old, new, write string
	// cut is the first line of the part that is taken out, which ends where the next
	// one of the same depth begins; deleted is the one delete that this makes.
	cut, deleted string
	// needs is an auth method without which the recipe is for nothing.
	needs string
	// use shows that the result is of use.
	use func(t *testing.T, b *bed)
}

func recipes() []recipe {
	return []recipe{
		{
			file: "kubernetes-app", edits: outsideOfPods, old: "token_ttl: 20m", new: "token_ttl: 25m", write: "update auth/kubernetes/role/shop",
			cut: "  - name: kv-operators", deleted: "delete sys/policies/acl/kv-operators", use: useKubernetesApp,
		},
		{
			file: "baseline", old: `"sys/metrics" {
        capabilities = ["read"]`, new: `"sys/metrics" {
        capabilities = ["read", "list"]`, write: "update sys/policies/acl/monitoring",
			cut: "  - name: reviewers", deleted: "delete sys/policies/acl/reviewers",
		},
		{
			file: "quotas", old: "rate: 2000", new: "rate: 2500", write: "update sys/quotas/rate-limit/everything",
			cut: "    - name: batch-logins", deleted: "delete sys/quotas/rate-limit/batch-logins",
		},
		{
			file: "pki", old: "max_ttl: 720h", new: "max_ttl: 700h", write: "create pki/roles/web",
			cut: "        - name: internal\n          allowed", deleted: "delete pki/roles/internal", use: usePKI,
		},
		{
			file: "database", edits: startPostgres, old: "max_ttl: 24h", new: "max_ttl: 12h", write: "create database/roles/orders-read",
			cut: "        - name: orders-write", deleted: "delete database/roles/orders-write", use: useDatabase,
		},
		{
			file: "transit", old: "min_decryption_version: 1", new: "min_decryption_version: 1\n          exportable: true", write: "update transit/keys/customers/config",
			cut: "        - name: releases", deleted: "delete transit/keys/releases", use: useTransit,
		},
		{
			file: "aws-audit", needs: "aws", edits: startSTS, old: "auth_type, canonical_arn,", new: "auth_type, canonical_arn, client_arn,", write: "update auth/aws/config/identity",
			cut: "      - name: audit", deleted: "delete auth/aws/role/audit", use: useAWS,
		},
		{
			file: "jwt", edits: startIssuer, old: "token_ttl: 10m", new: "token_ttl: 11m", write: "update auth/jwt/role/deploy",
			cut: "      - name: build", deleted: "delete auth/jwt/role/build", use: useJWT,
		},
		{
			file: "oidc-groups", edits: startProvider, old: "token_ttl: 1h", new: "token_ttl: 2h", write: "update auth/oidc/role/people",
			cut: "  - name: operators\n    rules", deleted: "delete sys/policies/acl/operators", use: useOIDC,
		},
		{
			file: "two-teams", edits: slowly, old: "rate: 2000", new: "rate: 2500", write: "update sys/quotas/rate-limit/everything",
			cut: "  - name: blue-people", deleted: "delete sys/policies/acl/blue-people", use: useTeams,
		},
		{
			file: "userpass", old: "token_policies: [people]", new: "token_policies: [people, default]", write: "update auth/userpass/users/alice",
			cut: "      bob:", deleted: "delete auth/userpass/users/bob", use: useUserpass,
		},
		{
			file: "approle-ci", old: "secret_id_num_uses: 40", new: "secret_id_num_uses: 41", write: "update auth/ci/role/builder",
			cut: "      - name: reviewer", deleted: "delete auth/ci/role/reviewer", use: useAppRole,
		},
		{
			file: "ssh-ca", old: "max_ttl: 1h", new: "max_ttl: 2h", write: "update ssh/roles/people",
			cut: "        - name: robots", deleted: "delete ssh/roles/robots", use: useSSH,
		},
		{
			file: "identity-groups", old: "metadata: {team: platform}", new: "metadata: {team: core}", write: "update identity/entity/name/ada",
			cut: "  - name: engineering\n    policies", deleted: "delete identity/group/name/engineering", use: useIdentity,
		},
		{
			file: "vault-config-operator", edits: outsideOfPods, old: "token_ttl: 10m", new: "token_ttl: 11m", write: "update auth/kubernetes/role/vault-config-operator",
			cut: "      - name: readers", deleted: "delete auth/kubernetes/role/readers",
		},
	}
}

// outsideOfPods has Vault do without the CA and the token of a pod, since there is none.
// test/node has the seeds as they are.
func outsideOfPods(t *testing.T, _ *bed) []string {
	t.Helper()
	const host = "kubernetes_host: https://kubernetes.default.svc"
	return []string{host, host + "\n      " + withoutPod(t)}
}

// TestCookbook does with every seed of the cookbook what its users will.
func TestCookbook(t *testing.T) {
	files, err := filepath.Glob("../../docs/cookbook/*.yaml")
	if err != nil || len(files) != len(recipes()) {
		t.Fatalf("%d seeds and %d recipes: %v", len(files), len(recipes()), err)
	}
	for _, r := range recipes() {
		t.Run(r.file, func(t *testing.T) {
			if r.needs != "" {
				testbed.NeedsPlugin(t, "auth", r.needs)
			}
			r.run(t, start(t))
		})
	}
}

func (r recipe) run(t *testing.T, b *bed) {
	content, err := os.ReadFile("../../docs/cookbook/" + r.file + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	edits := []string{"/vault/audit", b.dir}
	if r.edits != nil {
		edits = append(edits, r.edits(t, b)...)
	}
	base := strings.NewReplacer(edits...).Replace(string(content))
	l := &ledger{}
	l.run(t, b, parse(t, base))
	if r.use != nil {
		r.use(t, b)
	}
	wantEmpty(t, l.plan(t, b, parse(t, base)))
	if _, writes := l.run(t, b, parse(t, base)); len(writes) > 0 {
		t.Errorf("the rerun wrote %v", writes)
	}

	changed := strings.Replace(base, r.old, r.new, 1)
	if changed == base {
		t.Fatalf("it does not hold %q", r.old)
	}
	if p := l.plan(t, b, parse(t, changed)); p.Count(reconcile.Update) != 1 || p.Count(reconcile.Create)+p.Count(reconcile.Delete) != 0 {
		t.Errorf("one field changed, and the plan says\n%s", text(t, p))
	}
	if _, writes := l.run(t, b, parse(t, changed)); len(writes) != 1 || !sameWrite(writes[0], r.write) {
		t.Errorf("one field changed, and the run wrote %v, want %s", writes, r.write)
	}

	removed := without(t, changed, r.cut)
	if _, writes := l.run(t, b, parse(t, removed)); len(writes) > 0 {
		t.Errorf("without prune a removed object makes %v", writes)
	}
	if _, writes := l.run(t, b, parse(t, "prune: owned\n"+removed)); fmt.Sprint(writes) != "["+r.deleted+"]" {
		t.Errorf("with prune a removed object makes %v, want %s", writes, r.deleted)
	}
	if p := l.plan(t, b, parse(t, "prune: owned\n"+removed)); !p.Empty() {
		t.Errorf("afterwards the plan says\n%s", text(t, p))
	}
}

// sameWrite compares two writes: whether Vault calls one a create or an update depends
// on whether the engine tells the two apart.
func sameWrite(a, b string) bool {
	_, pathA, _ := strings.Cut(a, " ")
	_, pathB, _ := strings.Cut(b, " ")
	return pathA == pathB && !strings.HasPrefix(a, "delete")
}

// without takes the entry that begins with cut out of a YAML text.
func without(t *testing.T, text, cut string) string {
	t.Helper()
	first, _, _ := strings.Cut(cut, "\n")
	depth := len(first) - len(strings.TrimLeft(first, " "))
	begin := strings.Index(text, "\n"+cut)
	if begin < 0 {
		t.Fatalf("it does not hold %q", cut)
	}
	lines := strings.SplitAfter(text[begin+1:], "\n")
	end := begin + 1 + len(lines[0])
	for _, line := range lines[1:] {
		if trimmed := strings.TrimLeft(line, " "); trimmed != "\n" && trimmed != "" && len(line)-len(trimmed) <= depth {
			break
		}
		end += len(line)
	}
	return text[:begin+1] + text[end:]
}
