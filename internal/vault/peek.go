package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"
)

// Peek reads an endpoint whose answer has no 'data', such as sys/rekey/init, with the
// session's token. These are the server's, so it asks in the root namespace.
func (s *Session) Peek(ctx context.Context, path string) (map[string]any, error) {
	var data map[string]any
	_, err := s.repeat(ctx, func(ctx context.Context) (*api.Secret, error) {
		response, err := s.InRoot().client.Logical().ReadRawWithContext(ctx, path)
		if response != nil {
			defer func() { _ = response.Body.Close() }()
		}
		if err != nil {
			return nil, err
		}
		data = nil
		decoder := json.NewDecoder(io.LimitReader(response.Body, maxBody))
		decoder.UseNumber()
		if err := decoder.Decode(&data); err != nil {
			return nil, fmt.Errorf("decoding the answer of %s", path) // the decoder's error quotes what it read
		}
		return nil, nil
	})
	return data, err
}

// Glimpse is what a server shows to a client without a token.
type Glimpse struct {
	// Code is the HTTP status code.
	Code int
	// TLS is whether the answer came over TLS, and CertificateEnds is when the server's certificate
	// expires.
	TLS             bool
	CertificateEnds time.Time
}

// Glimpse asks for an endpoint without a token, and leaves the answer unread.
func (r *Replica) Glimpse(ctx context.Context, path string) (Glimpse, error) {
	if err := r.guard.check(); err != nil {
		return Glimpse{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request := r.client.NewRequest(http.MethodGet, "/v1/"+path)
	request.ClientToken = ""
	//nolint:staticcheck // deprecated in favour of calls that hide the status code, which is what matters here
	response, err := r.client.RawRequestWithContext(ctx, request)
	if response == nil {
		return Glimpse{}, fmt.Errorf("GET %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	glimpse := Glimpse{Code: response.StatusCode}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		glimpse.TLS, glimpse.CertificateEnds = true, response.TLS.PeerCertificates[0].NotAfter
	}
	return glimpse, nil
}
