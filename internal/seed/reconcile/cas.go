package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// put writes for o. An engine, or a value in it, may demand the version that a write replaces: then
// it is read and sent, since the seed cannot know it.
func (a *applying) put(ctx context.Context, o object.Object, p put) (answer map[string]any, warnings []string, err error) {
	answer, warnings, err = a.send(ctx, p)
	if o.Stage != object.StageValues || !wantsVersion(err) {
		return answer, warnings, err
	}
	shown, _, readErr := a.api.Read(ctx, p.path)
	if readErr != nil {
		return nil, nil, fmt.Errorf("reading the version to replace: %w", readErr)
	}
	// Vault shows that of a deleted value as well; there is none before the first one.
	metadata, _ := shown["metadata"].(map[string]any)
	var version any = json.Number("0")
	if number, there := metadata["version"]; there {
		version = number
	}
	options, _ := p.data["options"].(map[string]any)
	options = maps.Clone(options)
	if options == nil {
		options = map[string]any{}
	}
	options["cas"] = version
	data := maps.Clone(p.data)
	data["options"] = options
	return a.send(ctx, put{p.path, data})
}

// wantsVersion reports whether err says that a write to KV must name the version that it replaces.
// Vault 1.21 and OpenBao 2.6 say so only if it names none.
func wantsVersion(err error) bool {
	return httpstatus.Of(err) == http.StatusBadRequest && product.CASRequired.In(err.Error())
}
