package seed

import (
	"context"
	"fmt"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// reader is the part of API that reads.
type reader interface {
	Read(ctx context.Context, path string) (data map[string]any, found bool, err error)
}

// shared reads each path once, however many ask for it. What only one asks for is not
// kept: ten thousand answers are tens of megabytes.
type shared struct {
	api reader
	// once holds the paths that one object is read at.
	once map[string]bool
	mu   sync.Mutex
	got  map[string]func() (map[string]any, bool, error)
}

// Read returns what the first read of path has returned.
func (s *shared) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	if s.once[path] {
		return s.api.Read(ctx, path)
	}
	s.mu.Lock()
	ask, known := s.got[path]
	if !known {
		type sight struct {
			data  map[string]any
			found bool
			err   error
		}
		once := sync.OnceValue(func() sight {
			data, found, err := s.api.Read(ctx, path)
			return sight{data, found, err}
		})
		ask = func() (map[string]any, bool, error) { seen := once(); return seen.data, seen.found, seen.err }
		if s.got == nil {
			s.got = map[string]func() (map[string]any, bool, error){}
		}
		s.got[path] = ask
	}
	s.mu.Unlock()
	return ask()
}

// readOnce returns the paths at which exactly one of the objects is read, and which no
// reference leads to.
func readOnce(objects []Object) map[string]bool {
	once := make(map[string]bool, len(objects))
	for _, o := range objects {
		path := o.readPath()
		_, before := once[path]
		once[path] = !before && (o.Stage == StageRoles || o.Stage == StagePolicies)
	}
	return once
}

// finder answers references that only Vault can answer.
type finder struct {
	reader reader
	// answers holds Vault's answers to the requests of this run.
	answers func(name string) map[string]any
}

// find returns what p stands for in a namespace; found is false when it is not there
// (yet).
func (f finder) find(ctx context.Context, ns string, p part) (text string, found bool, err error) {
	switch p.call {
	case callAccessor:
		for _, listing := range []string{"sys/auth", "sys/mounts"} {
			mounts, _, err := f.reader.Read(ctx, ns+listing)
			if err != nil {
				return "", false, fmt.Errorf("reading %s: %w", ns+listing, err)
			}
			if entry, ok := mounts[trim(p.args[0])+"/"].(map[string]any); ok {
				text, found := entry["accessor"].(string)
				return text, found, nil
			}
		}
		return "", false, nil
	case callEntity, callGroup:
		path := ns + "identity/" + p.call + "/name/" + p.args[0]
		data, _, err := f.reader.Read(ctx, path)
		if err != nil {
			return "", false, fmt.Errorf("reading %s: %w", path, err)
		}
		text, found := data["id"].(string)
		return text, found, nil
	case callVault:
		return f.value(ctx, ns+p.args[0], p.args[1])
	case callAnswer:
		if f.answers == nil {
			return "", false, nil
		}
		text, found := scalarText(dig(f.answers(p.args[0]), p.args[1]))
		return text, found, nil
	}
	return p.text, true, nil
}

// value returns a field of a value in KV.
func (f finder) value(ctx context.Context, path, field string) (string, bool, error) {
	data, found, err := f.reader.Read(ctx, path)
	if err != nil || !found {
		if err != nil {
			err = fmt.Errorf("reading the referenced value %s: %w", path, err)
		}
		return "", false, err
	}
	if inner, ok := data["data"].(map[string]any); ok && data["metadata"] != nil { // version 2
		data = inner
	}
	text, found := scalarText(dig(data, field))
	return text, found, nil
}

// settle returns value with the references answered that can be. What cannot is left
// as it is, after missing was asked about it.
func (f finder) settle(ctx context.Context, ns string, value any, missing func(p part, at Position) error) (any, error) {
	switch value := value.(type) {
	case template:
		return f.template(ctx, ns, value, missing)
	case map[string]any:
		if !pending(value) {
			return value, nil
		}
		out := make(map[string]any, len(value))
		for name, inner := range value {
			settled, err := f.settle(ctx, ns, inner, missing)
			if err != nil {
				return nil, err
			}
			out[name] = settled
		}
		return out, nil
	case []any:
		if !pending(value) {
			return value, nil
		}
		out := make([]any, len(value))
		for i, inner := range value {
			settled, err := f.settle(ctx, ns, inner, missing)
			if err != nil {
				return nil, err
			}
			out[i] = settled
		}
		return out, nil
	case generator:
		return value, nil
	default:
		return value, nil
	}
}

func (f finder) template(ctx context.Context, ns string, t template, missing func(p part, at Position) error) (any, error) {
	out := template{at: t.at, source: t.source, secret: t.secret}
	complete := true
	for _, p := range t.parts {
		text, found, err := f.find(ctx, ns, p)
		if err == nil && !found {
			err = missing(p, t.at)
		}
		if err != nil {
			return nil, err
		}
		if !found {
			out.parts, complete = append(out.parts, p), false
			continue
		}
		out.secret = out.secret || !p.shows()
		out.parts = append(out.parts, part{text: text})
	}
	if complete {
		return out.joined(), nil
	}
	return out, nil
}

// pending reports whether value holds a reference or something yet to be made.
func pending(value any) bool {
	switch value := value.(type) {
	case template, generator:
		return true
	case map[string]any:
		for _, inner := range value {
			if pending(inner) {
				return true
			}
		}
	case []any:
		for _, inner := range value {
			if pending(inner) {
				return true
			}
		}
	}
	return false
}

// generate returns value with everything that is to be made up made.
func generate(ctx context.Context, api reader, ns string, value any) (any, error) {
	switch value := value.(type) {
	case generator:
		if value.policy == "" {
			return value.make()
		}
		path := ns + "sys/policies/password/" + value.policy + "/generate"
		answer, found, err := api.Read(ctx, path)
		if err != nil || !found {
			return nil, fmt.Errorf("generating with the password policy %q: %w", value.policy, orMissing(err, path))
		}
		password, _ := answer["password"].(string)
		return secret.New(password), nil
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			made, err := generate(ctx, api, ns, inner)
			if err != nil {
				return nil, err
			}
			out[name] = made
		}
		return out, nil
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			made, err := generate(ctx, api, ns, inner)
			if err != nil {
				return nil, err
			}
			out[i] = made
		}
		return out, nil
	default:
		return value, nil
	}
}

func orMissing(err error, path string) error {
	if err == nil {
		return fmt.Errorf("%s is not there", path)
	}
	return err
}
