package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// endpointHelp is what Vault answers about one path with ?help=1: the part of its OpenAPI document
// for the path.
type endpointHelp struct {
	OpenAPI struct {
		Info  struct{ Title string }
		Paths map[string]struct {
			Parameters []struct{ Name string }
			Delete     *struct{}
			Post       struct {
				OperationID string `json:"operationId"`
				RequestBody struct {
					Content map[string]struct {
						Schema struct {
							Ref string `json:"$ref"`
						}
					}
				} `json:"requestBody"`
			}
		}
		Components struct {
			Schemas map[string]struct {
				Properties           map[string]json.RawMessage
				AdditionalProperties json.RawMessage `json:"additionalProperties"`
			}
		}
	} `json:"openapi"`
}

// Fields returns the names of the fields that a write to path accepts, sorted; none if it accepts
// any, or if Vault does not say. For a path of a feature that only Vault Enterprise has, the error
// is an Answer with status 404.
func (s *Session) Fields(ctx context.Context, path string) ([]string, error) {
	help, err := s.help(ctx, path)
	if err != nil {
		if Refused(err) { // nothing is mounted there yet, or there is no such path
			return nil, nil
		}
		return nil, fmt.Errorf("asking which fields %s takes: %w", path, err)
	}
	if help.stub() {
		// This is what Vault 1.21 itself answers to any other request there.
		return nil, fmt.Errorf("asking which fields %s takes: %w", path, &Answer{Method: "HELP", Path: path, Status: http.StatusNotFound, Messages: []string{product.EnterpriseOnly.String()}})
	}
	return help.fields(), nil
}

// Deletable reports whether there is a way to delete what is at path; true if Vault does not say.
func (s *Session) Deletable(ctx context.Context, path string) (bool, error) {
	help, err := s.help(ctx, path)
	if err != nil {
		if Refused(err) {
			return true, nil
		}
		return false, fmt.Errorf("asking whether %s can be deleted: %w", path, err)
	}
	return help.deletable(), nil
}

func (s *Session) help(ctx context.Context, path string) (help endpointHelp, err error) {
	_, err = s.repeat(ctx, func(ctx context.Context) (*api.Secret, error) {
		response, err := s.client.Logical().ReadRawWithDataWithContext(ctx, path, map[string][]string{"help": {"1"}})
		if response == nil || err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		return nil, json.NewDecoder(response.Body).Decode(&help)
	})
	return help, err
}

// stub reports whether the path is only a stub for an Enterprise feature.
func (h endpointHelp) stub() bool {
	for _, path := range h.OpenAPI.Paths {
		if strings.HasPrefix(path.Post.OperationID, "enterprise-stub-") {
			return true
		}
	}
	return false
}

// deletable reports whether one of the paths can be deleted; true if there are none.
func (h endpointHelp) deletable() bool {
	for _, path := range h.OpenAPI.Paths {
		if path.Delete != nil {
			return true
		}
	}
	return len(h.OpenAPI.Paths) == 0
}

func (h endpointHelp) fields() []string {
	names := map[string]bool{}
	for _, path := range h.OpenAPI.Paths {
		// OpenBao 2.6 does not show which endpoints take any field, such as those of KV version 1:
		// they look like endpoints that take none.
		if h.OpenAPI.Info.Title == "OpenBao API" && len(path.Post.RequestBody.Content) == 0 {
			return nil
		}
		for _, content := range path.Post.RequestBody.Content {
			schema := h.OpenAPI.Components.Schemas[strings.TrimPrefix(content.Schema.Ref, "#/components/schemas/")]
			if len(schema.Properties) == 0 || string(schema.AdditionalProperties) == "true" {
				return nil
			}
			for name := range schema.Properties {
				names[name] = true
			}
		}
		for _, parameter := range path.Parameters {
			names[parameter.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
