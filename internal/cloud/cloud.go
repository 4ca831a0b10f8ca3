// Package cloud finds the identity that a cloud gives to a machine or a pod: that of AWS, Google
// Cloud or Azure. It must not know what the identity is for: who asks says so.
//
// What it returns is for the party that it is meant for, and is a secret. Errors reveal nothing of
// it, and wrap ErrNoIdentity where this machine seems to have none.
package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// ErrNoIdentity means that no identity was found, or none can be had at the moment.
var ErrNoIdentity = errors.New("no identity in the cloud")

// Machine is the machine or pod that this process runs on.
type Machine struct {
	// Variable returns an environment variable, "" if it is not set. AWS' own client reads the
	// environment and its files by itself.
	Variable func(name string) string
	// Now returns the time, which a signature has in it.
	Now func() time.Time
}

const (
	// metadataTime is how long a metadata server may take: it is local to the machine.
	metadataTime = 5 * time.Second
	// maxAnswer bounds its answer, and that of a token endpoint, in bytes.
	maxAnswer = 64 << 10
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
		return nil, fmt.Errorf("%w: asking the cloud's metadata server: %w", ErrNoIdentity, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: asking the cloud's metadata server: %w", ErrNoIdentity, err)
	}
	return content, nil
}

// accessToken returns the access token in an answer as OAuth 2.0 has it, empty if there is none.
func accessToken(answer []byte) secret.Value {
	var token struct {
		Access string `json:"access_token"`
	}
	if json.Unmarshal(answer, &token) != nil {
		return secret.Value{}
	}
	return secret.New(token.Access)
}
