package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// check proves, without the program, that its work is done: restarted servers open
// with the stored shares, no root token is left, and Vault was initialized once.
func (sc *scene) check(ctx context.Context) error {
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if keys.Set == nil {
		return errors.New("done, and no keys are stored")
	}
	state, err := sc.state(ctx)
	if err != nil {
		return err
	}
	if state.State != "hardened" {
		return fmt.Errorf("done, and the checkpoint says %q", state.State)
	}
	if left, _ := filepath.Glob(filepath.Join(sc.spool, "*.spool")); len(left) > 0 {
		return fmt.Errorf("done, and a spool was left: %v", left)
	}
	if err := sc.vault.Stop(); err != nil {
		return err
	}
	for _, node := range sc.vault.Nodes {
		if err := node.Start(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, errors.New("the stored shares do not open Vault in time"))
	defer cancel()
	opened := keys.Set.Vault()
	if err := sc.vault.Unseal(ctx, opened); err != nil {
		return &unopenedError{err}
	}
	active, err := sc.vault.Active(ctx)
	if err != nil {
		return err
	}
	return errors.Join(sc.checkRoots(ctx, active, keys, opened), sc.checkInits())
}

// rootError is a root token that is left.
type rootError struct{ where string }

func (e *rootError) Error() string { return "a root token is left: " + e.where }

// checkRoots looks for root tokens in the record, among those that were ever seen,
// and, with one made from the stored shares, among all tokens of Vault.
func (sc *scene) checkRoots(ctx context.Context, node *testbed.VaultNode, keys driver.KeysRecord, shares testbed.VaultKeys) error {
	if keys.Root != nil {
		return &rootError{"in the keys record"}
	}
	for root := range sc.roots {
		err := node.Call(ctx, http.MethodGet, "auth/token/lookup-self", root, nil, nil)
		if failed, ok := errors.AsType[*testbed.VaultError](err); !ok || failed.Status != http.StatusForbidden {
			return &rootError{fmt.Sprintf("one that was stored answers %v", err)}
		}
	}
	root, err := node.GenerateRoot(ctx, shares)
	if err != nil {
		return fmt.Errorf("making a root token from the stored shares: %w", err)
	}
	sc.note(root)
	defer func() {
		_ = node.Call(context.WithoutCancel(ctx), http.MethodPost, "auth/token/revoke-self", root, nil, nil)
	}()
	if err := node.Call(ctx, http.MethodGet, "sys/policies/acl/app", root, nil, nil); err != nil {
		return fmt.Errorf("the seed is not applied: %w", err)
	}
	if sc.verb.proves != nil {
		if err := sc.verb.proves(ctx, sc, node, root); err != nil {
			return err
		}
	}
	others, err := rootTokens(ctx, node, root)
	if err == nil && others > 0 {
		err = &rootError{fmt.Sprintf("%d in Vault that nobody holds", others)}
	}
	return err
}

// doubleError is an initialization beyond the first.
type doubleError struct{ what string }

func (e *doubleError) Error() string { return "initialized twice: " + e.what }

// checkInits looks at every sys/init that reached a server. Each emptied storage may
// be initialized once; a request that an initialized Vault had to refuse is one
// that must not have been sent.
func (sc *scene) checkInits() error {
	done, refused := 0, 0
	for _, init := range sc.inits() {
		switch {
		case init.status == http.StatusOK:
			done++
		case strings.Contains(init.body, "already initialized"):
			refused++
		}
	}
	if most := 1 + len(sc.lost) + sc.emptied; done > most {
		return &doubleError{fmt.Sprintf("%d times, for %d empty storages", done, most)}
	}
	if refused > 0 && !sc.vaultDied && !sc.lateInit {
		return &doubleError{fmt.Sprintf("%d requests that Vault refused", refused)}
	}
	return nil
}
