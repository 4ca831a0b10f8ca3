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

// namespace returns the namespace that o lives in, "" for the one that is there anyway.
func (o Object) namespace() ID {
	if o.ns == "" {
		return ""
	}
	return ID("sys/namespaces/" + trim(o.ns))
}
