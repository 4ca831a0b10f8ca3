package states

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// missingPrivileges returns the needs that a view's token lacks, as "path: capability". own is the
// name of our policy.
//
// Vault needs about a millisecond for each path that it is asked about. Paths that the same rules
// match have the same capabilities, so it is asked about only one of them.
func missingPrivileges(ctx context.Context, view vault.View, own string, needs []policy.Grant) ([]string, error) {
	rules, err := rulesOf(ctx, view, own)
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
//
// The policy called own is read while Vault looks up the token, since it is nearly always among
// them, and everything else waits for this.
func rulesOf(ctx context.Context, view vault.View, own string) (*acl.Rules, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	early := make(chan carried, 1)
	go func() { early <- readCarried(ctx, view, own) }()
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
	found := make([]carried, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		if name != own {
			group.Go(func() { found[i] = readCarried(ctx, view, name) })
		}
	}
	group.Wait()
	for i, name := range names {
		if name == own {
			found[i] = <-early
		}
		switch {
		case found[i].err != nil:
			return nil, fmt.Errorf("reading the policy %q, which our own token carries: %w", name, found[i].err)
		case found[i].unknown:
			rules.AddUnknown()
		case found[i].text != "": // Vault's policy root is shown as empty
			rules.Add(found[i].text)
		}
	}
	return rules, nil
}

// carried is a policy that a token carries, as far as it could be read.
type carried struct {
	text string
	// unknown means that the token may not read it, that it was removed just now, or that its name
	// changes the meaning of the path.
	unknown bool
	err     error
}

func readCarried(ctx context.Context, view vault.View, name string) carried {
	if strings.Contains(name, "?") {
		return carried{unknown: true}
	}
	data, found, err := view.Read(ctx, "sys/policies/acl/"+name)
	switch {
	case httpstatus.Of(err) == http.StatusForbidden, err == nil && !found:
		return carried{unknown: true}
	case err != nil:
		return carried{err: err}
	}
	text, _ := data["policy"].(string)
	return carried{text: text}
}
