package seed

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// LoginMethod is one way in which later runs log in, as a seed says it. What it leaves
// out is empty. It names files and identities; no field holds a secret.
type LoginMethod struct {
	// Method is one of LoginMethods.
	Method string
	// Path is the mount of the auth method.
	Path string
	// TokenFile, PasswordFile and CAFile are absolute, or below the directory of the seed.
	TokenFile, PasswordFile, CAFile string
	// Audience, KubernetesHost, Principal and Region are as the flags of the login.
	Audience, KubernetesHost, Principal, Region string
	// Position is where the seed says so.
	Position value.Position
}

// LoginMethods are the ways to log in that there are.
func LoginMethods() []string {
	names := make([]string, 0, len(loginTable()))
	for _, row := range loginTable() {
		names = append(names, row.method)
	}
	return names
}

// loginRow says which keys a method takes, and which of them it cannot do without.
type loginRow struct {
	method      string
	takes, must []string
}

func loginTable() []loginRow {
	return []loginRow{
		{"kubernetes", []string{"path", "token_file", "audience", "kubernetes_host"}, nil},
		{"approle", []string{"path"}, nil},
		{"jwt", []string{"path", "token_file", "audience"}, nil},
		{"userpass", []string{"path", "password_file"}, []string{"password_file"}},
		{"cert", []string{"path", "ca_file"}, nil},
		{"token-file", []string{"token_file"}, []string{"token_file"}},
		{"aws", []string{"path", "principal", "region", "audience"}, []string{"principal"}},
		{"gcp", []string{"path", "principal"}, []string{"principal"}},
		{"azure", []string{"path", "principal", "audience"}, []string{"principal"}},
	}
}

func loginKeys() []key {
	return []key{
		{name: "method", kind: text, required: true, values: LoginMethods(), about: "the auth method", example: "kubernetes"},
		{name: "path", kind: text, about: "mount of the auth method; its type by default"},
		{name: "token_file", kind: prose, about: "of kubernetes, jwt and token-file: the file with the token, as --login-token-file"},
		{name: "audience", kind: prose, about: "of kubernetes and jwt: the token's audience; of azure the resource; of aws the server ID, as --login-audience", example: "vault"},
		{name: "kubernetes_host", kind: prose, about: "of kubernetes: URL at which Vault reaches the Kubernetes API, as --kubernetes-host"},
		{name: "principal", kind: prose, about: "of aws, gcp and azure: who may log in, as --login-principal"},
		{name: "password_file", kind: prose, about: "of userpass: the file with our password, as --login-password-file"},
		{name: "ca_file", kind: prose, about: "of cert: PEM file with the CA of our certificate, as --login-ca"},
		{name: "region", kind: prose, about: "of aws: region of STS, as --login-region"},
	}
}

// declaredLogin is the section login of a seed, with its references.
type declaredLogin struct {
	methods []record
	at      value.Position
}

// readLogin reads the section login, which one file of a seed may hold.
func (b *builder) readLogin(r record, problems *value.Problems) {
	methods := r.records("login")
	if len(methods) == 0 {
		return
	}
	at := r.places["login"]
	if len(b.login.methods) > 0 {
		problems.Add(at, "the section login is there twice, first at %s", b.login.at)
		return
	}
	b.login = declaredLogin{methods: methods, at: at}
	var seen, paths []string
	for _, each := range methods {
		method := each.text("method")
		if method == "" {
			continue // it was told
		}
		if slices.Contains(seen, method) {
			problems.Add(each.at, "the login method %q is there twice", method)
		}
		seen = append(seen, method)
		path := cmp.Or(strings.Trim(each.text("path"), "/"), method)
		if slices.Contains(paths, path) {
			problems.Add(each.at, "two login methods are at the path %q", path)
		}
		paths = append(paths, path)
		b.checkLogin(each, method, problems)
	}
}

// checkLogin holds an entry against what its method takes.
func (b *builder) checkLogin(each record, method string, problems *value.Problems) {
	row := loginTable()[slices.Index(LoginMethods(), method)]
	for _, k := range loginKeys()[1:] {
		value, given := each.values[k.name]
		switch {
		case !given && slices.Contains(row.must, k.name):
			problems.Add(each.at, "the login method %q needs the key %q", method, k.name)
		case given && !slices.Contains(row.takes, k.name):
			problems.Add(each.places[k.name], "the login method %q does not take the key %q; it takes %s", method, k.name, strings.Join(row.takes, ", "))
		case given && value == "":
			problems.Add(each.places[k.name], "the key %q is empty: leave it out for its default", k.name)
		case given && looksLikeToken(value):
			problems.Add(each.places[k.name], "%q holds a token where the name of a file belongs: put it into a file, and have it revoked, since it was written down here", k.name)
		case given && !plainReference(value):
			problems.Add(each.places[k.name], "%q may refer to env and configMapKeyRef only: it is no secret", k.name)
		}
	}
	if path := strings.Trim(each.text("path"), "/"); path != "" {
		if err := value.CheckPath(path); err != nil {
			problems.Add(each.places["path"], "the path %q cannot be used: %s", path, err)
		}
	}
}

// looksLikeToken reports whether value begins as Vault's tokens and JSON Web Tokens do.
func looksLikeToken(value any) bool {
	written, _ := value.(string)
	return slices.ContainsFunc([]string{"hvs.", "hvb.", "eyJ"}, func(beginning string) bool { return strings.HasPrefix(written, beginning) })
}

// plainReference reports whether value refers to nothing but what anybody may see, and
// what is there before Vault is.
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
		found = append(found, LoginMethod{Method: each.text("method"), Path: strings.Trim(each.text("path"), "/"), Position: each.at})
	}
	return found
}

// Login returns the section login with its references resolved; none if the seed says
// nothing of it.
func (s *Seed) Login(ctx context.Context, resolver Resolver) ([]LoginMethod, error) {
	r := &resolving{Resolver: resolver, ctx: ctx, problems: &value.Problems{}}
	found := s.LoginPaths()
	for i := range found {
		each := s.login.methods[i]
		for name, field := range map[string]*string{
			"audience": &found[i].Audience, "kubernetes_host": &found[i].KubernetesHost, "principal": &found[i].Principal, "region": &found[i].Region,
			"token_file": &found[i].TokenFile, "password_file": &found[i].PasswordFile, "ca_file": &found[i].CAFile,
		} {
			*field = r.plainText(each.values[name])
			if strings.HasSuffix(name, "_file") && *field != "" && !filepath.IsAbs(*field) {
				*field = filepath.Join(filepath.Dir(each.at.File), *field)
			}
		}
	}
	if r.trouble != nil {
		return nil, r.trouble
	}
	return found, r.problems.Err(r.remedy("Set the variable or provide the object where this program runs, or correct the reference."))
}

// plainText resolves a text that is no secret.
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
