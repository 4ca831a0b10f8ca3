package seed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/fields"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/names"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// SizeLimit is the limit on all files of a seed together, in bytes. 100,000 policies and roles are
// about 12 MiB.
const SizeLimit = 16 << 20

// Seed is a parsed declaration. References in it are not resolved.
type Seed struct {
	objects  []object.Object
	prune    object.Prune
	warnings []value.Problem
	harden   Harden
	login    declaredLogin
}

// Load reads the seed in paths: YAML files, policies in .hcl files, and directories
// of *.yaml, *.yml and policies/*.hcl, each in the order of their names. A policy in
// an .hcl file is named after the file.
//
// It reports all problems at once, in one fault of kind fault.Seed whose cause is *value.Problems.
func Load(paths []string) (*Seed, error) {
	l := &loader{problems: &value.Problems{}, left: SizeLimit}
	for _, path := range paths {
		l.path(path)
	}
	l.builder.finish(l.problems)
	others := slices.DeleteFunc(slices.Clone(l.builder.objects), plainPolicy)
	unfit := fields.Check(others, l.problems)
	if err := l.problems.Err("Correct the seed at the positions given. Nothing was sent to Vault."); err != nil {
		return nil, err
	}
	s := &Seed{objects: l.builder.objects, prune: l.builder.prune.Prune, harden: l.builder.harden, login: l.builder.login, warnings: l.builder.warnings}
	warnings, err := policy.Check(s.objects)
	for _, o := range s.objects {
		if o.Endpoint == "kubernetes/role" {
			s.warnings = append(s.warnings, withoutAudience(o)...)
		}
	}
	s.warnings = slices.Concat(s.warnings, unfit, warnings)
	if len(others) > 0 {
		s.warnings = append(s.warnings, names.Check(s.objects, s.elsewhere())...)
	}
	return s, err
}

// plainPolicy reports whether o is a policy without references: it has no fields and names nothing.
func plainPolicy(o object.Object) bool {
	_, isText := o.Data["policy"].(string)
	return o.Stage == object.StagePolicies && isText
}

// loader reads files one after another.
type loader struct {
	problems *value.Problems
	builder  builder
	left     int64
}

// path reads a file or directory that the user named.
func (l *loader) path(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.problems.Add(value.Position{File: path}, "reading the seed: %s", reason(err))
	case info.IsDir():
		l.directory(path)
	default:
		l.file(path)
	}
}

func (l *loader) file(path string) {
	content, err := readFile(path, l.left)
	if err != nil {
		if l.left < SizeLimit || strings.Contains(err.Error(), "larger") {
			err = fmt.Errorf("%w (a seed has at most %d MiB)", err, SizeLimit>>20)
		}
		l.problems.Add(value.Position{File: path}, "reading the seed: %s", err)
		return
	}
	l.left -= int64(len(content))
	if !utf8.Valid(content) {
		l.problems.Add(value.Position{File: path}, "the file is not UTF-8 text")
		return
	}
	if name, isPolicy := strings.CutSuffix(filepath.Base(path), ".hcl"); isPolicy {
		l.builder.policyFile(name, string(content), value.Position{File: path, Line: 1, Column: 1}, l.problems)
		return
	}
	if root, ok := lang.Parse(path, content, l.problems); ok {
		l.builder.build(lang.Read(root, l.problems), l.problems)
	}
}

// Objects returns the desired objects with all references resolved. Every
// reference that has no value is reported, in one fault of kind fault.Seed.
func (s *Seed) Objects(ctx context.Context, resolver Resolver) ([]object.Object, error) {
	objects := slices.Clone(s.objects)
	if !slices.ContainsFunc(objects, refers) {
		return objects, nil
	}
	if err := resolve(ctx, resolver, objects); err != nil {
		return nil, err
	}
	return objects, policy.CheckResolved(objects)
}

// refers reports whether o holds a reference, or a value yet to be generated.
func refers(o object.Object) bool {
	return value.Pending(o.Data) || value.Pending(o.Traits.Extra) || o.Traits.Unless != nil && value.Pending(o.Traits.Unless.Value)
}

// readFile returns the content of a regular file of at most limit bytes. A pipe or device is
// refused: reading one could block forever.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return content, nil
}

// reason returns a file error without its path, which our messages name already.
func reason(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// builder turns records into objects.
type builder struct {
	objects []object.Object
	// declaredAt holds where each object is declared, by its canonical ID.
	declaredAt map[object.ID]value.Position
	prune      pruneReader
	// ns is the namespace that is being read, with a trailing slash, or empty.
	ns string
	// requests counts them over all files, since their order matters.
	requests int
	// issuers are the pki engines that others sign, by their paths: whether their requests are added.
	issuers map[string]bool
	// signings counts those requests.
	signings int
	// values are read last, since they need all engines.
	values []func(problems *value.Problems)
	// warnings name what is probably not meant.
	warnings []value.Problem
	harden   Harden
	login    declaredLogin
}

// section builds the objects of some keys.
type section struct {
	keys  string
	build func(b *builder, r lang.Record, problems *value.Problems)
}

// build adds the objects of one file.
func (b *builder) build(r lang.Record, problems *value.Problems) {
	b.contents(r, problems)
	b.sections(r, problems, []section{
		{"namespaces", addNamespaces},
		{"prune purgeUnmanagedConfig tombstones", addPrune},
		{"harden", (*builder).readHarden},
		{"login", (*builder).readLogin},
	})
}

// contents adds the objects of one namespace.
func (b *builder) contents(r lang.Record, problems *value.Problems) {
	b.sections(r, problems, []section{
		{"policies", addPolicies},
		{"password-policies", addPasswordPolicies},
		{"audit", addAudit},
		{"auth", addAuthMethods},
		{"secrets", addSecretsEngines},
		{"tokens", addTokens},
		{"plugins quotas ui-headers cors", addSystem},
		{"entities groups entity-aliases group-aliases", addIdentity},
		{"startupSecrets secretsOnce", addValuesLater},
		{"requests", addRequests},
	})
}

// sections builds the sections of which r has a key.
func (b *builder) sections(r lang.Record, problems *value.Problems, sections []section) {
	for _, each := range sections {
		for key := range strings.FieldsSeq(each.keys) {
			if _, there := r.Values[key]; there {
				each.build(b, r, problems)
				break
			}
		}
	}
}

// addPolicies adds ACL policies.
func addPolicies(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("policies") {
		if name, ok := nameOf(each, "name", value.CheckWholeName, problems); ok {
			b.add(object.Policy(name, each.Values["rules"]), each.At, problems)
		}
	}
}

// nameOf returns the name of r, if check finds nothing wrong with it.
func nameOf(r lang.Record, key string, check func(string) error, problems *value.Problems) (string, bool) {
	name, ok := r.Values[key].(string)
	if !ok { // reported already
		return "", false
	}
	if err := check(name); err != nil {
		problems.Add(r.At, "the name %q cannot be used: %s", name, err)
		return "", false
	}
	return name, true
}

// add adds o, unless it is declared already.
func (b *builder) add(o object.Object, at value.Position, problems *value.Problems) {
	o = o.Within(b.ns)
	o.Position = at
	if first, ok := b.declaredAt[o.CanonicalID()]; ok {
		problems.Add(at, "%s is declared twice, first at %s", o.ID, first)
		return
	}
	if b.declaredAt == nil {
		b.declaredAt = map[object.ID]value.Position{}
	}
	b.declaredAt[o.CanonicalID()] = at
	if len(b.objects) == cap(b.objects) { // append would copy thousands of them again and again
		b.objects = slices.Grow(b.objects, max(64, len(b.objects)))
	}
	b.objects = append(b.objects, o)
}

// finish adds and checks what needs the whole seed.
func (b *builder) finish(problems *value.Problems) {
	for _, add := range b.values {
		add(problems)
	}
	pending := b.has(func(o object.Object) bool { return value.Pending(o.Data) })
	if pending {
		orderByReferences(b.objects, problems)
	}
	if b.has(func(o object.Object) bool { return o.Stage == object.StageAliases }) {
		checkAliases(b.objects, problems)
	}
	if pending {
		b.checkAnswers(problems)
	}
	if b.has(func(o object.Object) bool { return o.IsMount() || o.IsAudit() }) {
		b.checkNesting(problems)
	}
	if len(b.prune.Tombstones) > 0 {
		b.prune.check(b.objects, problems)
	}
}

// has reports whether an object of a kind is declared.
func (b *builder) has(of func(o object.Object) bool) bool { return slices.ContainsFunc(b.objects, of) }
