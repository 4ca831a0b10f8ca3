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

// missingPrivileges returns the needs that a view's token lacks, as "path: capability". own is our
// policy, as it is declared.
//
// Vault needs about a millisecond for each path that it is asked about. Paths that the same rules
// match have the same capabilities, so it is asked about only one of them: at once about those of
// our policy, which is nearly always all that the token carries, and again if it is not.
func missingPrivileges(ctx context.Context, view vault.View, own ownPolicy, needs []policy.Grant) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	paths := make([]string, 0, len(needs))
	for _, grant := range needs {
		paths = append(paths, grant.Path)
	}
	expected := make(chan capabilities, 1)
	go func() {
		rules := &acl.Rules{}
		rules.Add(own.text)
		expected <- ask(ctx, view, rules, paths)
	}()
	rules, asDeclared, err := rulesOf(ctx, view, own)
	if err != nil {
		return nil, err
	}
	var answer capabilities
	if asDeclared {
		answer = <-expected
	} else {
		answer = ask(ctx, view, rules, paths)
	}
	if answer.err != nil {
		return nil, fmt.Errorf("asking for our own capabilities: %w", answer.err)
	}
	asked, granted := answer.asked, answer.granted
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

// ownPolicy is the policy of our login.
type ownPolicy struct{ name, text string }

// capabilities is what Vault says about paths: asked names the one that stands for each.
type capabilities struct {
	asked   map[string]string
	granted map[string][]string
	err     error
}

func ask(ctx context.Context, view vault.View, rules *acl.Rules, paths []string) capabilities {
	asked, all := rules.Representatives(paths)
	granted, err := view.Capabilities(ctx, all)
	return capabilities{asked, granted, err}
}

// rulesOf returns the rules of all policies that a view's token carries: those of its role, of its
// entity and of the entity's groups. A policy that it may not read is unknown. asDeclared is
// whether they are those of our policy as it is declared, and no others.
//
// Our policy is read while Vault looks up the token, since it is nearly always among them, and
// everything else waits for this.
func rulesOf(ctx context.Context, view vault.View, own ownPolicy) (_ *acl.Rules, asDeclared bool, _ error) {
	early := make(chan carried, 1)
	go func() { early <- readCarried(ctx, view, own.name) }()
	rules := &acl.Rules{}
	identity, err := view.Identity(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("looking up our own token: %w", err)
	}
	if identity.Elsewhere {
		rules.AddUnknown()
		return rules, false, nil
	}
	names := slices.Concat(identity.Policies, identity.IdentityPolicies)
	slices.Sort(names)
	names = slices.Compact(names)
	found := make([]carried, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		if name != own.name {
			group.Go(func() { found[i] = readCarried(ctx, view, name) })
		}
	}
	group.Wait()
	for i, name := range names {
		if name == own.name {
			found[i] = <-early
		}
		switch {
		case found[i].err != nil:
			return nil, false, fmt.Errorf("reading the policy %q, which our own token carries: %w", name, found[i].err)
		case found[i].unknown:
			rules.AddUnknown()
		case found[i].text != "": // Vault's policy root is shown as empty
			rules.Add(found[i].text)
		}
	}
	return rules, len(names) == 1 && names[0] == own.name && found[0].text == own.text, nil
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
