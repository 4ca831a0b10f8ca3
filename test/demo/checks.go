package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// show prints what a run has asked of Vault, by operation, and fails if a request is a write.
func show(made driver.Audit) error {
	fmt.Println("Vault's own audit log of this run:")
	paths := map[string][]string{}
	for _, each := range made.Requests() {
		paths[each.Request.Operation] = append(paths[each.Request.Operation], each.Request.Path)
	}
	for _, operation := range slices.Sorted(maps.Keys(paths)) {
		slices.Sort(paths[operation])
		distinct := slices.Compact(paths[operation])
		fmt.Printf("  %-7s %3d  %s\n", operation, len(distinct), strings.Join(distinct[:min(4, len(distinct))], ", "))
	}
	if writes := made.Writes("approle"); len(writes) > 0 {
		return fmt.Errorf("the rerun wrote: %s", strings.Join(writes, ", "))
	}
	return nil
}

func (d *demo) readKeys() (driver.KeysRecord, error) {
	content, err := os.ReadFile(driver.RecordFile(d.store(), "keys"))
	if err != nil {
		return driver.KeysRecord{}, err
	}
	return driver.ParseKeys(content)
}

// watchRoot catches the root token while it is in the store, to show later that it
// is dead.
func (d *demo) watchRoot(ctx context.Context) <-chan string {
	caught := make(chan string, 1)
	go func() {
		_ = testbed.Poll(ctx, 2*time.Millisecond, "the root token", func(context.Context) error {
			keys, err := d.readKeys()
			if err != nil || keys.Root == nil {
				return errors.New("not there yet")
			}
			caught <- keys.Root.Token
			return nil
		})
	}()
	return caught
}

// checks shows that root is gone.
func (d *demo) checks(ctx context.Context) error {
	step("Is root gone?")
	keys, err := d.readKeys()
	if err != nil {
		return err
	}
	if keys.Root != nil {
		return errors.New("the store holds a root token")
	}
	fmt.Println("The store holds no root token.")
	select {
	case root := <-d.root:
		err := d.cluster.Nodes[0].Call(ctx, http.MethodGet, "auth/token/lookup-self", root, nil, nil)
		failed, ok := errors.AsType[*testbed.VaultError](err)
		if !ok || failed.Status != http.StatusForbidden {
			return fmt.Errorf("the old root token gets %w, want 403", err)
		}
		fmt.Println("The first run's root token gets 403.")
		return nil
	default:
		return errors.New("the first run's root token was never seen in the store")
	}
}
