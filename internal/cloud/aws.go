package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// defaultRegion is that of STS's global endpoint.
const defaultRegion = "us-east-1"

// AWS returns what a client of AWS needs in a region, with the credentials that AWS' own tools would
// find: those of the environment, a profile, a service account (IRSA), a pod (EKS Pod Identity), or
// the instance. They are only looked for when they are used. If region is empty, it is AWS_REGION,
// or else us-east-1.
func (m Machine) AWS(ctx context.Context, region string) (aws.Config, error) {
	if region == "" {
		region = m.Variable("AWS_REGION")
	}
	if region == "" {
		region = defaultRegion
	}
	found, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading AWS' settings: %w", err)
	}
	return found, nil
}

// serverIDHeader is the header that binds a signed request to one Vault.
const serverIDHeader = "X-Vault-AWS-IAM-Server-ID"

// whoAmI is the request that is signed: a call of STS, which answers with the identity that signed
// it.
const whoAmI = "Action=GetCallerIdentity&Version=2011-06-15"

// AWSCaller signs a request to STS, with which its receiver can ask AWS who we are, and returns it
// as the aws auth method of Vault takes it. Whoever has it can do so for 15 minutes. serverID is
// signed with it unless it is empty.
func (m Machine) AWSCaller(ctx context.Context, region, serverID string) (map[string]secret.Value, error) {
	settings, err := m.AWS(ctx, region)
	if err != nil {
		return nil, err
	}
	// The global endpoint, as Vault asks by default, is in that region.
	endpoint, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, sts.EndpointParameters{
		Region: &settings.Region, UseGlobalEndpoint: aws.Bool(settings.Region == defaultRegion),
	})
	if err != nil {
		return nil, fmt.Errorf("finding the address of STS in the region %q: %w", settings.Region, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(endpoint.URI.String(), "/")+"/", strings.NewReader(whoAmI))
	if err != nil {
		return nil, fmt.Errorf("preparing a request to STS: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if serverID != "" {
		request.Header.Set(serverIDHeader, serverID)
	}
	credentials, err := settings.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: in AWS: %w", ErrNoIdentity, err)
	}
	digest := sha256.Sum256([]byte(whoAmI))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), "sts", settings.Region, m.Now()); err != nil {
		return nil, fmt.Errorf("signing a request to STS: %w", err)
	}
	headers, err := json.Marshal(request.Header)
	if err != nil {
		return nil, fmt.Errorf("writing the headers of a request to STS: %w", err)
	}
	encoded := func(text string) secret.Value { return secret.New(base64.StdEncoding.EncodeToString([]byte(text))) }
	return map[string]secret.Value{
		"iam_http_request_method": secret.New(request.Method), "iam_request_url": encoded(request.URL.String()),
		"iam_request_headers": encoded(string(headers)), "iam_request_body": encoded(whoAmI),
	}, nil
}
