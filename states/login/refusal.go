package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// refusalPart is a part of a login that may fail, recognized by what the server says.
type refusalPart struct {
	says         product.Text
	part, remedy string
}

// parts returns the parts of a login that may fail, recognized by Vault's messages (1.21), and what
// to do about each.
func parts() []refusalPart {
	return []refusalPart{
		{product.NoHandler, "the auth method is not mounted", "break-glass run mounts it again"},
		{product.WrongAudience, "the token's audience is not the role's", "project the token with the audience that the role asks for, or correct --login-audience"},
		{product.NotYetValid, "the clocks differ, or the token is too new", "set the clocks by NTP"},
		{product.IssuedInFuture, "the clocks differ", "set the clocks by NTP"},
		{product.Expired, "the credential has expired, or the clocks differ", "have it renewed, and set the clocks by NTP"},
		{product.OtherServiceAccount, "the role is for another service account", "run with the service account that the role names, or break-glass run with this one"},
		{product.OtherNamespace, "the role is for another Kubernetes namespace", "run in the namespace that the role names, or break-glass run in this one"},
		{product.TokenUnknown, "the Kubernetes API does not know the token", "the service account may have been deleted and created again: restart the pod"},
		{product.RoleOrSecretID, "the role or its secret ID is gone", "break-glass run creates both again"},
		{product.RoleName, "the role is gone", "break-glass run creates it again"},
		{product.RoleNotFound, "the role is gone", "break-glass run creates it again"},
		{product.RoleEntry, "the role is gone", "break-glass run creates it again"},
		{product.UsernameOrPassword, "the user or the password", "correct --login-password-file, or break-glass run sets this one"},
		{product.NoChain, "the client certificate is not one that the role trusts", "give the certificate that the role knows, or break-glass run with this one"},
		{product.NoConstraint, "the client certificate is not one that the role trusts", "give the certificate that the role knows, or break-glass run with this one"},
		{product.CertificateMissing, "no client certificate has arrived", "give --client-cert and --client-key; a load balancer that terminates TLS drops them"},
		{product.NoCertificate, "no client certificate has arrived, or it is not one that the role trusts", "give --client-cert and --client-key; a load balancer that terminates TLS drops them"},
		{product.OtherPrincipal, "the role is for another principal", "correct --login-principal, and break-glass run"},
		{product.NotInServiceAccounts, "the role is for another service account", "correct --login-principal, and break-glass run"},
		{product.BadSignature, "the token's signature", "the token is of another directory, or not from Azure"},
		{product.BadCryptography, "the token's signature", "the token is not from Google's metadata server, or custom_endpoint in the auth method's configuration leads elsewhere"},
		{product.NoInstance, "the cloud's API does not know the machine, or does not answer Vault", "check the permissions of Vault's own credentials, and the network from Vault to the API"},
		{product.Upstream, "Vault cannot reach the cloud's API, or was refused there", "check the network from Vault to it, and the signing credentials"},
		{product.NotOfRole, "the role is for another principal", "correct --login-principal, and break-glass run"},
		{product.TokenInvalid, "the token's signature or claims", "check the key set in the auth method's configuration"},
		{product.ConnectionRefused, "Vault cannot reach the token's reviewer", "check kubernetes_host in the auth method's configuration, and the network from Vault to it"},
		{product.NoSuchHost, "Vault cannot resolve the name of the token's reviewer", "check kubernetes_host in the auth method's configuration, and Vault's DNS"},
		{product.DeadlineExceeded, "the token's reviewer does not answer Vault", "check the network from Vault to it"},
	}
}

// defaultDenied says what "permission denied" means, which Vault also answers to a login at a path
// where nothing is mounted.
func defaultDenied() (part, remedy string) {
	return "no auth method is mounted at this path, or it does not accept the credential",
		"check --login-path; break-glass run mounts the auth method again"
}

// explain says which part of a login failed, with what to do about it.
func (a *Access) explain(ctx context.Context, method Method, address string, keys store.Keys, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	for _, each := range parts() {
		if vault.Mentions(err, each.says) {
			return fmt.Errorf("by %s: %s%s: %w (%s)", method.Name(), each.part, a.skew(ctx, address), err, a.possible(each.remedy, keys))
		}
	}
	if vault.Mentions(err, product.PermissionDenied) {
		part, remedy := method.Denied()
		return fmt.Errorf("by %s: %s%s: %w (%s)", method.Name(), part, a.skew(ctx, address), err, a.possible(remedy, keys))
	}
	return fmt.Errorf("by %s: %w", method.Name(), err)
}

// possible returns a remedy with what can repair the login. Break-glass takes keys.
func (a *Access) possible(remedy string, keys store.Keys) string {
	const repair = "break-glass run"
	switch {
	case a.Keyless:
		return strings.ReplaceAll(remedy, repair, "run --token-file")
	case keys.Set != nil && keys.Set.Shareless() && strings.Contains(remedy, repair):
		return "an administrator can restore it"
	default:
		return remedy
	}
}

// maxSkew is how far two clocks may differ without being mentioned.
const maxSkew = 10 * time.Second

// skew says how far Vault's clock is from ours, if it is more than maxSkew.
func (a *Access) skew(ctx context.Context, address string) string {
	if a.Clock == nil {
		return ""
	}
	its, err := a.Clock(ctx, address)
	if err != nil {
		return ""
	}
	switch ahead := its.Sub(a.Now()).Round(time.Second); {
	case ahead > maxSkew:
		return fmt.Sprintf(" (Vault's clock is %s ahead of ours)", ahead)
	case ahead < -maxSkew:
		return fmt.Sprintf(" (Vault's clock is %s behind ours)", -ahead)
	default:
		return ""
	}
}

// refusals remembers since when the login has been refused.
type refusals struct {
	since time.Time
}

// final reports whether a refusal has lasted long enough to count.
func (r *refusals) final(now time.Time, settles time.Duration) bool {
	if r.since.IsZero() {
		r.since = now
	}
	return now.Sub(r.since) >= settles
}

func (r *refusals) clear() { r.since = time.Time{} }

// Wait returns the error for a refusal that does not count yet.
func Wait(err error) error {
	return fault.Wait(fmt.Errorf("our login is refused: %w", err),
		"Waiting a while, since Vault gives the same answer when it cannot check the credential: when it does not reach the Kubernetes API, a key set, or the cloud.")
}
