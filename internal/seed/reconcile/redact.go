package reconcile

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// scrubLength is the shortest secret that is scrubbed: shorter ones protect nothing, and replacing
// them would make the message unreadable.
const scrubLength = 4

// scrub returns err without the secrets of o: Vault's messages quote what was sent. A changed error
// keeps its status, but not its chain.
func scrub(err error, o object.Object) error {
	if err == nil {
		return nil
	}
	var spellings []string
	texts := value.SecretTexts(o.Data)
	if o.Traits.Redacted {
		texts = value.AllTexts(o.Data)
	}
	for _, text := range texts {
		asJSON, _ := json.Marshal(text)
		spellings = append(spellings, text, strings.TrimSpace(text), strings.Trim(strconv.Quote(text), `"`), strings.Trim(string(asJSON), `"`))
	}
	// Longest first, so that no part of one remains if it contains another.
	slices.SortFunc(spellings, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	clean := err.Error()
	for _, spelling := range spellings {
		if len(spelling) >= scrubLength {
			clean = strings.ReplaceAll(clean, spelling, secret.Redacted)
		}
	}
	if clean == err.Error() {
		return err
	}
	return &answer{code: httpstatus.Of(err), text: clean}
}
