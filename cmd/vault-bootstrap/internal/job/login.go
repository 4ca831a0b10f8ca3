package job

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// LoginOptions say how later runs log in.
type LoginOptions struct {
	Methods                                     []string
	Mount, TokenFile, Audience, Host, Principal string
	PasswordFile, CAFile, clientCert, Region    string
	env                                         Lookup
	// ByPrincipal is whether Principal, if there is one, says who may log in by kubernetes and jwt,
	// too. Otherwise their token does: we have one whenever we log in.
	ByPrincipal bool
	// Given reports whether a flag was given; nil if there are no flags.
	Given func(flag string) bool
}

// DefaultTokenFile is where manifests/job.yaml projects the service account token.
const DefaultTokenFile = "/var/run/secrets/vault-bootstrap/token" //nolint:gosec // a path, not a token

// resolve returns the login. role is the name of our role. Of several methods, those whose
// credential is missing are skipped. A flag takes precedence over the seed.
func (o *LoginOptions) resolve(env Lookup, kind StoreKind, role, clientCert string, declared []seed.LoginMethod) (login.Chain, error) {
	chosen := *o
	chosen.env, chosen.clientCert = env, clientCert
	return chain(chosen.ways(kind, declared), func(way loginWay) (login.Method, error) {
		_, identify := way.method(role)
		return identify()
	})
}

// defaultMethod is how a run logs in by default, for each kind of store.
func defaultMethod(kind StoreKind) string {
	return map[StoreKind]string{KubernetesStore: "kubernetes", FileStore: "approle"}[kind]
}

// Outline returns the login with its paths only, for a policy. It reads nothing.
func (o *LoginOptions) Outline(kind StoreKind, role string, declared []seed.LoginMethod) (login.Chain, error) {
	return chain(o.ways(kind, declared), func(way loginWay) (login.Method, error) {
		shape, _ := way.method(role)
		return shape, nil
	})
}

// method returns one method without anything that is read from files, and a function that adds our
// identity, which it reads from the credential itself.
func (o loginWay) method(role string) (shape login.Method, identify func() (login.Method, error)) {
	mount := o.mountPath()
	switch o.name {
	case "approle":
		method := login.AppRole{Mount: mount, RoleName: role}
		return method, func() (login.Method, error) { return method, nil } // we create its credential
	case "kubernetes":
		method := login.Kubernetes{Mount: mount, RoleName: role, Host: o.Host, Audience: o.Audience, Token: o.readToken}
		return method, func() (login.Method, error) {
			if o.ByPrincipal && o.Principal != "" {
				var named bool
				method.Namespace, method.ServiceAccount, named = strings.Cut(o.Principal, "/")
				if !named || method.Namespace == "" || method.ServiceAccount == "" || strings.Contains(method.ServiceAccount, "/") {
					return nil, fault.Misuse(fmt.Errorf("--login-principal=%q is not of the form NAMESPACE/SERVICEACCOUNT", o.Principal), "Name the service account that later runs have.")
				}
				return method, nil
			}
			claims, err := o.claims()
			if err != nil {
				return nil, err
			}
			method.Namespace, method.ServiceAccount, err = claims.serviceAccount()
			return method, o.badToken(err)
		}
	case "jwt":
		method := login.JWT{Mount: mount, RoleName: role, Audience: o.Audience, Token: o.readToken}
		return method, func() (login.Method, error) {
			if o.ByPrincipal && o.Principal != "" {
				method.Subject = o.Principal
				return method, nil
			}
			claims, err := o.claims()
			method.Subject = claims.Subject
			return method, err
		}
	case "userpass":
		method := login.Userpass{Mount: mount, User: strings.ToLower(role), Password: o.readPassword}
		return method, func() (_ login.Method, err error) {
			method.Known, err = o.readPassword()
			return method, err
		}
	case "cert":
		method := login.Cert{Mount: mount, RoleName: role}
		return method, func() (_ login.Method, err error) {
			method.Trusted, method.CommonName, err = o.trusted()
			return method, err
		}
	case "token-file":
		method := login.TokenFile{Policy: role, Token: o.readToken}
		return method, func() (login.Method, error) {
			if o.TokenFile == DefaultTokenFile {
				return nil, fault.Misuse(errors.New("--login=token-file needs a file"), "Name it with --login-token-file.")
			}
			_, err := o.readToken()
			return method, err
		}
	default:
		method := o.cloud(o.name, mount, role)
		return method, func() (login.Method, error) { return o.named(method) }
	}
}

// claims reads the claims of our JSON Web Token.
func (o *LoginOptions) claims() (claims, error) {
	token, err := o.readToken()
	if err != nil {
		return claims{}, err
	}
	found, err := readClaims(token)
	if err != nil {
		return claims{}, o.badToken(err)
	}
	if !found.isFor(o.Audience) {
		return claims{}, fault.Misuse(fmt.Errorf("the token in %s is for the audience %q, not for %q", o.TokenFile, strings.Join(found.Audience, ", "), o.Audience),
			"Project a serviceAccountToken with that audience into the pod, or name the right one with --login-audience.")
	}
	return found, nil
}

func (o *LoginOptions) badToken(err error) error {
	if err == nil {
		return nil
	}
	return fault.Misuse(fmt.Errorf("reading %s: %w", o.TokenFile, err), "It must be a service account token, as the kubelet projects it, or with --login=jwt another JSON Web Token.")
}

func (o *LoginOptions) readToken() (secret.Value, error) {
	content, err := os.ReadFile(o.TokenFile)
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading the token that later runs log in with: %w", err),
			"Project a serviceAccountToken with the audience of --login-audience into the pod (manifests/job.yaml shows it), name its file with --login-token-file, or choose --login=approle.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}

func (o *LoginOptions) readPassword() (secret.Value, error) {
	if o.PasswordFile == "" {
		return secret.Value{}, fault.Misuse(errors.New("--login=userpass needs a password"), "Write one to a file that only this program can read, and name it with --login-password-file.")
	}
	content, err := os.ReadFile(o.PasswordFile)
	if err == nil && strings.TrimSpace(string(content)) == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading the file that --login-password-file names: %w", err), "It must hold the password.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}
