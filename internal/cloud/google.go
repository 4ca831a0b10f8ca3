package cloud

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// ErrWithoutMachine means that an identity token of Google says nothing about a machine.
var ErrWithoutMachine = errors.New("the identity token of Google's metadata server has no claims about the machine (google.compute_engine)")

// GoogleIdentity asks the metadata server of a machine or pod for its identity token, for an
// audience. It fails with ErrWithoutMachine if that has no claims about the machine.
func (m Machine) GoogleIdentity(ctx context.Context, audience string) (secret.Value, error) {
	query := url.Values{"audience": {audience}, "format": {"full"}}
	answer, err := m.google(ctx, "identity?"+query.Encode())
	if err != nil {
		return secret.Value{}, err
	}
	token := strings.TrimSpace(string(answer))
	if withoutMachine(token) {
		return secret.Value{}, fmt.Errorf("%w: %w", ErrNoIdentity, ErrWithoutMachine)
	}
	return secret.New(token), nil
}

// GoogleToken asks the metadata server for an access token, for Google's own APIs. It can be used
// for some minutes at least.
func (m Machine) GoogleToken(ctx context.Context) (secret.Value, error) {
	answer, err := m.google(ctx, "token")
	if err != nil {
		return secret.Value{}, err
	}
	token := accessToken(answer)
	if token.Empty() {
		return secret.Value{}, fmt.Errorf("%w: the metadata server of Google answers without a token", ErrNoIdentity)
	}
	return token, nil
}

// google asks about the default service account. GCE_METADATA_HOST means the same as for Google's
// own tools.
func (m Machine) google(ctx context.Context, what string) ([]byte, error) {
	host := m.Variable("GCE_METADATA_HOST")
	if host == "" {
		host = "metadata.google.internal"
	}
	return metadata(ctx, "http://"+host+"/computeMetadata/v1/instance/service-accounts/default/"+what, "Metadata-Flavor", "Google")
}

// withoutMachine reports whether an identity token has no claims about a machine. Google says about
// GKE's Workload Identity only that they may be missing.
func withoutMachine(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false // who gets it will say what it is
	}
	content, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return false
	}
	var claims struct {
		Google struct {
			Compute struct {
				InstanceID string `json:"instance_id"`
			} `json:"compute_engine"`
		} `json:"google"`
	}
	return json.Unmarshal(content, &claims) == nil && claims.Google.Compute.InstanceID == ""
}
