package names

import (
	"regexp"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// sibling says which field of an endpoint names something below the same mount.
type sibling struct {
	endpoint, field, what string
	// folders are where it is, below the mount.
	folders []string
}

// siblings are the names between objects of one mount, of which both ends are declared in a seed.
var siblings = []sibling{
	{"database/roles", "db_name", "connection", []string{"config/"}},
	{"database/static-roles", "db_name", "connection", []string{"config/"}},
	{"database/config", "allowed_roles", "role", []string{"roles/", "static-roles/"}},
	{"pki/roles", "issuer_ref", "issuer", []string{"issuer/"}},
	{"pki/config/acme", "allowed_roles", "role", []string{"roles/"}},
	{"pki/config/acme", "allowed_issuers", "issuer", []string{"issuer/"}},
	{"ssh/config/zeroaddress", "roles", "role", []string{"roles/"}},
	{"jwt/config", "default_role", "role", []string{"role/"}},
	{"oidc/config", "default_role", "role", []string{"role/"}},
}

// assigned matches what is not a name of the seed: an ID that the server gave, the default, or a
// pattern.
var assigned = regexp.MustCompile(`^([0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|default|.*[*{].*)$`)

// siblings refers to the other objects of a mount that an object names.
func (c *check) siblings(o object.Object) {
	for _, s := range siblings {
		if s.endpoint != o.Endpoint {
			continue
		}
		root := rootOf(o)
		for _, name := range texts(o.Data[s.field]) {
			if assigned.MatchString(name) {
				continue
			}
			r := reference{s.what, name, nil, o.Position}
			for _, folder := range s.folders {
				r.folders = append(r.folders, root+folder)
			}
			c.refer(o, r)
		}
	}
}

// rootOf returns the path of what is below o's mount, with a slash at its end.
func rootOf(o object.Object) string {
	path := strings.TrimPrefix(string(o.Mount), o.Namespace+"sys/")
	return o.Namespace + strings.TrimPrefix(path, "mounts/") + "/"
}

// issuersOf returns the IDs of the issuers that an object of pki, or a request, makes under a name.
func issuersOf(o object.Object) (ids []string) {
	name, _ := o.Data["issuer_name"].(string)
	switch {
	case name == "":
	case o.Type == "pki" && o.Mount != "":
		ids = append(ids, rootOf(o)+"issuer/"+name)
	case o.IsRequest(): // of a mount that need not be declared
		for i, char := range o.WritePath() {
			if char == '/' {
				ids = append(ids, o.WritePath()[:i+1]+"issuer/"+name)
			}
		}
	}
	return ids
}
