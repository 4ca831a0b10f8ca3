package object

import (
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Saving is where Vault's answer to a write is kept in KV.
type Saving struct {
	Path string
	// Wrapped is whether the engine is of version 2, which takes values under "data".
	Wrapped bool
}

// Mounts returns the IDs of the engines that could hold the path in the namespace ns.
func (s Saving) Mounts(ns string) (ids []ID) {
	path := strings.TrimPrefix(s.Path, ns)
	for i, letter := range path {
		if letter == '/' {
			ids = append(ids, ID(ns+"sys/mounts/"+path[:i]))
		}
	}
	return ids
}

// Body returns what is written to keep answer.
func (s Saving) Body(answer map[string]any) map[string]any {
	if s.Wrapped {
		return map[string]any{"data": answer}
	}
	return answer
}

// OnceValue returns values that are written to a KV engine only if nothing is there. name is the
// path below the mount.
func OnceValue(mount string, version2 bool, name string, values map[string]any) Object {
	o := Object{
		ID: ID(mount + "/" + name), Stage: StageValues, Mount: ID("sys/mounts/" + mount), Type: "kv", Data: values,
		Endpoint: "kv/once", Traits: Traits{Once: true, Redacted: true},
	}
	if version2 {
		// Metadata shows whether anything is there, and holds no secret. With cas 0, Vault refuses
		// the write if somebody was quicker.
		o.ID, o.Traits.Read = ID(mount+"/data/"+name), mount+"/metadata/"+name
		o.Data = map[string]any{"data": values, "options": map[string]any{"cas": 0}}
	}
	return o
}

// StartupValue returns values that are kept as declared, at an API path of a KV engine.
func StartupValue(mount ID, path string, wrapped bool, values, options map[string]any) Object {
	o := Object{ID: ID(path), Stage: StageValues, Mount: mount, Type: "kv", Data: values, Endpoint: "kv/startup", Traits: Traits{Redacted: true, Exact: true, Whole: !wrapped}}
	if wrapped {
		o.Data = map[string]any{"data": values}
	}
	if len(options) > 0 {
		o.Traits.Extra = map[string]any{"options": options}
	}
	return o
}

// CABundle returns the import of a CA, if there is none: key and certificates in one text.
func CABundle(mount ID, path string, values map[string]any, at value.Position) Object {
	bundle := value.Template{At: at, Source: "bundle", Secret: true}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch v := values[name].(type) {
		case value.Template:
			bundle.Parts = append(bundle.Parts, v.Parts...)
		default:
			bundle.Parts = append(bundle.Parts, value.Part{Text: value.ToText(v)})
		}
		bundle.Parts = append(bundle.Parts, value.Part{Text: "\n"})
	}
	root, segment := strings.CutSuffix(path, "/config/ca")
	o := Object{ID: ID(path), Stage: StageConfig, Mount: mount, Type: "pki", Data: map[string]any{"pem_bundle": bundle}, Endpoint: "pki/ca"}
	if segment {
		quirks(&o, root, "pki", "config/ca")
	}
	o.Traits.Once = true
	return o
}
