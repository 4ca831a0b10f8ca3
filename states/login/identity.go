package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// cloudSettles is how long a refusal must last: Vault asks the cloud's API, and gives the same
// answer if it cannot reach that.
const cloudSettles = 10 * time.Second

// Identity logs in with an identity token that the cloud's metadata server gives to the
// machine: 'gcp' and 'azure'.
type Identity struct {
	// Method is gcp or azure.
	Method string
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Bound are the fields of the role that say which identity may log in.
	Bound map[string]any
	// Fetch asks the metadata server.
	Fetch func(ctx context.Context) (map[string]secret.Value, error)
}

// Name returns the method's name.
func (i Identity) Name() string { return i.Method }

// Objects returns the mount and the role.
func (i Identity) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(i.Mount, i.Method, nil),
		object.Role(i.Mount, i.Method, i.RoleName, tokenFields(policy, i.Bound)),
	}
}

// Path returns the login's path.
func (i Identity) Path() string { return i.Mount + "/login" }

// Credential returns the role's name and what the metadata server gives.
func (i Identity) Credential(ctx context.Context, _ store.Keys) (map[string]secret.Value, error) {
	credential, err := i.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	credential["role"] = secret.New(i.RoleName)
	return credential, nil
}

// Open logs in with what the metadata server gives.
func (i Identity) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	session, err := present(ctx, dialer, address, i, keys)
	i.markRefusal(err)
	return session, err
}

// markRefusal marks a refusal that does not look like one: the azure method of Vault 1.21 answers
// 500 to a token that it does not accept.
func (i Identity) markRefusal(err error) {
	answer, ok := errors.AsType[*vault.Answer](err)
	if !ok || i.Method != "azure" || answer.Status != http.StatusInternalServerError || vault.Mentions(err, product.KeysNotFetched) {
		return
	}
	answer.Refusal = slices.ContainsFunc([]product.Text{product.BadSignature, product.NotAuthorized, product.TokenExpired, product.NotYetValid, product.OtherAudience, product.OtherIssuer},
		func(text product.Text) bool { return vault.Mentions(err, text) })
}

// Settles says how long a refusal must last.
func (i Identity) Settles() time.Duration { return cloudSettles }

// Denied says what 'permission denied' means.
func (i Identity) Denied() (part, remedy string) { return defaultDenied() }

// Reader returns the same method with the role that only reads.
func (i Identity) Reader() Method {
	i.RoleName += ReadSuffix
	return i
}

// Hint says what the method needs.
func (i Identity) Hint() string {
	return fmt.Sprintf("The machine must have the identity that --login-principal names, the seed must configure the auth method %q, and Vault must reach the cloud's API.", i.Mount)
}

// Flags returns the flags that choose this login.
func (i Identity) Flags() string {
	return "--login=" + i.Method + " --login-path=" + i.Mount
}
