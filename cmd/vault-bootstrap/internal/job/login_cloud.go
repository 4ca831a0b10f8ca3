package job

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api/auth/aws"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// cloud returns the login with the identity that a cloud gives to the machine.
func (o *LoginOptions) cloud(method, mount, role string) login.Method {
	switch method {
	case "aws":
		return login.AWS{Mount: mount, RoleName: role, Principal: o.Principal, Make: func() (vault.Method, error) { return o.aws(mount, role) }}
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

// defaultRegion is that of STS's global endpoint.
const defaultRegion = "us-east-1"

// aws prepares the official login, which finds the credentials as the AWS tools do.
func (o *LoginOptions) aws(mount, role string) (vault.Method, error) {
	region := o.Region
	if region == "" {
		if region = o.variable("AWS_REGION"); region == "" {
			region = defaultRegion
		}
	}
	options := []aws.LoginOption{aws.WithIAMAuth(), aws.WithRole(role), aws.WithMountPath(mount), aws.WithRegion(region)}
	if o.Audience != "" && o.Audience != defaultAudience {
		options = append(options, aws.WithIAMServerIDHeader(o.Audience))
	}
	return aws.NewAWSAuth(options...)
}

// defaultAudience is that of tokens; it is neither a server ID nor a cloud resource.
const defaultAudience = "vault"

// gcp asks the metadata server of a machine or pod for its identity token, whose audience must be
// that of the role. GCE_METADATA_HOST means the same as for Google's own tools.
func (o *LoginOptions) gcp(ctx context.Context, role string) (map[string]secret.Value, error) {
	host := o.variable("GCE_METADATA_HOST")
	if host == "" {
		host = "metadata.google.internal"
	}
	query := url.Values{"audience": {"vault/" + role}, "format": {"full"}}
	token, err := metadata(ctx, "http://"+host+"/computeMetadata/v1/instance/service-accounts/default/identity?"+query.Encode(), "Metadata-Flavor", "Google")
	if err != nil {
		return nil, err
	}
	jwt := strings.TrimSpace(string(token))
	if gcpWithoutMachine(jwt) {
		return nil, fmt.Errorf("%w: the identity token of Google's metadata server has no claims about the machine (google.compute_engine), which our role of type gce needs: "+
			"GKE's Workload Identity leaves them out; use --login=kubernetes there, or a node without it", login.ErrNoCredential)
	}
	return map[string]secret.Value{"jwt": secret.New(jwt)}, nil
}

// gcpWithoutMachine reports whether an identity token has no claims about a machine. Roles of type
// gce need them, and Google says about GKE's Workload Identity only that they may be missing.
func gcpWithoutMachine(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false // Vault will say what it is
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

const (
	// metadataTime is how long a metadata server may take: it is local to the machine.
	metadataTime = 5 * time.Second
	// maxMetadata bounds its answer.
	maxMetadata = 64 << 10
)

// metadata asks a cloud's metadata server. Its errors reveal nothing of the answer.
func metadata(ctx context.Context, address, header, value string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the metadata server: %w", err)
	}
	request.Header.Set(header, value)
	transport := &http.Transport{} // no proxy: the server is on the machine itself
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: asking the cloud's metadata server: %w", login.ErrNoCredential, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxMetadata))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: asking the cloud's metadata server: %w", login.ErrNoCredential, err)
	}
	return content, nil
}

func (o *LoginOptions) variable(name string) string {
	if o.env == nil {
		return ""
	}
	value, _ := o.env(name)
	return value
}
