package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// loginOptions say how later runs log in.
type loginOptions struct {
	method, mount, tokenFile, audience, host string
}

func (o *loginOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.method, "login", "", "how later runs log in: 'kubernetes' or 'approle' (default: kubernetes with the Kubernetes store, else approle)")
	flags.StringVar(&o.mount, "login-path", "", "mount of the auth method that later runs use (default: its type)")
	flags.StringVar(&o.tokenFile, "login-token-file", "/var/run/secrets/vault-bootstrap/token", "projected service account token with the audience of --login-audience, for --login=kubernetes")
	flags.StringVar(&o.audience, "login-audience", "vault", "audience of that token")
	flags.StringVar(&o.host, "kubernetes-host", "https://kubernetes.default.svc", "URL at which Vault reaches the Kubernetes API, for --login=kubernetes")
}

// resolve returns the login. role is the name of our role.
func (o *loginOptions) resolve(kind storeKind, role string) (states.Login, error) {
	chosen := *o
	if chosen.method == "" {
		chosen.method = map[storeKind]string{kubernetesStore: "kubernetes", fileStore: "approle"}[kind]
	}
	login, err := chosen.shape(role)
	if kubernetes, ok := login.(states.Kubernetes); ok {
		return o.identify(kubernetes)
	}
	return login, err
}

// shape returns the login as far as its paths go, for a policy: no token is read.
func (o *loginOptions) shape(role string) (states.Login, error) {
	mount := strings.Trim(o.mount, "/")
	if mount == "" {
		mount = o.method
	}
	switch o.method {
	case "approle":
		return states.AppRole{Mount: mount, RoleName: role}, nil
	case "kubernetes":
		return states.Kubernetes{Mount: mount, RoleName: role, Host: o.host, Audience: o.audience}, nil
	default:
		return nil, fault.Misuse(fmt.Errorf("--login=%q is neither 'kubernetes' nor 'approle'", o.method), "Write one of the two.")
	}
}

// identify adds who we are on Kubernetes, which our token says.
func (o *loginOptions) identify(login states.Kubernetes) (states.Login, error) {
	token, err := o.readToken()
	if err != nil {
		return nil, err
	}
	claims, err := readClaims(token)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("reading %s: %w", o.tokenFile, err), "It must be a service account token, as the kubelet projects it.")
	}
	if !claims.isFor(o.audience) {
		return nil, fault.Misuse(fmt.Errorf("the token in %s is for the audience %q, not for %q", o.tokenFile, strings.Join(claims.Audience, ", "), o.audience),
			"Project a serviceAccountToken with that audience into the pod, or name the right one with --login-audience.")
	}
	login.ServiceAccount, login.Namespace, login.Token = claims.account, claims.namespace, o.readToken
	return login, nil
}

func (o *loginOptions) readToken() (secret.Value, error) {
	content, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return secret.Value{}, fault.Misuse(fmt.Errorf("reading the token that later runs log in with: %w", err),
			"Project a serviceAccountToken with the audience of --login-audience into the pod (manifests/job.yaml shows it), name its file with --login-token-file, or choose --login=approle.")
	}
	return secret.New(strings.TrimSpace(string(content))), nil
}

// claims are what a service account token says of itself. They are not verified:
// Vault does that when we log in.
type claims struct {
	Audience           []string `json:"aud"`
	Subject            string   `json:"sub"`
	namespace, account string
}

func (c claims) isFor(audience string) bool {
	for _, each := range c.Audience {
		if each == audience {
			return true
		}
	}
	return false
}

// readClaims reads the middle part of a JSON Web Token (RFC 7519).
func readClaims(token secret.Value) (claims, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return claims{}, errors.New("it is no JSON Web Token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, errors.New("it is no JSON Web Token: its second part is not base64")
	}
	var found claims
	if err := json.Unmarshal(payload, &found); err != nil {
		return claims{}, errors.New("it is no service account token: its claims cannot be read")
	}
	// The subject has the form system:serviceaccount:NAMESPACE:NAME.
	subject := strings.Split(found.Subject, ":")
	if len(subject) != 4 || subject[0] != "system" || subject[1] != "serviceaccount" {
		return claims{}, fmt.Errorf("its subject %q is no service account", found.Subject)
	}
	found.namespace, found.account = subject[2], subject[3]
	return found, nil
}
