package reconcile

import (
	"context"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// finder resolves references that only Vault can resolve.
type finder struct {
	reader reader
	// answers returns Vault's answers to the requests of this run.
	answers func(name string) map[string]any
}

// find returns what p refers to in a namespace; found is false if that does not exist (yet).
func (f finder) find(ctx context.Context, ns string, p value.Part) (text string, found bool, err error) {
	switch p.Call {
	case value.CallAccessor:
		for _, listing := range []string{"sys/auth", "sys/mounts"} {
			mounts, _, err := f.reader.Read(ctx, ns+listing)
			if err != nil {
				return "", false, fmt.Errorf("reading %s: %w", ns+listing, err)
			}
			if entry, ok := mounts[value.TrimPath(p.Args[0])+"/"].(map[string]any); ok {
				text, found := entry["accessor"].(string)
				return text, found, nil
			}
		}
		return "", false, nil
	case value.CallEntity, value.CallGroup:
		path := ns + "identity/" + p.Call + "/name/" + p.Args[0]
		data, _, err := f.reader.Read(ctx, path)
		if err != nil {
			return "", false, fmt.Errorf("reading %s: %w", path, err)
		}
		text, found := data["id"].(string)
		return text, found, nil
	case value.CallVault:
		return f.value(ctx, ns+p.Args[0], p.Args[1])
	case value.CallAnswer:
		if f.answers == nil {
			return "", false, nil
		}
		text, found := value.ScalarText(value.Dig(f.answers(p.Args[0]), p.Args[1]))
		return text, found, nil
	}
	return p.Text, true, nil
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
	text, found := value.ScalarText(value.Dig(data, field))
	return text, found, nil
}

// settle returns value with its references resolved. What cannot be resolved yet stays as it is,
// unless missing returns an error for it.
func (f finder) settle(ctx context.Context, ns string, v any, missing func(p value.Part, at value.Position) error) (any, error) {
	switch v := v.(type) {
	case value.Template:
		return f.template(ctx, ns, v, missing)
	case map[string]any:
		if !value.Pending(v) {
			return v, nil
		}
		out := make(map[string]any, len(v))
		for name, inner := range v {
			settled, err := f.settle(ctx, ns, inner, missing)
			if err != nil {
				return nil, err
			}
			out[name] = settled
		}
		return out, nil
	case []any:
		if !value.Pending(v) {
			return v, nil
		}
		out := make([]any, len(v))
		for i, inner := range v {
			settled, err := f.settle(ctx, ns, inner, missing)
			if err != nil {
				return nil, err
			}
			out[i] = settled
		}
		return out, nil
	case value.Generator:
		return v, nil
	default:
		return v, nil
	}
}

func (f finder) template(ctx context.Context, ns string, t value.Template, missing func(p value.Part, at value.Position) error) (any, error) {
	out := value.Template{At: t.At, Source: t.Source, Secret: t.Secret}
	complete := true
	for _, p := range t.Parts {
		text, found, err := f.find(ctx, ns, p)
		if err == nil && !found {
			err = missing(p, t.At)
		}
		if err != nil {
			return nil, err
		}
		if !found {
			out.Parts, complete = append(out.Parts, p), false
			continue
		}
		out.Secret = out.Secret || !p.Shows()
		out.Parts = append(out.Parts, value.Part{Text: text})
	}
	if complete {
		return out.Joined(), nil
	}
	return out, nil
}

// generate returns value with every Generator replaced by a new value.
func generate(ctx context.Context, api reader, ns string, v any) (any, error) {
	switch v := v.(type) {
	case value.Generator:
		if v.Policy == "" {
			return v.Make()
		}
		path := ns + "sys/policies/password/" + v.Policy + "/generate"
		answer, found, err := api.Read(ctx, path)
		if err != nil || !found {
			return nil, fmt.Errorf("generating with the password policy %q: %w", v.Policy, orMissing(err, path))
		}
		password, _ := answer["password"].(string)
		return secret.New(password), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			made, err := generate(ctx, api, ns, inner)
			if err != nil {
				return nil, err
			}
			out[name] = made
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			made, err := generate(ctx, api, ns, inner)
			if err != nil {
				return nil, err
			}
			out[i] = made
		}
		return out, nil
	default:
		return v, nil
	}
}

func orMissing(err error, path string) error {
	if err == nil {
		return fmt.Errorf("%s is not there", path)
	}
	return err
}
