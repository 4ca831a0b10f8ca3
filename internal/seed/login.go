package seed

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/names"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// LoginMethod is one way in which later runs log in, as a seed declares it. Omitted fields are
// empty. It names files and identities; no field holds a secret.
type LoginMethod struct {
	// Method is one of LoginMethods.
	Method string
	// Path is the mount of the auth method.
	Path string
	// TokenFile, PasswordFile and CAFile are absolute, or relative to the directory of the seed.
	TokenFile, PasswordFile, CAFile string
	// Audience, KubernetesHost, Principal and Region are as the flags of the login.
	Audience, KubernetesHost, Principal, Region string
	// Position is its position in the seed.
	Position value.Position
}

// declaredLogin is the section login of a seed, with its references.
type declaredLogin struct {
	methods []lang.Record
	at      value.Position
}

// readLogin reads the section login, which one file of a seed may hold.
func (b *builder) readLogin(r lang.Record, problems *value.Problems) {
	methods := r.Records("login")
	if len(methods) == 0 {
		return
	}
	at := r.Positions["login"]
	if len(b.login.methods) > 0 {
		problems.Add(at, "duplicate section login, first at %s", b.login.at)
		return
	}
	b.login = declaredLogin{methods: methods, at: at}
	var seen, paths []string
	for _, each := range methods {
		method := each.Text("method")
		if method == "" {
			continue // reported already
		}
		if slices.Contains(seen, method) {
			problems.Add(each.At, "duplicate login method %q", method)
		}
		seen = append(seen, method)
		path := cmp.Or(strings.Trim(each.Text("path"), "/"), method)
		if slices.Contains(paths, path) {
			problems.Add(each.At, "two login methods are at the path %q", path)
		}
		paths = append(paths, path)
		checkLogin(each, method, problems)
	}
}

// checkLogin compares an entry with the keys that its method takes.
func checkLogin(each lang.Record, method string, problems *value.Problems) {
	row := lang.LoginTable()[slices.Index(lang.LoginMethods(), method)]
	for _, name := range lang.LoginKeys() {
		value, given := each.Values[name]
		switch {
		case !given && slices.Contains(row.Must, name):
			problems.Add(each.At, "the login method %q needs the key %q", method, name)
		case given && !slices.Contains(row.Takes, name):
			problems.Add(each.Positions[name], "the login method %q does not take the key %q; it takes %s", method, name, strings.Join(row.Takes, ", "))
		case given && value == "":
			problems.Add(each.Positions[name], "the key %q is empty: omit it for its default", name)
		case given && looksLikeToken(value):
			problems.Add(each.Positions[name], "%q holds a token instead of the name of a file: put the token into a file, and revoke this one, since it was written down here", name)
		case given && !plainReference(value):
			problems.Add(each.Positions[name], "%q may refer to env and configMapKeyRef only: it is not a secret", name)
		}
	}
	if path := strings.Trim(each.Text("path"), "/"); path != "" {
		if err := value.CheckPath(path); err != nil {
			problems.Add(each.Positions["path"], "the path %q cannot be used: %s", path, err)
		}
	}
}

// looksLikeToken reports whether value begins as Vault's tokens and JSON Web Tokens do.
func looksLikeToken(value any) bool {
	written, _ := value.(string)
	return slices.ContainsFunc([]string{"hvs.", "hvb.", "eyJ"}, func(beginning string) bool { return strings.HasPrefix(written, beginning) })
}

// plainReference reports whether value refers only to what is not secret, and is available before
// Vault is.
func plainReference(v any) bool {
	t, refers := v.(value.Template)
	if !refers {
		return true
	}
	return !slices.ContainsFunc(t.Parts, func(p value.Part) bool {
		return p.Call != "" && p.Call != value.CallEnv && p.Call != value.CallConfigMap
	})
}

// LoginPaths returns the section login with what is known before references are resolved:
// method, path and position.
func (s *Seed) LoginPaths() []LoginMethod {
	found := make([]LoginMethod, 0, len(s.login.methods))
	for _, each := range s.login.methods {
		found = append(found, LoginMethod{Method: each.Text("method"), Path: strings.Trim(each.Text("path"), "/"), Position: each.At})
	}
	return found
}

// elsewhere returns what exists beside a seed because the program logs in with it, by the names that it
// usually has: flags may choose others.
func (s *Seed) elsewhere() names.Elsewhere {
	known := names.Elsewhere{AuthMethods: lang.LoginMethods(), Policies: []string{"vault-bootstrap", "vault-bootstrap-read", "vault-bootstrap-seed"}}
	for _, each := range s.LoginPaths() {
		known.AuthMethods = append(known.AuthMethods, each.Path)
	}
	return known
}

// Login returns the section login with its references resolved, or nothing if there is none.
func (s *Seed) Login(ctx context.Context, resolver Resolver) ([]LoginMethod, error) {
	r := &resolving{Resolver: resolver, ctx: ctx, problems: &value.Problems{}}
	found := s.LoginPaths()
	for i := range found {
		each := s.login.methods[i]
		for name, field := range map[string]*string{
			"audience": &found[i].Audience, "kubernetes_host": &found[i].KubernetesHost, "principal": &found[i].Principal, "region": &found[i].Region,
			"token_file": &found[i].TokenFile, "password_file": &found[i].PasswordFile, "ca_file": &found[i].CAFile,
		} {
			*field = r.plainText(each.Values[name])
			if strings.HasSuffix(name, "_file") && *field != "" && !filepath.IsAbs(*field) {
				*field = filepath.Join(filepath.Dir(each.At.File), *field)
			}
		}
	}
	if r.trouble != nil {
		return nil, r.trouble
	}
	return found, r.problems.Err(r.remedy("Set the variable or provide the object where this program runs, or correct the reference."))
}

// plainText resolves a text that is not secret.
func (r *resolving) plainText(v any) string {
	t, refers := v.(value.Template)
	if !refers {
		plain, _ := v.(string)
		return plain
	}
	switch resolved := r.template(t).(type) {
	case secret.Value:
		return resolved.Reveal() // a name from the environment or a ConfigMap
	case string:
		return resolved
	default:
		return ""
	}
}
