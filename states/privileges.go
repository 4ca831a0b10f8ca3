package states

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// missingPrivileges returns the needs that a view's token lacks, as "path: capability".
//
// Vault needs about a millisecond for each path that it is asked about. Paths that the same rules
// match have the same capabilities, so it is asked about only one of them.
func missingPrivileges(ctx context.Context, view vault.View, needs []policy.Grant) ([]string, error) {
	rules, err := rulesOf(ctx, view)
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(needs))
	for _, grant := range needs {
		paths = append(paths, grant.Path)
	}
	asked, all := rules.Representatives(paths)
	granted, err := view.Capabilities(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("asking for our own capabilities: %w", err)
	}
	var missing []string
	for _, grant := range needs {
		has := granted[asked[grant.Path]]
		if slices.Contains(has, "root") {
			continue
		}
		for _, capability := range grant.Capabilities {
			if !slices.Contains(has, capability) {
				missing = append(missing, grant.Path+": "+capability)
			}
		}
	}
	return missing, nil
}

// rulesOf returns the rules of all policies that a view's token carries: those of its role, of its
// entity and of the entity's groups. A policy that it may not read is unknown.
func rulesOf(ctx context.Context, view vault.View) (*acl.Rules, error) {
	rules := &acl.Rules{}
	identity, err := view.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking up our own token: %w", err)
	}
	if identity.Elsewhere {
		rules.AddUnknown()
		return rules, nil
	}
	names := slices.Concat(identity.Policies, identity.IdentityPolicies)
	slices.Sort(names)
	names = slices.Compact(names)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		group.Go(func() error {
			data, found, err := view.Read(ctx, "sys/policies/acl/"+name)
			mu.Lock()
			defer mu.Unlock()
			switch text, _ := data["policy"].(string); {
			case httpstatus.Of(err) == http.StatusForbidden, err == nil && !found, strings.Contains(name, "?"):
				// It was removed just now, or its name changes the meaning of the path.
				rules.AddUnknown()
			case err != nil:
				return fmt.Errorf("reading the policy %q, which our own token carries: %w", name, err)
			case text != "": // Vault's policy root is shown as empty
				rules.Add(text)
			}
			return nil
		})
	}
	return rules, group.Wait()
}
