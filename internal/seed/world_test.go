package seed_test

import (
	"context"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
)

// world is an API that answers from a map and does nothing else. It exists for what
// a real Vault does not do on command: fail at one path, mask a value, answer 405.
// The suite in test/seed runs against real servers.
type world struct {
	mu sync.Mutex
	// data is what reads answer; other paths are 404.
	data map[string]map[string]any
	// fail is the error of a call at a path.
	fail map[string]error
	// store keeps writes so that reads show them, through show.
	store bool
	show  func(path string, data map[string]any) map[string]any

	// answers are what writes are answered with.
	answers map[string]map[string]any

	reads, writes, deletes []string
	bodies                 map[string]map[string]any
}

func (w *world) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads = append(w.reads, path)
	if err := w.fail["read "+path]; err != nil {
		return nil, false, err
	}
	data, found := w.data[path]
	return data, found, ctx.Err()
}

func (w *world) Fields(context.Context, string) ([]string, error) { return nil, nil }

func (w *world) Deletable(context.Context, string) (bool, error) { return true, nil }

func (w *world) Put(_ context.Context, path string, data map[string]any) (map[string]any, []string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, path)
	if err := w.fail[path]; err != nil {
		return nil, nil, err
	}
	if w.bodies == nil {
		w.bodies = map[string]map[string]any{}
	}
	w.bodies[path] = data
	if w.store && !strings.HasPrefix(path, "sys/auth/") && !strings.HasPrefix(path, "sys/mounts/") {
		if w.data == nil {
			w.data = map[string]map[string]any{}
		}
		w.data[path] = data
		if w.show != nil {
			w.data[path] = w.show(path, data)
		}
	}
	return w.answers[path], nil, nil
}

func (w *world) Delete(_ context.Context, path string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deletes = append(w.deletes, path)
	return w.fail["delete "+path]
}

// refusal is an answer of Vault.
type refusal struct {
	code int
	text string
}

func (r refusal) Error() string   { return r.text }
func (r refusal) HTTPStatus() int { return r.code }

var _ httpstatus.Error = refusal{}
