package transit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Login is how a token of the server is had. Each Wrap and each Unwrap has a token of its own, which is
// revoked when it ends: nothing has to be renewed, and nothing is left behind.
type Login struct {
	// Method is the name of the auth method, for errors.
	Method string
	// Path is the auth method's mount and what follows it ("approle/login"), and Namespace the one that
	// it is in; empty for that of the server itself.
	Path, Namespace string
	// Credential returns what is written to the path. An error of it is NoCredential unless it has
	// another keyring.Reason in its chain.
	Credential func(ctx context.Context) (map[string]secret.Value, error)
	// Settles is how long refusals of the login are transient: the server also refuses when it cannot
	// ask those who vouch for us.
	Settles time.Duration
	// Now is the time.
	Now func() time.Time
}

// notAdmitted is the remedy of a refused login.
const notAdmitted = "Check the role of that server: the token's policies need MOUNT/encrypt/KEY and MOUNT/decrypt/KEY, and whom the role is bound to must be us. " +
	"A server that cannot ask the Kubernetes API, the issuer or the cloud refuses as well."

// admitted returns a token, and a function that gives it back.
func (r *Recipient) admitted(ctx context.Context, doing string) (secret.Value, func(), error) {
	if r.access.Login == nil {
		token, err := r.access.Token(ctx)
		if err != nil {
			return secret.Value{}, nil, keyring.Unauthenticated(r.Name(), doing, err, remedies[keyring.NoCredential])
		}
		return token, func() {}, nil
	}
	login := r.access.Login
	credential, err := login.Credential(ctx)
	if err != nil {
		return secret.Value{}, nil, keyring.Unauthenticated(r.Name(), doing, fmt.Errorf("logging in by %s: %w", login.Method, err), remedies[keyring.NoCredential])
	}
	client, err := r.client.Clone()
	if err != nil {
		return secret.Value{}, nil, fmt.Errorf("preparing a client for %q: %w", r.form, err)
	}
	client.ClearToken()
	client.SetNamespace(login.Namespace)
	body := make(map[string]any, len(credential))
	var sent []string
	for name, value := range credential {
		body[name] = value.Reveal()
		if name != "role" && name != "name" {
			sent = append(sent, value.Reveal())
		}
	}
	answer, err := client.Logical().WriteWithContext(ctx, "auth/"+login.Path, body)
	if err == nil && (answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "") {
		err = errors.New("the server answers without a token")
	}
	if err != nil {
		return secret.Value{}, nil, r.refused(doing, err, sent)
	}
	r.mu.Lock()
	r.refusedSince = time.Time{}
	r.mu.Unlock()
	token := secret.New(answer.Auth.ClientToken)
	if answer.Auth.Accessor == "" { // a batch token, which cannot be revoked and leaves nothing
		return token, func() {}, nil
	}
	client.SetToken(token.Reveal())
	return token, func() { r.revoke(ctx, client) }, nil
}

// refused returns the error of a login that was not let in.
func (r *Recipient) refused(doing string, err error, sent []string) error {
	login := r.access.Login
	answer, answered := errors.AsType[*api.ResponseError](err)
	if !answered || answer.StatusCode >= http.StatusInternalServerError || answer.StatusCode == http.StatusTooManyRequests {
		return r.failed(doing, fmt.Errorf("logging in by %s: %w", login.Method, err), sent...)
	}
	said := keyring.Said(strings.Join(answer.Errors, "; "), sent...)
	if said == "" {
		said = http.StatusText(answer.StatusCode)
	}
	failure := keyring.Failed(r.Name(), doing, keyring.Expired, fmt.Errorf("logging in by %s at auth/%s: %s", login.Method, login.Path, said), notAdmitted)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := login.Now()
	if r.refusedSince.IsZero() {
		r.refusedSince = now
	}
	if typed, ok := errors.AsType[*fault.Error](failure); ok && now.Sub(r.refusedSince) < login.Settles {
		typed.Kind = fault.Transient
	}
	return failure
}

// revokeTime is how long giving a token back may take.
const revokeTime = 3 * time.Second

// revoke gives a token back, even if the operation was cancelled.
func (r *Recipient) revoke(ctx context.Context, client *api.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	err := client.Auth().Token().RevokeSelfWithContext(ctx, "")
	if answer, ok := errors.AsType[*api.ResponseError](err); err == nil || ok && strings.Contains(strings.Join(answer.Errors, " "), "invalid token") {
		return // it is gone, as one is whose uses were limited
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unrevoked = fmt.Sprintf("the token of our login at %s could not be revoked, it expires by itself: its policies need update on auth/token/revoke-self, which the policy default has (%s)",
		r.form.Server, keyring.Said(err.Error()))
}

// Warning returns what happened that stopped nothing and that a person should know; empty for nothing.
func (r *Recipient) Warning() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unrevoked
}
