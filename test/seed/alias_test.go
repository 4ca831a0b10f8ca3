package seed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// renaming is a seed with an alias of an entity and one of a group.
const renaming = "auth: [{type: userpass}]\nentities: [{name: Gäb}]\ngroups: [{name: g, type: external}]\n" +
	"entity-aliases: [{name: %q, mountpath: userpass, entity: Gäb}]\ngroup-aliases: [{name: %q, mountpath: userpass, group: g}]\n"

// TestRenamedAlias renames an alias of an entity and one of a group. The plan shows two updates
// and nothing else, under names as people write them; that is what is sent; and afterwards the
// aliases are still ours, with and without pruning in between.
func TestRenamedAlias(t *testing.T) {
	b := startServer(t)
	for _, prune := range []string{"", "prune: owned\n"} {
		l := &ledger{}
		l.run(t, b, parse(t, prune+fmt.Sprintf(renaming, "Ü=1/b", "admins")))
		renamed := parse(t, prune+fmt.Sprintf(renaming, "Gb ü", "ops"))
		p := l.plan(t, b, renamed)
		if got := text(t, p); p.Count(reconcile.Delete) != 0 || p.Count(reconcile.Update) != 2 || !strings.Contains(got, "~ identity/entity-alias/Gäb/Gb ü/userpass") {
			t.Errorf("%q: the plan says\n%s", prune, got)
		}
		if _, writes := l.run(t, b, renamed); fmt.Sprint(writes) != "[update identity/entity-alias update identity/group-alias]" {
			t.Errorf("%q: wrote %v", prune, writes)
		}
		for _, name := range []string{"identity/entity-alias/Gäb/Gb ü/userpass", "identity/group-alias/g/ops/userpass"} {
			if !slices.ContainsFunc(l.owned, func(id object.ID) bool { return id.String() == name }) {
				t.Errorf("%q: %s is not ours any more: %v", prune, name, l.owned)
			}
		}
		bare, _, _ := strings.Cut(renaming, "entity-aliases")
		_, writes := l.run(t, b, parse(t, "prune: owned\n"+bare))
		if len(writes) != 2 || !strings.HasPrefix(writes[0], "delete identity/entity-alias/id/") || !strings.HasPrefix(writes[1], "delete identity/group-alias/id/") {
			t.Errorf("%q: taken out of the seed: %v", prune, writes)
		}
	}
}
