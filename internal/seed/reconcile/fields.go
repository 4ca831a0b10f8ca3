package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// A role whose 'bound_cidrs' is misspelt is open to all, and Vault silently drops fields that it
// does not recognize: most of its endpoints answer a write with nothing at all. So before fields
// are written, they are compared with those that Vault says the endpoint accepts. Vault is asked
// once for each endpoint that is written to, and not at all if there is nothing to write.

// vocabulary knows which fields endpoints accept. Different endpoints are asked at the same time.
type vocabulary struct {
	api Reader
	mu  sync.Mutex
	// known holds what was learned by endpoint.
	known map[string]*endpoint
	// writing is whether the mounts and namespaces of the objects exist by now.
	writing bool
}

// endpoint is what Vault says about one endpoint: no fields means that any are accepted.
type endpoint struct {
	mu     sync.Mutex
	asked  bool
	fields []string
}

// unknown returns those of o's fields that Vault does not recognize, with suggestions. o is
// Checked.
func (v *vocabulary) unknown(ctx context.Context, o object.Object) ([]string, error) {
	known, err := v.fields(ctx, o)
	if err != nil || len(known) == 0 {
		return nil, err
	}
	var unknown []string
	for _, name := range o.CheckedFields() {
		if slices.Contains(known, name) {
			continue
		}
		text := fmt.Sprintf("%q", name)
		if meant := value.Nearest(name, known); meant != "" {
			text += fmt.Sprintf(" (did you mean %q?)", meant)
		}
		unknown = append(unknown, text)
	}
	return unknown, nil
}

func (v *vocabulary) fields(ctx context.Context, o object.Object) ([]string, error) {
	at := v.endpoint(endpointOf(o))
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.asked {
		return at.fields, nil
	}
	known, err := v.api.Fields(ctx, o.FieldsPath())
	if err == nil && o.Traits.Split != nil && len(known) > 0 {
		var more []string
		if more, err = v.api.Fields(ctx, o.Traits.Split.Update); err == nil {
			known = append(known, more...)
		}
	}
	if err != nil {
		return nil, err
	}
	// Before anything is written, an empty answer may only mean that the namespace does not exist yet.
	at.fields, at.asked = known, len(known) > 0 || v.writing
	return known, nil
}

func (v *vocabulary) endpoint(key string) *endpoint {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := v.known[key]
	if at == nil {
		if v.known == nil {
			v.known = map[string]*endpoint{}
		}
		at = &endpoint{}
		v.known[key] = at
	}
	return at
}

// endpointOf returns what objects that accept the same fields have in common.
func endpointOf(o object.Object) string {
	if o.IsRequest() {
		return o.WritePath()
	}
	if listing, _ := o.Table(); listing != "" { // those of auth methods and of engines differ
		return listing
	}
	return o.Namespace + o.Endpoint
}

// errIgnored marks an object with fields that Vault does not recognize.
var errIgnored = errors.New("Vault does not recognize these fields") //nolint:staticcheck // Vault is a name

func unknownFields(unknown []string) error {
	return fault.Part(fmt.Errorf("%w: %s", errIgnored, strings.Join(unknown, ", ")), "Vault would silently drop them, so the object was not written. Correct their names in the seed, or remove them.")
}

// findUnknown marks the changes with fields that Vault does not recognize, and refuses those that
// the server does not support at all.
func (p *Plan) findUnknown(ctx context.Context, v *vocabulary, parallelism int, there func(object.ID) bool) error {
	problems := &value.Problems{}
	var first []object.Object // of each endpoint
	met := map[string]bool{}
	for _, c := range p.Changes {
		if c.doubtful() && (c.Object.Mount == "" || there(c.Object.Mount)) && !met[endpointOf(c.Object)] {
			met[endpointOf(c.Object)] = true
			first = append(first, c.Object)
		}
	}
	// An error here occurs again below, where it is reported.
	_ = each(ctx, len(first), parallelism, func(ctx context.Context, i int) error {
		_, err := v.fields(ctx, first[i])
		return err
	})
	for i := range p.Changes {
		c := &p.Changes[i]
		if !c.doubtful() || c.Object.Mount != "" && !there(c.Object.Mount) {
			continue
		}
		var err error
		c.Unknown, err = v.unknown(ctx, c.Object)
		switch {
		case enterpriseOnly(err):
			problems.Add(c.Object.Position, "%s: this server lacks %s, which Vault Enterprise has", c.Object.ID, object.Lacking(c.Object))
		case err != nil:
			return err
		}
	}
	return problems.Err("Remove it from the seed, or use a server that has it.")
}

// enterpriseOnly reports whether err says that the feature needs Vault Enterprise: Vault 1.21 has
// the paths, and answers this to every request there.
func enterpriseOnly(err error) bool {
	return httpstatus.Of(err) == http.StatusNotFound && product.EnterpriseOnly.In(err.Error())
}

// withPasswordPolicies returns an error for values to be generated with a password policy that is
// neither declared nor there.
func (p *Plan) withPasswordPolicies(ctx context.Context, api reader, objects []object.Object) error {
	declared := declaredIDs(objects)
	problems := &value.Problems{}
	var trouble error
	for _, c := range p.Changes {
		if c.Action == None {
			continue
		}
		value.EachGenerator(c.Object.Data, func(g value.Generator) {
			path := c.Object.Namespace + "sys/policies/password/" + g.Policy
			if g.Policy == "" || declared[object.ID(path)] || trouble != nil {
				return
			}
			_, found, err := api.Read(ctx, path)
			switch {
			case err != nil:
				trouble = fmt.Errorf("reading %s: %w", path, err)
			case !found:
				problems.Add(c.Object.Position, "%s is generated with the password policy %q, which is neither declared nor there", c.Object.ID, g.Policy)
			}
		})
	}
	if trouble != nil {
		return trouble
	}
	return problems.Err("Declare the password policy in the seed, or correct its name.")
}

// ahead reads the fields of o's endpoint, whose mount was just created, while other mounts are being
// created. A write to the endpoint waits for them.
func (v *vocabulary) ahead(ctx context.Context, o object.Object) {
	_, _ = v.fields(ctx, o) // the write asks again, and reports the error
}

// firstBelow returns one object for each endpoint that Vault is asked about, by the mounts that are
// being created.
func firstBelow(pending []Change) map[object.ID][]object.Object {
	made, met, below := map[object.ID]bool{}, map[string]bool{}, map[object.ID][]object.Object{}
	for _, c := range pending {
		made[c.Object.ID] = made[c.Object.ID] || c.Object.IsMount() && c.Action == Create
	}
	for _, c := range pending {
		if made[c.Object.Mount] && c.doubtful() && !met[endpointOf(c.Object)] {
			met[endpointOf(c.Object)] = true
			below[c.Object.Mount] = append(below[c.Object.Mount], c.Object)
		}
	}
	return below
}
