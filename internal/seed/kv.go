package seed

import (
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// saving is where Vault's answer to a write is kept in KV.
type saving struct {
	path string
	// wrapped is whether the engine is of version 2, which takes values under "data".
	wrapped bool
}

// mounts returns the engines that can hold the path in the namespace ns.
func (s saving) mounts(ns string) (ids []ID) {
	path := strings.TrimPrefix(s.path, ns)
	for i, letter := range path {
		if letter == '/' {
			ids = append(ids, ID(ns+"sys/mounts/"+path[:i]))
		}
	}
	return ids
}

// body returns what is written to keep answer.
func (s saving) body(answer map[string]any) map[string]any {
	if s.wrapped {
		return map[string]any{"data": answer}
	}
	return answer
}

// onceValue returns values that are written to a KV engine where there is nothing.
// name is the path below the mount.
func onceValue(mount string, version2 bool, name string, values map[string]any) Object {
	o := Object{
		ID: ID(mount + "/" + name), Stage: StageValues, Mount: ID("sys/mounts/" + mount), Type: "kv", Data: values,
		endpoint: "kv/once", how: traits{once: true, hushed: true},
	}
	if version2 {
		// Metadata tells whether there is anything, and holds no secret. cas 0 has
		// Vault refuse the write if somebody was quicker.
		o.ID, o.how.read = ID(mount+"/data/"+name), mount+"/metadata/"+name
		o.Data = map[string]any{"data": values, "options": map[string]any{"cas": 0}}
	}
	return o
}

// startupValue returns values that are kept as declared at an API path of a KV engine.
func startupValue(mount ID, path string, wrapped bool, values, options map[string]any) Object {
	o := Object{ID: ID(path), Stage: StageValues, Mount: mount, Type: "kv", Data: values, endpoint: "kv/startup", how: traits{hushed: true, exact: true, whole: !wrapped}}
	if wrapped {
		o.Data = map[string]any{"data": values}
	}
	if len(options) > 0 {
		o.how.extra = map[string]any{"options": options}
	}
	return o
}

// caBundle imports a CA where there is none: key and certificates in one text.
func caBundle(mount ID, path string, values map[string]any, at value.Position) Object {
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
	o := Object{ID: ID(path), Stage: StageConfig, Mount: mount, Type: "pki", Data: map[string]any{"pem_bundle": bundle}, endpoint: "pki/ca"}
	if segment {
		odd(&o, root, "pki", "config/ca")
	}
	o.how.once = true
	return o
}
