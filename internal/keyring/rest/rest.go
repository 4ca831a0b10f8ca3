// Package rest asks a web service about a key: one request in JSON, with a token, and its answer. It
// must not know what is asked, nor what an answer means.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 256 << 10

// Answer is an answer whose status is not 200.
type Answer struct {
	// Status is the status code of HTTP.
	Status int
	// Content is the body. It may repeat what was sent.
	Content []byte
}

// Error returns the status alone.
func (a *Answer) Error() string {
	return fmt.Sprintf("it answers %d %s", a.Status, http.StatusText(a.Status))
}

// ErrMalformed means that an answer of status 200 is not in the form that it should have.
var ErrMalformed = errors.New("the answer is malformed")

// NewClient returns a client that follows no redirects, since a token is for one address alone.
func NewClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Post sends ask as JSON and decodes the answer into answer. Any status but 200 is an error that is an
// *Answer; an error that is neither that nor ErrMalformed is about the way to the service.
func Post(ctx context.Context, client *http.Client, address string, token secret.Value, ask, answer any) error {
	content, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("writing a request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("preparing a request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return &Answer{Status: response.StatusCode, Content: got}
	case json.Unmarshal(got, answer) != nil: // whose error could quote it
		return ErrMalformed
	}
	return nil
}
