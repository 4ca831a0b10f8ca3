package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/hashicorp/vault/api"
)

// read reads path once. Plans need thousands of reads, for which the API client's own parser is
// slow: it copies each answer twice and compares it by reflection. Answers that do not have the
// usual form are left to that parser.
func (s *Session) read(ctx context.Context, path string, query url.Values) (*api.Secret, error) {
	logical := s.client.Logical()
	response, err := logical.ReadRawWithDataWithContext(ctx, path, query)
	if response == nil {
		return nil, err
	}
	if err != nil || response.StatusCode != http.StatusOK {
		return logical.ParseRawResponseAndCloseBody(response, err)
	}
	defer func() { _ = response.Body.Close() }()
	// The length is only what the server claims: the buffer grows beyond maxBody as data arrives.
	body := bytes.NewBuffer(make([]byte, 0, min(max(response.ContentLength, 0), maxBody)+bytes.MinRead))
	if _, err := body.ReadFrom(response.Body); err != nil {
		return nil, err
	}
	return parse(body.Bytes())
}

// parse decodes an answer. The usual one has an ID, and its content under "data".
func parse(body []byte) (*api.Secret, error) {
	var answer struct {
		RequestID string `json:"request_id"`
		// Data is not a map[string]any: decoding into one uses reflection for each key.
		Data     any      `json:"data"`
		Warnings []string `json:"warnings"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := decoder.Decode(&answer)
	data, isMap := answer.Data.(map[string]any)
	if err != nil || answer.RequestID == "" || answer.Data != nil && !isMap {
		return api.ParseSecret(bytes.NewReader(body))
	}
	return &api.Secret{RequestID: answer.RequestID, Data: data, Warnings: answer.Warnings}, nil
}
