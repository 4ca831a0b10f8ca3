package fields

import (
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// mounts are the mounts of a seed, by the path of what is below them, with a trailing slash.
type mounts map[string]object.Object

func mountsOf(objects []object.Object) mounts {
	found, catalog := mounts{}, map[string]bool{}
	for _, o := range objects {
		if o.ID.IsPlugin() {
			name := string(o.ID)[strings.LastIndexByte(string(o.ID), '/')+1:]
			name, _, _ = strings.Cut(name, "@")
			catalog[name] = true
		}
	}
	for _, o := range objects {
		if !o.IsMount() {
			continue
		}
		if config, _ := o.Data["config"].(map[string]any); catalog[o.Type] || config["plugin_version"] != nil {
			o.Type = "" // somebody's plugin, which may have fields of its own
		}
		path := strings.TrimPrefix(string(o.ID), o.Namespace+"sys/")
		path = strings.TrimPrefix(path, "mounts/")
		found[o.Namespace+path+"/"] = o
	}
	return found
}

// takesFields reports whether an object has fields that are an engine's own.
func takesFields(o object.Object) bool {
	return o.Stage != object.StageNamespaces && (o.Checked() || o.Endpoint == "database/config")
}

// place returns the engine that a path of o leads to, and the path below its mount; known is false
// if the table cannot have it.
func (m mounts) place(o object.Object, path string) (engine, below string, known bool) {
	own := strings.TrimPrefix(path, o.Namespace)
	for _, fixed := range []string{"auth/token", "sys"} { // there from the start
		if below, is := strings.CutPrefix(own, fixed+"/"); is {
			return fixed, below, true
		}
	}
	for i := len(path) - 1; i > len(o.Namespace); i-- {
		if path[i] != '/' {
			continue
		}
		if mount, declared := m[path[:i+1]]; declared {
			engine, known = engineOf(mount)
			return engine, path[i+1:], known
		}
	}
	return "", "", false
}

// engineOf returns the name under which the table has what is mounted; known is false for an engine
// whose fields are not the same on every server.
func engineOf(mount object.Object) (engine string, known bool) {
	engine = mount.Type
	if strings.HasPrefix(string(mount.ID), mount.Namespace+"sys/auth/") {
		engine = "auth/" + engine
	}
	switch {
	case mount.Type == "":
		return "", false
	case engine == "auth/oidc":
		engine = "auth/jwt"
	case engine == "kv":
		return engine, object.IsVersion2(mount) // version 1 takes anything
	}
	return engine, true
}
