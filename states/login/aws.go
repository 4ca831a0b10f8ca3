package login

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// AWS logs in with a request to STS that is signed with the ambient credentials: those of a service
// account (IRSA), of the instance, or of the environment.
type AWS struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Principal is the ARN of the IAM role or user that may log in.
	Principal string
	// Sign returns a signed request to STS, as Vault takes it.
	Sign func(ctx context.Context) (map[string]secret.Value, error)
}

// Name returns the method's name.
func (a AWS) Name() string { return "aws" }

// Objects returns the mount and the role. The principal's unique ID is not resolved, which would
// need IAM permissions in Vault: an ARN that is deleted and created again may log in again.
func (a AWS) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(a.Mount, "aws", nil),
		object.Role(a.Mount, "aws", a.RoleName, tokenFields(policy, map[string]any{
			"auth_type": "iam", "bound_iam_principal_arn": []any{a.Principal}, "resolve_aws_unique_ids": false,
		})),
	}
}

// Path returns the login's path.
func (a AWS) Path() string { return a.Mount + "/login" }

// Credential returns the role's name and a signed request.
func (a AWS) Credential(ctx context.Context, _ store.Keys) (map[string]secret.Value, error) {
	credential, err := a.Sign(ctx)
	if err != nil {
		return nil, err
	}
	credential["role"] = secret.New(a.RoleName)
	return credential, nil
}

// Open logs in with a signed request.
func (a AWS) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	return present(ctx, dialer, address, a, keys)
}

// Settles says how long a refusal must last.
func (a AWS) Settles() time.Duration { return cloudSettles }

// Denied says what 'permission denied' means.
func (a AWS) Denied() (part, remedy string) { return defaultDenied() }

// Reader returns the same method with the role that only reads.
func (a AWS) Reader() Method {
	a.RoleName += ReadSuffix
	return a
}

// Hint says what AWS auth needs.
func (a AWS) Hint() string {
	return fmt.Sprintf("Our credentials must be those of %q, Vault must reach STS, and --login-audience must give the header that the auth method's configuration requires, if any (iam_server_id_header_value).", a.Principal)
}

// Flags returns the flags that choose this login.
func (a AWS) Flags() string { return "--login=aws --login-path=" + a.Mount }
