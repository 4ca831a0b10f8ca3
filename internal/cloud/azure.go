package cloud

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
)

// AzureToken returns a token for a resource: by AKS' Workload Identity where the webhook has given
// the pod a federated token, else, or if that fails, for the managed identity of the machine.
// managed says which it was.
func (m Machine) AzureToken(ctx context.Context, resource string) (token secret.Value, managed bool, err error) {
	token, unfederated := m.azureFederated(ctx, resource)
	if unfederated == nil {
		return token, false, nil
	}
	if token, err = m.azureManaged(ctx, resource); err != nil {
		return secret.Value{}, false, fmt.Errorf("%w: in Azure: Workload Identity: %w; managed identity: %w", ErrNoIdentity, unfederated, err)
	}
	return token, true, nil
}

// AzureTokenFile is the variable that names the file with the federated token.
const AzureTokenFile = "AZURE_FEDERATED_TOKEN_FILE"

// The other variables that AKS' webhook for Workload Identity sets, as in Azure's own libraries.
const (
	azureClientID  = "AZURE_CLIENT_ID"
	azureTenantID  = "AZURE_TENANT_ID"
	azureAuthority = "AZURE_AUTHORITY_HOST"
)

// azureFederated exchanges the pod's federated token at Entra's token endpoint for one that is for
// the resource. Its errors reveal neither.
func (m Machine) azureFederated(ctx context.Context, resource string) (secret.Value, error) {
	values := map[string]string{}
	for _, name := range []string{AzureTokenFile, azureClientID, azureTenantID} {
		if values[name] = m.Variable(name); values[name] == "" {
			return secret.Value{}, fmt.Errorf("%s is not set", name)
		}
	}
	assertion, err := os.ReadFile(values[AzureTokenFile]) // the kubelet renews it
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the federated token: %w", err)
	}
	host := m.Variable(azureAuthority)
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
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
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

// azureHost is the instance metadata service. AZURE_POD_IDENTITY_AUTHORITY_HOST sets its address,
// as in Azure's own libraries.
func (m Machine) azureHost() string {
	if host := m.Variable("AZURE_POD_IDENTITY_AUTHORITY_HOST"); host != "" {
		return strings.TrimSuffix(host, "/")
	}
	return "http://169.254.169.254"
}

// azureManaged asks the instance metadata service for a managed identity's token.
func (m Machine) azureManaged(ctx context.Context, resource string) (secret.Value, error) {
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
	answer, err := metadata(ctx, m.azureHost()+"/metadata/identity/oauth2/token?"+query.Encode(), "Metadata", "true")
	if err != nil {
		return secret.Value{}, err
	}
	token := accessToken(answer)
	if token.Empty() {
		return secret.Value{}, errors.New("the metadata service of Azure answers without a token")
	}
	return token, nil
}

// AzureMachine are the resource IDs of a machine. VM and ScaleSet may be empty.
type AzureMachine struct {
	VM           string `json:"name"`
	ScaleSet     string `json:"vmScaleSetName"`
	Group        string `json:"resourceGroupName"`
	Subscription string `json:"subscriptionId"`
}

// AzureMachine asks the instance metadata service for the machine's resource IDs.
func (m Machine) AzureMachine(ctx context.Context) (AzureMachine, error) {
	answer, err := metadata(ctx, m.azureHost()+"/metadata/instance?api-version=2021-02-01", "Metadata", "true")
	if err != nil {
		return AzureMachine{}, err
	}
	var machine struct{ Compute AzureMachine }
	if json.Unmarshal(answer, &machine) != nil {
		return AzureMachine{}, fmt.Errorf("%w: the metadata service of Azure answers without the machine's resource IDs", ErrNoIdentity)
	}
	return machine.Compute, nil
}
