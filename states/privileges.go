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

// proof is what a token was seen to carry and to lack.
type proof struct {
	// missing are the needs that it lacks, as "path: capability".
	missing []string
	// carried are its policies by name, as far as they could be read.
	carried map[string]carried
}

// proveNeeds finds out which needs a view's token lacks. own are our policies, as they are declared.
//
// Vault needs about a millisecond for each path that it is asked about. Paths that the same rules
// match have the same capabilities, so it is asked about only one of them: at once about those of
// our policy, which is nearly always all that the token carries, and again if it is not.
func proveNeeds(ctx context.Context, view vault.View, own []ownPolicy, needs []policy.Grant) (proof, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	paths := make([]string, 0, len(needs))
	for _, grant := range needs {
		paths = append(paths, grant.Path)
	}
	expected := make(chan capabilities, 1)
	go func() {
		rules := &acl.Rules{}
		for _, each := range own {
			rules.Add(each.text)
		}
		expected <- ask(ctx, view, rules, paths)
	}()
	rules, seen, err := rulesOf(ctx, view, own)
	if err != nil {
		return proof{}, err
	}
	asDeclared := len(seen) == len(own) && !slices.ContainsFunc(own, func(each ownPolicy) bool { return seen[each.name].text != each.text })
	var answer capabilities
	if asDeclared {
		answer = <-expected
	} else {
		answer = ask(ctx, view, rules, paths)
	}
	if answer.err != nil {
		return proof{}, fmt.Errorf("asking for our own capabilities: %w", answer.err)
	}
	asked, granted := answer.asked, answer.granted
	result := proof{carried: seen}
	for _, grant := range needs {
		has := granted[asked[grant.Path]]
		if slices.Contains(has, "root") {
			continue
		}
		for _, capability := range grant.Capabilities {
			if !slices.Contains(has, capability) {
				result.missing = append(result.missing, grant.Path+": "+capability)
			}
		}
	}
	return result, nil
}

// ownPolicy is a policy of our login.
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
// entity and of the entity's groups. A policy that it may not read is unknown.
//
// Our policies are read while Vault looks up the token, since they are nearly always among them, and
// everything else waits for this.
func rulesOf(ctx context.Context, view vault.View, own []ownPolicy) (*acl.Rules, map[string]carried, error) {
	found, mu, group := map[string]carried{}, sync.Mutex{}, sync.WaitGroup{}
	read := func(name string) {
		group.Go(func() {
			seen := readCarried(ctx, view, name)
			mu.Lock()
			defer mu.Unlock()
			found[name] = seen
		})
	}
	for _, each := range own {
		read(each.name)
	}
	rules := &acl.Rules{}
	identity, err := view.Identity(ctx)
	if err == nil && !identity.Elsewhere {
		for _, name := range names(identity) {
			if !slices.ContainsFunc(own, func(each ownPolicy) bool { return each.name == name }) {
				read(name)
			}
		}
	}
	group.Wait()
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("looking up our own token: %w", err)
	case identity.Elsewhere:
		rules.AddUnknown()
		return rules, nil, nil
	}
	carries := map[string]carried{}
	for _, name := range names(identity) {
		carries[name] = found[name]
		switch {
		case found[name].err != nil:
			return nil, nil, fmt.Errorf("reading the policy %q, which our own token carries: %w", name, found[name].err)
		case found[name].unknown:
			rules.AddUnknown()
		case found[name].text != "": // Vault's policy root is shown as empty
			rules.Add(found[name].text)
		}
	}
	return rules, carries, nil
}

// names returns the names of the policies that a token carries, each once.
func names(identity vault.Identity) []string {
	names := slices.Concat(identity.Policies, identity.IdentityPolicies)
	slices.Sort(names)
	return slices.Compact(names)
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
