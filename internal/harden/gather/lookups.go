package gather

import (
	"context"
	"errors"
	"net/http"
	"path"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// lookups reads tokens by their accessors: the last name of a path is the accessor.
type lookups struct{ API }

// Read looks an accessor up. For a token that has expired since it was listed, Vault answers 403 or
// 404 with a message that distinguishes it from a missing grant.
func (l lookups) Read(ctx context.Context, of string) (map[string]any, bool, error) {
	data, err := l.Ask(ctx, path.Dir(of), map[string]any{"accessor": path.Base(of)})
	answered, ok := errors.AsType[interface {
		httpstatus.Error
		Says(text product.Text) bool
	}](err)
	if ok && (answered.HTTPStatus() == http.StatusNotFound || answered.Says(product.InvalidAccessor)) {
		return nil, false, nil
	}
	return data, err == nil && data != nil, err
}
