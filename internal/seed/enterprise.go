package seed

import (
	"net/http"
	"strings"
)

// enterpriseOnly reports whether err says that the server lacks what only Vault
// Enterprise has: Vault 1.21 has the paths, and answers this to whatever is asked there.
func enterpriseOnly(err error) bool {
	return status(err) == http.StatusNotFound && strings.Contains(err.Error(), "enterprise-only feature")
}

// lacking names what a server lacks that cannot hold o.
func lacking(o Object) string {
	switch {
	case o.Stage == StageNamespaces:
		return "namespaces"
	case o.endpoint == "quota/lease-count":
		return "quotas of leases"
	}
	return o.writePath()
}

// namespaces returns the namespaces that o lives in; none for the one that is there
// anyway.
func (o Object) namespaces() []ID {
	path := o.ns
	if o.Stage == StageNamespaces {
		path = strings.TrimPrefix(string(o.ID), "sys/namespaces/")
	}
	var found []ID
	for i, char := range path {
		if char == '/' {
			found = append(found, ID("sys/namespaces/"+path[:i]))
		}
	}
	return found
}
