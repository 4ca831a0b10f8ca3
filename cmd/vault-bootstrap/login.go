package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// loginOptions say how later runs log in.
type loginOptions struct {
	methods                                     []string
	mount, tokenFile, audience, host, principal string
	passwordFile, caFile, clientCert, region    string
	env                                         lookup
	// flags tell which of the values were given; nil if none were.
	flags *pflag.FlagSet
}

// defaultTokenFile is where manifests/job.yaml projects the service account token.
const defaultTokenFile = "/var/run/secrets/vault-bootstrap/token" //nolint:gosec // a place, not a token

func (o *loginOptions) register(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringSliceVar(&o.methods, "login", nil, "how later runs log in; several are tried in order: "+strings.Join(lang.LoginMethods(), ", ")+" (default: as the seed says, else kubernetes with the Kubernetes store, else approle)")
	flags.StringVar(&o.mount, "login-path", "", "mount of the auth method that later runs use (default: its type)")
	flags.StringVar(&o.tokenFile, "login-token-file", defaultTokenFile, "file with the projected service account token (kubernetes), another JSON Web Token (jwt) or a Vault token (token-file)")
	flags.StringVar(&o.audience, "login-audience", "vault", "audience of that token; for azure the resource; for aws the value of X-Vault-AWS-IAM-Server-ID, if the auth method asks for one")
	flags.StringVar(&o.host, "kubernetes-host", "https://kubernetes.default.svc", "URL at which Vault reaches the Kubernetes API, for --login=kubernetes")
	flags.StringVar(&o.principal, "login-principal", "", "who may log in: the ARN of the IAM role or user (aws), the service account's e-mail address (gcp), the service principal's ID (azure)")
	flags.StringVar(&o.passwordFile, "login-password-file", "", "file with the password of our own user, for --login=userpass")
	flags.StringVar(&o.caFile, "login-ca", "", "PEM file with the CA that signed --client-cert, for --login=cert (default: that certificate itself, and no other)")
	flags.StringVar(&o.region, "login-region", "", "region of STS, for --login=aws (default: AWS_REGION, else us-east-1)")
}

// resolve returns the login. role is the name of our role. Of several methods, those
// whose credential is not here are left out. A flag goes before what the seed declares.
func (o *loginOptions) resolve(env lookup, kind storeKind, role, clientCert string, declared []seed.LoginMethod) (states.Login, error) {
	chosen := *o
	chosen.env, chosen.clientCert = env, clientCert
	return chain(chosen.ways(kind, declared), func(way loginWay) (states.Login, error) {
		return way.identify(way.shape(role))
	})
}

// defaultMethod is how a run logs in that is not told how: with what its records have
// an identity for.
func defaultMethod(kind storeKind) string {
	return map[storeKind]string{kubernetesStore: "kubernetes", fileStore: "approle"}[kind]
}

// outline returns the login as far as its paths go, for a policy: nothing is read.
func (o *loginOptions) outline(kind storeKind, role string, declared []seed.LoginMethod) (states.Login, error) {
	return chain(o.ways(kind, declared), func(way loginWay) (states.Login, error) { return way.shape(role), nil })
}

// shape returns one method without what is read from files.
func (o loginWay) shape(role string) states.Login {
	mount := o.mountPath()
	switch o.method {
	case "approle":
		return states.AppRole{Mount: mount, RoleName: role}
	case "kubernetes":
		return states.Kubernetes{Mount: mount, RoleName: role, Host: o.host, Audience: o.audience, Token: o.readToken}
	case "jwt":
		return states.JWT{Mount: mount, RoleName: role, Audience: o.audience, Token: o.readToken}
	case "userpass":
		return states.Userpass{Mount: mount, User: strings.ToLower(role), Password: o.readPassword}
	case "cert":
		return states.Cert{Mount: mount, RoleName: role}
	case "token-file":
		return states.TokenFile{Policy: role, Token: o.readToken}
	default:
		return o.cloud(o.method, mount, role)
	}
}

// identify adds who we are, which the credential itself says.
func (o loginWay) identify(login states.Login) (states.Login, error) {
	switch method := login.(type) {
	case states.Kubernetes:
		claims, err := o.claims()
		if err != nil {
			return nil, err
		}
		method.Namespace, method.ServiceAccount, err = claims.serviceAccount()
		return method, o.badToken(err)
	case states.JWT:
		claims, err := o.claims()
		method.Subject = claims.Subject
		return method, err
	case states.Userpass:
		password, err := method.Password()
		method.Known = password
		return method, err
	case states.Cert:
		var err error
		method.Trusted, method.CommonName, err = o.trusted()
		return method, err
	case states.TokenFile:
		if o.tokenFile == defaultTokenFile {
			return nil, fault.Misuse(errors.New("--login=token-file needs a file"), "Name it with --login-token-file.")
		}
		_, err := method.Token()
		return method, err
	case states.AWS, states.Identity:
		return o.named(login)
	default:
		return login, nil
	}
}

// claims reads what our JSON Web Token says of itself.
func (o *loginOptions) claims() (claims, error) {
	token, err := o.readToken()
	if err != nil {
		return claims{}, err
	}
	found, err := readClaims(token)
	if err != nil {
		return claims{}, o.badToken(err)
	}
	if !found.isFor(o.audience) {
		return claims{}, fault.Misuse(fmt.Errorf("the token in %s is for the audience %q, not for %q", o.tokenFile, strings.Join(found.Audience, ", "), o.audience),
			"Project a serviceAccountToken with that audience into the pod, or name the right one with --login-audience.")
	}
	return found, nil
}

func (o *loginOptions) badToken(err error) error {
	if err == nil {
		return nil
	}
	return fault.Misuse(fmt.Errorf("reading %s: %w", o.tokenFile, err), "It must be a service account token, as the kubelet projects it, or with --login=jwt another JSON Web Token.")
}

func (o *loginOptions) readToken() (secret.Value, error) {
	content, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading the token that later runs log in with: %w", err),
			"Project a serviceAccountToken with the audience of --login-audience into the pod (manifests/job.yaml shows it), name its file with --login-token-file, or choose --login=approle.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}

func (o *loginOptions) readPassword() (secret.Value, error) {
	if o.passwordFile == "" {
		return secret.Value{}, fault.Misuse(errors.New("--login=userpass needs a password"), "Write one to a file that only this program can read, and name it with --login-password-file.")
	}
	content, err := os.ReadFile(o.passwordFile)
	if err == nil && strings.TrimSpace(string(content)) == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading what --login-password-file names: %w", err), "It must hold the password.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}
