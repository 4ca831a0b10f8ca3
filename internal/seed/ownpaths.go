package seed

import (
	"path"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// ownPaths are the API paths of the policies, roles and mounts that this program itself
// logs in with. Objects of a seed are compared with them by name; a request may write to
// any path, and Vault has several for most things.
type ownPaths struct {
	// whole are policies and roles: with all that lies below, which is a part of them.
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

// normalPath returns an API path in one spelling: as the vault CLI has it, without a
// slash at an end, empty parts and v1/.
func normalPath(written string) string {
	clean := strings.TrimPrefix(path.Clean("/"+written), "/")
	return strings.TrimPrefix(clean, "v1/")
}

// holds says which of our own things a write to a path touches; "" for none.
func (p ownPaths) holds(written string) string {
	target := normalPath(written)
	for _, own := range p.whole {
		// Vault takes the names of policies, and of most roles, in any letter case; our own
		// in another case is hardly somebody else's where it does not.
		prefix, name := path.Split(own)
		rest, below := strings.CutPrefix(target, prefix)
		if named, _, _ := strings.Cut(rest, "/"); below && strings.EqualFold(named, name) {
			return own
		}
	}
	return ""
}

// reaches says which of our own things a request touches; "" for none.
func (p ownPaths) reaches(o object.Object) string {
	if own := p.holds(o.Traits.Write); own != "" {
		return own
	}
	target := normalPath(o.Traits.Write)
	for _, mount := range p.mounts {
		// An auth method is mounted and tuned below sys/auth, and as one mount of many
		// below sys/mounts; sys/remount takes it elsewhere.
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

// movesFrom reports whether a mount is what moves. What only Vault can answer may be
// any, and is taken for ours.
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
