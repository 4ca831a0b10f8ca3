package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// azureDefault is the resource that a token is for if --login-audience names none.
const azureDefault = "https://management.azure.com/"

// azure asks for a token of our identity: by AKS' Workload Identity where the webhook has given the
// pod a federated token, else, or if that fails, the machine for its managed identity.
func (o *LoginOptions) azure(ctx context.Context) (map[string]secret.Value, error) {
	resource := o.Audience
	if resource == "" || resource == defaultAudience {
		resource = azureDefault
	}
	token, unfederated := o.azureFederated(ctx, resource)
	if unfederated == nil {
		return map[string]secret.Value{"jwt": token}, nil
	}
	found, err := o.azureMachine(ctx, resource)
	if err != nil {
		return nil, fmt.Errorf("%w: no identity in Azure: Workload Identity: %w; managed identity: %w", login.ErrNoCredential, unfederated, err)
	}
	return found, nil
}

// The variables that AKS' webhook for Workload Identity sets, as in Azure's own libraries.
const (
	azureTokenFile = "AZURE_FEDERATED_TOKEN_FILE"
	azureClientID  = "AZURE_CLIENT_ID"
	azureTenantID  = "AZURE_TENANT_ID"
	azureAuthority = "AZURE_AUTHORITY_HOST"
)

// azureFederated exchanges the pod's federated token at Entra's token endpoint for one that is for
// the resource. Its errors reveal neither.
func (o *LoginOptions) azureFederated(ctx context.Context, resource string) (secret.Value, error) {
	values := map[string]string{}
	for _, name := range []string{azureTokenFile, azureClientID, azureTenantID} {
		if values[name] = o.variable(name); values[name] == "" {
			return secret.Value{}, fmt.Errorf("%s is not set", name)
		}
	}
	assertion, err := os.ReadFile(values[azureTokenFile]) // the kubelet renews it
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the federated token: %w", err)
	}
	host := o.variable(azureAuthority)
	if host == "" {
		host = "https://login.microsoftonline.com/"
	}
	endpoint, err := url.JoinPath(host, values[azureTenantID], "oauth2/v2.0/token")
	if err != nil {
		return secret.Value{}, fmt.Errorf("the variable %s: %w", azureAuthority, err)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {values[azureClientID]},
		// Two slashes if the resource ends with one: then the token is for it as it is written.
		"scope":                 {resource + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {strings.TrimSpace(string(assertion))},
	}
	return exchange(ctx, endpoint, form)
}

// exchangeTime is how long a token endpoint may take.
const exchangeTime = 15 * time.Second

func exchange(ctx context.Context, endpoint string, form url.Values) (secret.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return secret.Value{}, fmt.Errorf("asking for a token: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Nothing is followed: the federated token is for this address alone.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return secret.Value{}, fmt.Errorf("asking for a token: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var said struct {
		Access string `json:"access_token"`
		Error  string `json:"error"`
		Codes  []int  `json:"error_codes"`
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxMetadata))
	if err != nil {
		return secret.Value{}, fmt.Errorf("asking for a token: %w", err)
	}
	broken := json.Unmarshal(content, &said)
	switch {
	case response.StatusCode != http.StatusOK:
		// Not the description: it quotes claims of the token.
		return secret.Value{}, fmt.Errorf("asking %s for a token: it answers %s (%q, AADSTS%v)", request.URL.Host, response.Status, said.Error, said.Codes)
	case broken != nil || said.Access == "":
		return secret.Value{}, fmt.Errorf("asking %s for a token: it answers without one", request.URL.Host)
	}
	return secret.New(said.Access), nil
}

// azureMachine asks the instance metadata service for a managed identity's token, and for the
// machine's resource IDs, which Vault compares. AZURE_POD_IDENTITY_AUTHORITY_HOST sets its address,
// as in Azure's own libraries.
func (o *LoginOptions) azureMachine(ctx context.Context, resource string) (map[string]secret.Value, error) {
	host := o.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST")
	if host == "" {
		host = "http://169.254.169.254"
	}
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
	answer, err := metadata(ctx, strings.TrimSuffix(host, "/")+"/metadata/identity/oauth2/token?"+query.Encode(), "Metadata", "true")
	if err != nil {
		return nil, err
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if json.Unmarshal(answer, &token) != nil || token.Access == "" {
		return nil, errors.New("the metadata service of Azure answers without a token")
	}
	answer, err = metadata(ctx, strings.TrimSuffix(host, "/")+"/metadata/instance?api-version=2021-02-01", "Metadata", "true")
	if err != nil {
		return nil, err
	}
	var machine struct {
		Compute struct {
			VM           string `json:"name"`
			ScaleSet     string `json:"vmScaleSetName"`
			Group        string `json:"resourceGroupName"`
			Subscription string `json:"subscriptionId"`
		} `json:"compute"`
	}
	if json.Unmarshal(answer, &machine) != nil {
		return nil, errors.New("the metadata service of Azure answers without the machine's resource IDs")
	}
	return map[string]secret.Value{
		"jwt": secret.New(token.Access), "subscription_id": secret.New(machine.Compute.Subscription),
		"resource_group_name": secret.New(machine.Compute.Group), "vm_name": secret.New(machine.Compute.VM), "vmss_name": secret.New(machine.Compute.ScaleSet),
	}, nil
}
