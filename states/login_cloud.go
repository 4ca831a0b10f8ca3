package states

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// cloudSettles is how long a refusal must last: Vault asks the cloud's API, and gives
// the same answer when it cannot reach it.
const cloudSettles = 10 * time.Second

// AWS logs in with a request to STS that is signed with the credentials of the place:
// those of a service account (IRSA), of the instance, or of the environment.
type AWS struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
	// Principal is the ARN of the IAM role or user that may log in.
	Principal string
	// Make prepares the login.
	Make func() (vault.Method, error)
}

// Name returns the method's name.
func (a AWS) Name() string { return "aws" }

// Objects returns the mount and the role. The principal's unique ID is not resolved,
// which would need IAM permissions in Vault: an ARN that is deleted and made again may
// log in again.
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

// Credential returns nothing: the official login signs a request of its own.
func (a AWS) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	return nil, ErrNoCredential
}

// Settles says how long a refusal must last.
func (a AWS) Settles() time.Duration { return cloudSettles }

// Hint says what AWS auth needs.
func (a AWS) Hint() string {
	return fmt.Sprintf("Our credentials must be those of %q, Vault must reach STS, and a header that the auth method's configuration asks for (iam_server_id_header_value) is --login-audience.", a.Principal)
}

// Flags returns the flags that choose this login.
func (a AWS) Flags() string { return "--login=aws --login-path=" + a.Mount }

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

// Settles says how long a refusal must last.
func (i Identity) Settles() time.Duration { return cloudSettles }

// Hint says what the method needs.
func (i Identity) Hint() string {
	return fmt.Sprintf("The machine must have the identity that --login-principal names, the seed must configure the auth method %q, and Vault must reach the cloud's API.", i.Mount)
}

// Flags returns the flags that choose this login.
func (i Identity) Flags() string {
	return "--login=" + i.Method + " --login-path=" + i.Mount
}
