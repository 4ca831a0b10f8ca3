// Package recipients makes a recipient of any kind from how it is written. It must not know flags or
// the environment: what a recipient needs besides its form is handed in.
package recipients

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/awskms"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/azurekv"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/gcpkms"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/kmsplugin"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/transit"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Means are what recipients need besides their forms. A kind is refused without its own; those of
// kinds that are not used may be left out.
type Means struct {
	// Transit returns how the server is reached that a form of kind keyring.Transit names. Its errors
	// are of kind fault.Usage.
	Transit func(form keyring.Form) (transit.Access, error)
	// Identities are the private keys of age that this process has; nil is none.
	Identities *agekey.Identities
	// Person answers what plugins of age ask; nil is nobody.
	Person agekey.Person
	// AWS returns AWS' settings for a region, with credentials.
	AWS func(ctx context.Context, region string) (aws.Config, error)
	// AWSEndpoint and GoogleEndpoint are URLs of the services, empty for the public ones.
	AWSEndpoint, GoogleEndpoint string
	// GoogleToken returns an access token for Cloud KMS.
	GoogleToken func(ctx context.Context) (secret.Value, error)
	// AzureToken returns an access token for a resource.
	AzureToken func(ctx context.Context, resource string) (secret.Value, error)
}

// Open makes the recipient of a form. It asks nothing yet: what a service says is an error of the
// recipient's methods. Errors are of kind fault.Usage.
func Open(form keyring.Form, with Means) (keyring.Recipient, error) {
	var missing string
	switch form.Kind {
	case keyring.Transit:
		if with.Transit != nil {
			access, err := with.Transit(form)
			if err != nil {
				return nil, err
			}
			return transit.New(form, access)
		}
		missing = "a login for that server"
	case keyring.Age:
		return agekey.New(form, with.Identities, with.Person)
	case keyring.AWS:
		if with.AWS != nil {
			return awskms.New(form, awskms.Access{Config: with.AWS, Endpoint: with.AWSEndpoint}), nil
		}
		missing = "credentials of AWS"
	case keyring.Google:
		if with.GoogleToken != nil {
			return gcpkms.New(form, gcpkms.Access{Token: with.GoogleToken, Endpoint: with.GoogleEndpoint}), nil
		}
		missing = "tokens of Google"
	case keyring.Azure:
		if with.AzureToken != nil {
			return azurekv.New(form, azurekv.Access{Token: with.AzureToken}), nil
		}
		missing = "tokens of Azure"
	case keyring.KMSPlugin:
		return kmsplugin.New(form), nil
	default:
		return nil, fault.Misuse(fmt.Errorf("the recipient %q is of no known kind", form), "")
	}
	return nil, fault.Misuse(fmt.Errorf("the recipient %q needs %s", form, missing), "")
}
