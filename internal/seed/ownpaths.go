package seed

import (
	"path"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// ownPaths are the API paths of the policies, roles and mounts that this program itself logs in
// with. Objects of a seed are compared with them by ID; but a request may write to any path, and
// Vault has several for most things.
type ownPaths struct {
	// whole are policies and roles, including everything below them.
	whole []string
	// mounts are the auth methods, such as "auth/kubernetes".
	mounts []string
}

func ownPathsOf(own []object.Object) ownPaths {
	var paths ownPaths
	for _, o := range own {
		id := normalPath(string(o.ID))
		switch {
		case o.Stage == object.StagePolicies:
			paths.whole = append(paths.whole, id, "sys/policy/"+strings.TrimPrefix(id, "sys/policies/acl/"))
		case o.Stage == object.StageRoles:
			paths.whole = append(paths.whole, id)
		case o.IsMount():
			paths.mounts = append(paths.mounts, strings.TrimPrefix(id, "sys/"))
		}
	}
	return paths
}

// normalPath normalizes an API path: without leading and trailing slashes, empty segments and v1/,
// as the vault CLI writes it.
func normalPath(written string) string {
	clean := strings.TrimPrefix(path.Clean("/"+written), "/")
	return strings.TrimPrefix(clean, "v1/")
}

// holds returns which of our own objects a write to a path touches; "" for none.
func (p ownPaths) holds(written string) string {
	target := normalPath(written)
	for _, own := range p.whole {
		// Vault ignores the case of the names of policies, and of most roles. Where it does not,
		// our own name in another case is hardly somebody else's.
		prefix, name := path.Split(own)
		rest, below := strings.CutPrefix(target, prefix)
		if named, _, _ := strings.Cut(rest, "/"); below && strings.EqualFold(named, name) {
			return own
		}
	}
	return ""
}

// reaches returns which of our own objects a request touches; "" for none.
func (p ownPaths) reaches(o object.Object) string {
	if own := p.holds(o.Traits.Write); own != "" {
		return own
	}
	target := normalPath(o.Traits.Write)
	for _, mount := range p.mounts {
		// An auth method is mounted and tuned below sys/auth, and as one mount of many below
		// sys/mounts; sys/remount moves it.
		for _, at := range []string{"sys/" + mount, "sys/mounts/" + mount} {
			if target == at || target == at+"/tune" {
				return at
			}
		}
		if target == "sys/remount" && movesFrom(o.Data["from"], mount) {
			return "sys/" + mount
		}
	}
	return ""
}

// movesFrom reports whether a remount moves mount. A reference that only Vault can answer may be
// any mount, and counts as ours.
func movesFrom(from any, mount string) bool {
	switch from := from.(type) {
	case string:
		return normalPath(from) == mount
	case secret.Value:
		return normalPath(from.Reveal()) == mount
	case value.Template, value.Generator:
		return true
	}
	return false
}
