package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// A role whose 'bound_cidrs' is misspelt is open to all, and Vault drops what it does
// not know without a word: most of its endpoints answer a write with nothing at all.
// So the fields are held against what Vault itself says that an endpoint takes, before
// they are written. This is asked once for each endpoint that is written to, and never
// when there is nothing to write.

// vocabulary knows which fields endpoints take. Different endpoints are asked at the same time.
type vocabulary struct {
	api Reader
	mu  sync.Mutex
	// known holds what was learned by endpoint.
	known map[string]*endpoint
	// writing is whether what the objects lie in is there by now.
	writing bool
}

// endpoint is what Vault says of one: no fields mean that any will do.
type endpoint struct {
	mu     sync.Mutex
	asked  bool
	fields []string
}

// unknown returns those of o's fields that Vault does not know, with what may be meant. o is
// one that Vault can be asked about.
func (v *vocabulary) unknown(ctx context.Context, o object.Object) ([]string, error) {
	known, err := v.fields(ctx, o)
	if err != nil || len(known) == 0 {
		return nil, err
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(o.Data)) {
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
	known, err := v.api.Fields(ctx, o.WritePath())
	if err == nil && o.Traits.Split != nil && len(known) > 0 {
		var more []string
		if more, err = v.api.Fields(ctx, o.Traits.Split.Update); err == nil {
			known = append(known, more...)
		}
	}
	if err != nil {
		return nil, err
	}
	// Before anything is written, no answer may only mean that its namespace is not there yet.
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

// endpointOf names what objects have in common that take the same fields.
func endpointOf(o object.Object) string {
	if o.IsRequest() {
		return o.WritePath()
	}
	return o.Namespace + o.Endpoint
}

// errIgnored marks an object that names fields which Vault does not know.
var errIgnored = errors.New("unknown to Vault are the fields")

func unknownFields(unknown []string) error {
	return fault.Part(fmt.Errorf("%w %s", errIgnored, strings.Join(unknown, ", ")), "Vault would drop them without a word, so the object was not written. Correct their names in the seed, or remove them.")
}

// findUnknown marks the changes that name fields which Vault does not know, and refuses
// those that the server cannot hold at all.
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
	// What fails here fails below again, where it is reported.
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
	return problems.Err("Take it out of the seed, or use a server that has it.")
}

// enterpriseOnly reports whether err says that the server lacks what only Vault
// Enterprise has: Vault 1.21 has the paths, and answers this to whatever is asked there.
func enterpriseOnly(err error) bool {
	return httpstatus.Of(err) == http.StatusNotFound && strings.Contains(err.Error(), "enterprise-only feature")
}

// withPasswordPolicies returns an error that names what is to be generated with a
// password policy that is neither declared nor there.
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

// ahead learns the fields of o's endpoint, whose mount was just made, while other mounts are made:
// whoever writes there waits for them.
func (v *vocabulary) ahead(ctx context.Context, o object.Object) {
	_, _ = v.fields(ctx, o) // who writes asks again, and reports it
}

// firstBelow returns an object of each endpoint that is asked about, by the mounts that are
// created.
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
