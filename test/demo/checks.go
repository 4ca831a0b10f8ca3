package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// requests counts the requests in an audit log by what they did: operation → path
// → count.
type requests map[string]map[string]int

func countRequests(log string) (requests, error) {
	file, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	found := requests{}
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<22)
	for scanner.Scan() {
		var entry struct {
			Type    string
			Request struct{ Operation, Path string }
		}
		if err := json.Unmarshal(scanner.Bytes(), &entry); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if entry.Type != "request" {
			continue
		}
		if found[entry.Request.Operation] == nil {
			found[entry.Request.Operation] = map[string]int{}
		}
		found[entry.Request.Operation][entry.Request.Path]++
	}
	return found, scanner.Err()
}

// since returns what came after before.
func (r requests) since(before requests) requests {
	added := requests{}
	for operation, paths := range r {
		for path, count := range paths {
			if count -= before[operation][path]; count > 0 {
				if added[operation] == nil {
					added[operation] = map[string]int{}
				}
				added[operation][path] = count
			}
		}
	}
	return added
}

// harmless are the requests of kind 'update' that change nothing in Vault but the
// run's own token.
var harmless = []string{"auth/approle/login", "sys/capabilities-self", "auth/token/revoke-self"}

// show prints the requests and fails if one of them is a write.
func (r requests) show() error {
	fmt.Println("Vault's own audit log of this run:")
	for _, operation := range slices.Sorted(maps.Keys(r)) {
		paths := slices.Sorted(maps.Keys(r[operation]))
		fmt.Printf("  %-7s %3d  %s\n", operation, len(paths), strings.Join(paths[:min(4, len(paths))], ", "))
		for _, path := range paths {
			if operation != "read" && operation != "list" && !slices.Contains(harmless, path) {
				return fmt.Errorf("the rerun wrote: %s %s", operation, path)
			}
		}
	}
	return nil
}

// record is what the demo reads of the keys record.
type record struct{ Root *struct{ Token string } }

func (d *demo) readKeys() (record, error) {
	content, err := os.ReadFile(filepath.Join(d.store(), "vault-bootstrap-keys.json"))
	if err != nil {
		return record{}, err
	}
	var keys record
	return keys, json.Unmarshal(content, &keys)
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
