package names

import (
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// builtinMounts exist on every server, by the folder of their IDs.
var builtinMounts = map[string][]string{
	"sys/auth/":   {"token"},
	"sys/mounts/": {"cubbyhole", "identity", "sys"},
}

// calls refers to what the references in an object need of Vault: the accessors of mounts, and the IDs
// of entities and groups, of which aliases and groups are made.
func (c *check) calls(o object.Object) {
	visit := func(p value.Part, at value.Position) {
		switch p.Call {
		case value.CallEntity, value.CallGroup:
			c.refer(o, reference{p.Call, p.Args[0], []string{o.Namespace + "identity/" + p.Call + "/name/"}, at})
		case value.CallAccessor:
			if o.Stage == object.StageAliases {
				c.mount(o, "auth method", p.Args[0], at, "sys/auth/")
			} else {
				c.mount(o, "mount", p.Args[0], at, "sys/auth/", "sys/mounts/")
			}
		}
	}
	for _, fields := range []map[string]any{o.Data, o.Traits.Extra} {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			value.EachPart(fields[name], visit)
		}
	}
}

// mount refers to a mount in the namespace of an object, by the folders that it may be in.
func (c *check) mount(o object.Object, what, path string, at value.Position, folders ...string) {
	path = value.TrimPath(path)
	r := reference{what, path, nil, at}
	for _, folder := range folders {
		if slices.Contains(builtinMounts[folder], path) || folder == "sys/auth/" && slices.Contains(c.AuthMethods, path) {
			return
		}
		r.folders = append(r.folders, o.Namespace+folder)
	}
	c.refer(o, r)
}

// quota refers to the mount that a rate limit is for.
func (c *check) quota(o object.Object) {
	path, _ := o.Data["path"].(string)
	path = value.TrimPath(path)
	if o.Endpoint != "quota/rate-limit" || path == "" {
		return
	}
	folder, own := "sys/mounts/", path
	if rest, isAuth := strings.CutPrefix(path, "auth/"); isAuth {
		folder, own = "sys/auth/", rest
	}
	for i := range len(own) + 1 { // a path below a mount, or one in a namespace
		if i < len(own) && own[i] != '/' {
			continue
		}
		if c.declared[canonical(o.Namespace+folder+own[:i])] || c.declared[canonical(o.Namespace+"sys/namespaces/"+own[:i])] || slices.Contains(builtinMounts[folder], own[:i]) {
			return
		}
	}
	c.mount(o, "mount", own, o.Position, folder)
}
