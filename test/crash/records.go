package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// records are where a case keeps its records, read without the program's own code.
type records interface {
	// flags name the place to the program.
	flags() []string
	// read returns a record, "keys" or "state", as it is stored, and its revision;
	// nothing where there is none.
	read(ctx context.Context, record string) (content []byte, revision string, err error)
	// putBack replaces a record's content.
	putBack(ctx context.Context, record string, content []byte) error
	// remove removes a record.
	remove(ctx context.Context, record string) error
}

// fileRecords are files in a directory.
type fileRecords string

func (f fileRecords) flags() []string { return []string{"--store=file:" + string(f)} }

func (f fileRecords) read(_ context.Context, record string) ([]byte, string, error) {
	content, err := os.ReadFile(driver.RecordFile(string(f), record))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	sum := sha256.Sum256(content)
	return content, hex.EncodeToString(sum[:]), err
}

func (f fileRecords) remove(_ context.Context, record string) error {
	return os.Remove(driver.RecordFile(string(f), record))
}

// kubeRecords are Secrets in a namespace.
type kubeRecords struct {
	kube       *kubernetes
	namespace  string
	kubeconfig string
}

func (k kubeRecords) flags() []string { return []string{"--kubeconfig=" + k.kubeconfig} }

func (k kubeRecords) read(ctx context.Context, record string) ([]byte, string, error) {
	found, err := k.kube.plane.Client.CoreV1().Secrets(k.namespace).Get(ctx, "vault-bootstrap-"+record, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return found.Data[record+".json"], found.ResourceVersion, nil
}

func (k kubeRecords) remove(ctx context.Context, record string) error {
	return k.kube.plane.Client.CoreV1().Secrets(k.namespace).Delete(ctx, "vault-bootstrap-"+record, metav1.DeleteOptions{})
}

// answered reports whether anything that Vault has answered to sys/init is on record.
func answered(keys driver.KeysRecord) bool {
	return keys.Set != nil || slices.ContainsFunc(keys.Attempts(), func(a driver.Attempt) bool { return a.Answer != nil })
}

// stateRecord is what it reads of the checkpoint.
type stateRecord struct {
	State   string
	History []struct{ Event string }
}

func (s stateRecord) count(event string) int {
	count := 0
	for _, each := range s.History {
		if each.Event == event {
			count++
		}
	}
	return count
}

func (sc *scene) keys(ctx context.Context) (keys driver.KeysRecord, err error) {
	content, _, err := sc.records.read(ctx, "keys")
	if err == nil && len(content) > 0 {
		sc.note(testbed.SecretsIn(content)...)
		keys, err = driver.ParseKeys(content)
	}
	if err != nil {
		return keys, err
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if keys.Root != nil {
		sc.roots[keys.Root.Token] = true
	}
	if keys.BreakGlass != nil && keys.BreakGlass.Token != "" {
		sc.roots[keys.BreakGlass.Token] = true
	}
	return keys, nil
}

func (sc *scene) state(ctx context.Context) (state stateRecord, err error) {
	content, _, err := sc.records.read(ctx, "state")
	if err == nil && len(content) > 0 {
		err = json.Unmarshal(content, &state)
	}
	if err != nil {
		return state, fmt.Errorf("reading the checkpoint: %w", err)
	}
	return state, nil
}

// revisions names the versions of both records.
func (sc *scene) revisions(ctx context.Context) (string, error) {
	_, keys, err := sc.records.read(ctx, "keys")
	if err != nil {
		return "", err
	}
	_, state, err := sc.records.read(ctx, "state")
	return "keys " + keys + ", state " + state, err
}
