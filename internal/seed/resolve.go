package seed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Resolver resolves references, as far as that is possible without Vault.
type Resolver struct {
	// Env looks an environment variable up. Only the command reads the environment, so it passes in
	// this function; nil knows no variables.
	Env func(name string) (value string, found bool)
	// Secret and ConfigMap return the data of a Kubernetes object in our namespace; they are nil if
	// there is no Kubernetes. Each object is read once.
	Secret, ConfigMap func(ctx context.Context, name string) (map[string][]byte, error)
	// Own describes a variable, file or Secret that holds a record or credential of the program
	// itself, which no seed may read; it returns "" for any other. nil knows none.
	Own func(kind ReferenceKind, name string) string
}

// ReferenceKind is what a reference refers to.
type ReferenceKind int

// The kinds whose values may be secrets of ours.
const (
	ReferenceEnv ReferenceKind = iota
	ReferenceFile
	ReferenceSecret
)

// refuse returns an error if a reference names something of the program's own.
func (r *resolving) refuse(kind ReferenceKind, title, name string) error {
	if r.Own == nil {
		return nil
	}
	what := r.Own(kind, name)
	if what == "" {
		return nil
	}
	r.refused = true
	return fmt.Errorf("the %s %q is %s, which a seed may not read", title, name, what)
}

// remedy says what to do about references without a value.
func (r *resolving) remedy(missing string) string {
	if !r.refused {
		return missing
	}
	return "Records and credentials of this program stay out of a seed: put the value that you need into a variable, file or Secret of its own, and refer to that."
}

// referenceLimit is the largest file that a reference may name.
const referenceLimit = 1 << 20

// resolving is one pass over all objects.
type resolving struct {
	Resolver
	ctx      context.Context
	problems *value.Problems
	fetched  map[string]fetched
	// trouble is an error that may pass, such as a network error.
	trouble error
	// refused is whether a reference named something of our own.
	refused bool
}

// fetched is a Kubernetes object, or why it could not be read.
type fetched struct {
	data map[string][]byte
	err  error
}

// resolve returns data with every template replaced by a secret.Value, or by what is left for Vault
// to answer. What comes from outside counts as sensitive, since the seed's author kept it out of
// the seed.
func (r *resolving) resolve(data map[string]any) map[string]any {
	if !value.Pending(data) { // most need no copy
		return data
	}
	out := make(map[string]any, len(data))
	for name, value := range data {
		out[name] = r.value(value)
	}
	return out
}

func (r *resolving) value(v any) any {
	switch v := v.(type) {
	case value.Template:
		return r.template(v)
	case map[string]any:
		return r.resolve(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = r.value(item)
		}
		return out
	default:
		return v
	}
}

// template returns what t stands for.
func (r *resolving) template(t value.Template) any {
	out := value.Template{At: t.At, Source: t.Source, Secret: t.Secret}
	left := false
	for _, p := range t.Parts {
		if !p.Local() {
			out.Parts, left = append(out.Parts, p), true
			continue
		}
		text, err := r.part(p, t.At)
		if err != nil {
			r.problems.Add(t.At, "%s", err)
			return secret.Value{}
		}
		out.Secret = out.Secret || !p.Shows()
		out.Parts = append(out.Parts, value.Part{Text: text})
	}
	if left {
		return out
	}
	return out.Joined()
}

// part returns the text of a call that needs no Vault.
func (r *resolving) part(p value.Part, at value.Position) (string, error) {
	switch p.Call {
	case value.CallEnv:
		if err := r.refuse(ReferenceEnv, "environment variable", p.Args[0]); err != nil {
			return "", err
		}
		value, found := "", false
		if r.Env != nil {
			value, found = r.Env(p.Args[0])
		}
		if !found {
			return "", fmt.Errorf("the environment variable %q is not set", p.Args[0])
		}
		return value, nil
	case value.CallFile:
		path := referencePath(p.Args[0], at.File)
		if err := r.refuse(ReferenceFile, "referenced file", path); err != nil {
			return "", err
		}
		return readReference(path)
	case value.CallSecret:
		if err := r.refuse(ReferenceSecret, "Secret", p.Args[0]); err != nil {
			return "", err
		}
		return r.fromKubernetes("Secret", r.Secret, p.Args[0], p.Args[1])
	case value.CallConfigMap:
		return r.fromKubernetes("ConfigMap", r.ConfigMap, p.Args[0], p.Args[1])
	}
	return p.Text, nil
}

func (r *resolving) fromKubernetes(kind string, fetch func(context.Context, string) (map[string][]byte, error), name, key string) (string, error) {
	if fetch == nil {
		return "", fmt.Errorf("the %s %q cannot be read: the records are not in Kubernetes (--store), so no cluster is known", kind, name)
	}
	object, known := r.fetched[kind+"/"+name]
	if !known {
		object.data, object.err = fetch(r.ctx, name)
		if r.fetched == nil {
			r.fetched = map[string]fetched{}
		}
		r.fetched[kind+"/"+name] = object
	}
	if object.err != nil {
		if fault.KindOf(object.err) == fault.Transient {
			r.trouble = object.err
		}
		return "", fmt.Errorf("reading the %s %q: %w. %s", kind, name, object.err, fault.RemedyOf(object.err))
	}
	value, found := object.data[key]
	if !found {
		return "", fmt.Errorf("the %s %q has no key %q", kind, name, key)
	}
	if !utf8.Valid(value) {
		return "", fmt.Errorf("the key %q of the %s %q is not UTF-8 text", key, kind, name)
	}
	return string(value), nil
}

// referencePath returns path, which is relative to the seed file that names it.
func referencePath(path, seedFile string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(seedFile), path)
}

// readReference returns the content of the file at path.
func readReference(path string) (string, error) {
	content, err := readFile(path, referenceLimit)
	if err == nil && !utf8.Valid(content) {
		err = errors.New("not UTF-8 text")
	}
	if err != nil {
		return "", fmt.Errorf("reading the referenced file %q: %w", path, err)
	}
	return string(content), nil
}

// resolve resolves the references in objects.
func resolve(ctx context.Context, resolver Resolver, objects []object.Object) error {
	r := &resolving{Resolver: resolver, ctx: ctx, problems: &value.Problems{}}
	for i := range objects {
		o := &objects[i]
		o.Data = r.resolve(o.Data)
		if o.Traits.Extra != nil {
			o.Traits.Extra = r.resolve(o.Traits.Extra)
		}
		if unless := o.Traits.Unless; unless != nil && unless.Value != nil {
			resolved := *unless
			resolved.Value = r.value(unless.Value)
			o.Traits.Unless = &resolved
		}
	}
	if r.trouble != nil {
		return r.trouble
	}
	return r.problems.Err(r.remedy("Set the variable or provide the file or object where this program runs, or correct the reference."))
}
