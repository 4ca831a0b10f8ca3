package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// rootPath is the path of the tokens that sys/init and generate-root create.
const rootPath = "auth/token/root"

// Grants are the privileges that revoking root tokens needs. Listing needs sudo.
func Grants() []policy.Grant {
	return []policy.Grant{
		{Path: "auth/token/accessors/", Capabilities: []string{"list", "sudo"}},
		{Path: "auth/token/lookup-accessor", Capabilities: []string{"update"}},
		{Path: "auth/token/revoke-accessor", Capabilities: []string{"update"}},
	}
}

// rootTokens returns all root tokens that the session may see, oldest first.
func rootTokens(ctx context.Context, session *vault.Session, parallelism int) ([]vault.Token, error) {
	accessors, err := session.Accessors(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the accessors of all tokens: %w", err)
	}
	var mu sync.Mutex
	var found []vault.Token
	var errs []error
	var group sync.WaitGroup
	slots := make(chan struct{}, max(parallelism, 1))
	for _, accessor := range accessors {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			token, alive, err := session.Lookup(ctx, accessor)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
			if alive && token.Root() {
				found = append(found, token)
			}
		})
	}
	group.Wait()
	if len(errs) > 0 {
		return nil, fmt.Errorf("looking up %d tokens: %w", len(accessors), errs[0])
	}
	slices.SortFunc(found, func(a, b vault.Token) int { return a.Created.Compare(b.Created) })
	return found, nil
}

// revokeRootTokens revokes root tokens, except for the session's own, and returns those that are
// dead now.
func revokeRootTokens(ctx context.Context, session *vault.Session, tokens []vault.Token) ([]vault.Token, error) {
	self, err := session.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking up our own token: %w", err)
	}
	var dead []vault.Token
	var errs []error
	for _, token := range tokens {
		if token.Accessor == self.Accessor {
			continue
		}
		if err := session.RevokeAccessor(ctx, token.Accessor); err != nil {
			errs = append(errs, fmt.Errorf("revoking the root token with the accessor %s: %w", token.Accessor, err))
			continue
		}
		_, alive, err := session.Lookup(ctx, token.Accessor)
		if alive {
			err = errors.Join(err, errors.New("it still works"))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the root token with the accessor %s: %w", token.Accessor, err))
			continue
		}
		dead = append(dead, token)
	}
	return dead, errors.Join(errs...)
}
