package seed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// A role whose 'bound_cidrs' is misspelt is open to all, and Vault drops what it does
// not know without a word: most of its endpoints answer a write with nothing at all.
// So the fields are held against what Vault itself says that an endpoint takes, before
// they are written. This is asked once for each endpoint that is written to, and never
// when there is nothing to write.

// vocabulary knows which fields endpoints take.
type vocabulary struct {
	api Reader
	mu  sync.Mutex
	// known holds the fields by endpoint; an empty list means that any will do.
	known map[string][]string
}

// unknown returns those of o's fields that Vault does not know, with what may be meant.
func (v *vocabulary) unknown(ctx context.Context, o Object) ([]string, error) {
	if !o.checked() {
		return nil, nil
	}
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

// checked reports whether Vault can be asked about o's fields. Those of mounts, and of
// what has a table of its own here, were checked when the seed was read. A database's
// connection takes what its plugin takes.
func (o Object) checked() bool {
	switch o.Stage {
	case StageConfig, StageRoles, StageQuotas, StageNamespaces:
		return o.endpoint != "database/config"
	}
	return o.isRequest() && !o.how.deletes
}

func (v *vocabulary) fields(ctx context.Context, o Object) ([]string, error) {
	key := o.ns + o.endpoint
	if o.isRequest() {
		key = o.writePath()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, asked := v.known[key]; asked {
		return known, nil
	}
	known, err := v.api.Fields(ctx, o.writePath())
	if err == nil && o.how.split != nil && len(known) > 0 {
		var more []string
		if more, err = v.api.Fields(ctx, o.how.split.update); err == nil {
			known = append(known, more...)
		}
	}
	if err != nil {
		return nil, err
	}
	if v.known == nil {
		v.known = map[string][]string{}
	}
	if len(known) > 0 { // else the mount may come later
		v.known[key] = known
	}
	return known, nil
}

// errIgnored marks an object that names fields which Vault does not know.
var errIgnored = errors.New("unknown to Vault are the fields")

func unknownFields(unknown []string) error {
	return fault.Part(fmt.Errorf("%w %s", errIgnored, strings.Join(unknown, ", ")), "Vault would drop them without a word, so the object was not written. Correct their names in the seed, or remove them.")
}

// doubtful reports whether c writes a field that Vault has not shown.
func (c Change) doubtful() bool {
	return c.Action == Create || c.Action == Update && slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Old == nil })
}

// findUnknown marks the changes that name fields which Vault does not know, and refuses
// those that the server cannot hold at all.
func (p *Plan) findUnknown(ctx context.Context, v *vocabulary, there func(ID) bool) error {
	problems := &value.Problems{}
	for i := range p.Changes {
		c := &p.Changes[i]
		if !c.doubtful() || c.Object.Mount != "" && !there(c.Object.Mount) {
			continue
		}
		var err error
		c.Unknown, err = v.unknown(ctx, c.Object)
		switch {
		case enterpriseOnly(err):
			problems.Add(c.Object.Position, "%s: this server lacks %s, which Vault Enterprise has", c.Object.ID, lacking(c.Object))
		case err != nil:
			return err
		}
	}
	return problems.Err("Take it out of the seed, or use a server that has it.")
}
