package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// rootPath is the path of the tokens that sys/init and generate-root make.
const rootPath = "auth/token/root"

// cleanup is what ending root tokens needs. The listing needs sudo.
func cleanup() []policy.Grant {
	return []policy.Grant{
		{Path: "auth/token/accessors/", Capabilities: []string{"list", "sudo"}},
		{Path: "auth/token/lookup-accessor", Capabilities: []string{"update"}},
		{Path: "auth/token/revoke-accessor", Capabilities: []string{"update"}},
	}
}

// rootTokens returns all root tokens that there are, by what their accessors say. The
// cost grows with the number of tokens of all kinds.
func (b *Bootstrap) rootTokens(ctx context.Context, session *vault.Session) ([]vault.Token, error) {
	return RootTokens(ctx, session, b.Parallelism)
}

// RootTokens returns all root tokens that the session may see, oldest first.
func RootTokens(ctx context.Context, session *vault.Session, parallelism int) ([]vault.Token, error) {
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
		return nil, fmt.Errorf("looking %d tokens up: %w", len(accessors), errs[0])
	}
	slices.SortFunc(found, func(a, b vault.Token) int { return a.Created.Compare(b.Created) })
	return found, nil
}

// RevokeRootTokens ends root tokens, the session's own excepted, and returns those that
// are dead now.
func RevokeRootTokens(ctx context.Context, session *vault.Session, tokens []vault.Token) ([]vault.Token, error) {
	self, err := session.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking our own token up: %w", err)
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
		if _, alive, err := session.Lookup(ctx, token.Accessor); err != nil || alive {
			errs = append(errs, fmt.Errorf("the root token with the accessor %s: %w", token.Accessor, errors.Join(err, errIf(alive, "it still works"))))
			continue
		}
		dead = append(dead, token)
	}
	return dead, errors.Join(errs...)
}
