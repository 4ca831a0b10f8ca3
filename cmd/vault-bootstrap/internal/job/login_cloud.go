package job

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/cloud"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// cloud returns the login with the identity that a cloud gives to the machine.
func (o *LoginOptions) cloud(method, mount, role string) login.Method {
	switch method {
	case "aws":
		return login.AWS{Mount: mount, RoleName: role, Principal: o.Principal, Sign: o.aws}
	case "gcp":
		return login.Identity{Method: method, Mount: mount, RoleName: role,
			Bound: map[string]any{"type": "gce", "bound_service_accounts": []any{o.Principal}},
			Fetch: func(ctx context.Context) (map[string]secret.Value, error) { return o.gcp(ctx, role) }}
	default:
		return login.Identity{Method: method, Mount: mount, RoleName: role,
			Bound: map[string]any{"bound_service_principal_ids": []any{o.Principal}}, Fetch: o.azure}
	}
}

// named makes sure that the options name our identity in the cloud.
func (o *LoginOptions) named(method login.Method) (login.Method, error) {
	if o.Principal == "" {
		return nil, fault.Misuse(fmt.Errorf("--login=%s does not say who may log in", method.Name()), "Name our own identity in the cloud with --login-principal.")
	}
	return method, nil
}

// machine is what we run on.
func (o *LoginOptions) machine() cloud.Machine {
	return cloud.Machine{Variable: o.variable, Now: time.Now}
}

// absent marks the error of a machine without an identity, so that the next login is tried.
func absent(err error) error {
	if errors.Is(err, cloud.ErrNoIdentity) {
		return fmt.Errorf("%w: %w", login.ErrNoCredential, err)
	}
	return err
}

// defaultAudience is that of tokens; it is neither a server ID nor a cloud resource.
const defaultAudience = "vault"

// aws signs a request to STS, which Vault sends on to see who we are.
func (o *LoginOptions) aws(ctx context.Context) (map[string]secret.Value, error) {
	serverID := o.Audience
	if serverID == defaultAudience {
		serverID = ""
	}
	credential, err := o.machine().AWSCaller(ctx, o.Region, serverID)
	return credential, absent(err)
}

// gcp returns the machine's identity token, whose audience must be that of the role.
func (o *LoginOptions) gcp(ctx context.Context, role string) (map[string]secret.Value, error) {
	token, err := o.machine().GoogleIdentity(ctx, "vault/"+role)
	if errors.Is(err, cloud.ErrWithoutMachine) {
		err = fmt.Errorf("%w, which our role of type gce needs: GKE's Workload Identity leaves them out; use --login=kubernetes there, or a node without it", err)
	}
	return map[string]secret.Value{"jwt": token}, absent(err)
}

// azureDefault is the resource that a token is for if --login-audience names none.
const azureDefault = "https://management.azure.com/"

// azure returns a token of our identity. With a managed identity, Vault compares the resource IDs
// of the machine as well.
func (o *LoginOptions) azure(ctx context.Context) (map[string]secret.Value, error) {
	resource := o.Audience
	if resource == "" || resource == defaultAudience {
		resource = azureDefault
	}
	token, managed, err := o.machine().AzureToken(ctx, resource)
	if err != nil {
		return nil, absent(err)
	}
	found := map[string]secret.Value{"jwt": token}
	if managed {
		machine, err := o.machine().AzureMachine(ctx)
		if err != nil {
			return nil, absent(err)
		}
		maps.Copy(found, map[string]secret.Value{
			"subscription_id": secret.New(machine.Subscription), "resource_group_name": secret.New(machine.Group),
			"vm_name": secret.New(machine.VM), "vmss_name": secret.New(machine.ScaleSet),
		})
	}
	return found, nil
}

func (o *LoginOptions) variable(name string) string {
	if o.env == nil {
		return ""
	}
	value, _ := o.env(name)
	return value
}
