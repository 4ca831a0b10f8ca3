package job

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/transit"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// presenter is a way to log in whose credential is written to a path: all of states/login but token
// files.
type presenter interface {
	Name() string
	// Path is what follows "auth/".
	Path() string
	Credential(ctx context.Context, keys store.Keys) (map[string]secret.Value, error)
	Settles() time.Duration
}

// recipientLogin makes a way to log in to the server of a transit recipient.
type recipientLogin struct {
	// needs and takes are the options that it must and may have.
	needs, takes []string
	make         func(remoteServer) presenter
}

// The names of a transit recipient's options.
const (
	optLogin, optPath, optNamespace, optRole = "login", "path", "namespace", "role"
	optCA, optServerName                     = "ca", "tls-server-name"
	optTokenFile, optPasswordFile, optUser   = "token-file", "password-file", "user"
	optRoleID, optSecretIDFile               = "role-id", "secret-id-file"
	optCert, optKey                          = "client-cert", "client-key"
	optAudience, optRegion                   = "audience", "region"
)

// ofServer are the options that say how a server is reached, however we log in.
var ofServer = []string{optCA, optServerName, optCert, optKey}

// ofLogin are those that every login has.
var ofLogin = []string{optLogin, optPath, optNamespace}

// tokenFile is the login that is none: with a token that somebody else keeps alive.
const tokenFile = "token-file"

func recipientLogins() map[string]recipientLogin {
	return map[string]recipientLogin{
		"kubernetes": {[]string{optRole}, []string{optTokenFile}, func(s remoteServer) presenter {
			return login.Kubernetes{Mount: s.mount(), RoleName: s.of[optRole], Token: s.file(optTokenFile)}
		}},
		"jwt": {[]string{optRole, optTokenFile}, nil, func(s remoteServer) presenter {
			return login.JWT{Mount: s.mount(), RoleName: s.of[optRole], Token: s.file(optTokenFile)}
		}},
		"approle": {[]string{optRoleID, optSecretIDFile}, nil, func(s remoteServer) presenter { return login.AppRole{Mount: s.mount()} }},
		"userpass": {[]string{optUser, optPasswordFile}, nil, func(s remoteServer) presenter {
			return login.Userpass{Mount: s.mount(), User: strings.ToLower(s.of[optUser]), Password: s.file(optPasswordFile)}
		}},
		"cert": {[]string{optRole, optCert, optKey}, nil, func(s remoteServer) presenter {
			return login.Cert{Mount: s.mount(), RoleName: s.of[optRole]}
		}},
		"aws": {[]string{optRole}, []string{optAudience, optRegion}, func(s remoteServer) presenter {
			return login.AWS{Mount: s.mount(), RoleName: s.of[optRole], Sign: s.options().aws}
		}},
		"gcp": {[]string{optRole}, nil, func(s remoteServer) presenter {
			return login.Identity{Method: "gcp", Mount: s.mount(), RoleName: s.of[optRole], Fetch: func(ctx context.Context) (map[string]secret.Value, error) {
				return s.options().gcp(ctx, s.of[optRole])
			}}
		}},
		"azure": {[]string{optRole}, []string{optAudience}, func(s remoteServer) presenter {
			return login.Identity{Method: "azure", Mount: s.mount(), RoleName: s.of[optRole], Fetch: s.options().azure}
		}},
	}
}

// remoteServer is the server of a transit recipient, with the options of the recipient's form.
type remoteServer struct {
	of  map[string]string
	env Lookup
}

func (s remoteServer) mount() string {
	if path := strings.Trim(s.of[optPath], "/"); path != "" {
		return path
	}
	return s.of[optLogin]
}

// file returns a function that reads the file of an option anew for each login: somebody may renew it.
func (s remoteServer) file(option string) func() (secret.Value, error) {
	name := s.of[option]
	if name == "" && option == optTokenFile {
		name = DefaultTokenFile
	}
	return func() (secret.Value, error) { return readSecret("the option "+option, name) }
}

// options returns what the logins with a cloud's identity read.
func (s remoteServer) options() *LoginOptions {
	return &LoginOptions{Audience: s.of[optAudience], Region: s.of[optRegion], env: s.env}
}

// credential returns what a way logs in with. AppRole's is in a file: there is no record to take it from
// before it is opened.
func (s remoteServer) credential(way presenter) func(context.Context) (map[string]secret.Value, error) {
	return func(ctx context.Context) (map[string]secret.Value, error) {
		var keys store.Keys
		if s.of[optLogin] == "approle" {
			secretID, err := s.file(optSecretIDFile)()
			if err != nil {
				return nil, err
			}
			keys.AppRole = &store.AppRole{RoleID: s.of[optRoleID], SecretID: secretID}
		}
		return way.Credential(ctx, keys)
	}
}

// transit returns how the server of a recipient is reached.
func (o *RecipientOptions) transit(env Lookup, form keyring.Form) (transit.Access, error) {
	s := remoteServer{form.Settings(), env}
	if len(s.of) == 0 && o.TokenFile == "" {
		return transit.Access{}, fault.Misuse(fmt.Errorf("%s needs a login at that server, or a token of it", form),
			"Write transit:…?login=METHOD&role=ROLE, or name the file that holds a token with --keys-token-file. docs/keys-at-rest.md has all options.")
	}
	method, err := s.check(form, o.TokenFile)
	if err != nil {
		return transit.Access{}, err
	}
	access := transit.Access{ServerName: s.of[optServerName]}
	if access.Authorities, err = o.authorities(s.of[optCA]); err != nil {
		return access, err
	}
	if cert, key := s.of[optCert], s.of[optKey]; cert != "" {
		access.Certificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return nil, fmt.Errorf("reading our certificate for %s: %w", form.Server, err)
			}
			return &pair, nil
		}
	}
	if method.make == nil {
		access.Token = o.token
		if name := s.of[optTokenFile]; name != "" {
			access.Token = func(context.Context) (secret.Value, error) { return s.file(optTokenFile)() }
		}
		return access, nil
	}
	way := method.make(s)
	access.Login = &transit.Login{
		Method: way.Name(), Path: way.Path(), Namespace: strings.Trim(s.of[optNamespace], "/"),
		Credential: s.credential(way), Settles: way.Settles(), Now: time.Now,
	}
	return access, nil
}

// check refuses options that are not known, missing, or of another login, and returns the login; its
// zero value for a token in a file. given is the one that --keys-token-file names.
func (s remoteServer) check(form keyring.Form, given string) (recipientLogin, error) {
	refuse := func(text, remedy string) (recipientLogin, error) {
		return recipientLogin{}, fault.Misuse(fmt.Errorf("%s: %s", form, text), remedy)
	}
	known := recipientLogins()
	name := s.of[optLogin]
	method, is := known[name]
	if name == "" || name == tokenFile {
		method, is = recipientLogin{takes: []string{optTokenFile}}, true
	}
	if !is {
		return refuse(fmt.Sprintf("the option login=%s is not one of the methods", name), "They are "+strings.Join(slices.Sorted(maps.Keys(known)), ", ")+" and token-file.")
	}
	all := slices.Concat(ofServer, method.needs, method.takes)
	if name != "" {
		all = append(all, ofLogin...)
	}
	for _, option := range slices.Sorted(maps.Keys(s.of)) {
		if !slices.Contains(all, option) { // without the value, which may be a secret
			slices.Sort(all)
			return refuse(fmt.Sprintf("the option %q is not known, or not for this login", option), "There are "+strings.Join(slices.Compact(all), ", ")+", and login with others of its own. Secrets are not among them, but the files that hold them.")
		}
	}
	for _, option := range method.needs {
		if s.of[option] == "" {
			return refuse(fmt.Sprintf("login=%s needs the option %s", name, option), "Write transit:…?login="+name+"&"+strings.Join(method.needs, "=…&")+"=….")
		}
	}
	switch {
	case method.make == nil && given == "" && s.of[optTokenFile] == "":
		return refuse("it needs a login at that server, or a token of it", "Add login=METHOD with its options, or name the file that holds a token with the option token-file.")
	case (s.of[optCert] == "") != (s.of[optKey] == ""):
		return refuse("the options client-cert and client-key belong together", "Give both, or neither.")
	}
	return method, nil
}

// authorities reads the CA of a server: that of its form, or of --keys-ca; nil for those of the system.
func (o *RecipientOptions) authorities(file string) (*x509.CertPool, error) {
	from := "the option ca"
	if file == "" {
		file, from = o.CA, "--keys-ca"
	}
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("%s: %w", from, err), "Name a PEM file with certificates.")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fault.Misuse(fmt.Errorf("%s: there is no certificate in %s", from, file), "Name a PEM file with certificates.")
	}
	return pool, nil
}

// token reads the token anew for each call: an agent may renew it.
func (o *RecipientOptions) token(context.Context) (secret.Value, error) {
	return readSecret("--keys-token-file", o.TokenFile)
}

// readSecret reads a file that holds nothing but a secret. from says who names it.
func readSecret(from, name string) (secret.Value, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the file that %s names: %w", from, err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return secret.Value{}, errors.New("the file that " + from + " names is empty")
	}
	return secret.New(text), nil
}
