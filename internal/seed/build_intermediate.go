package seed

import (
	"maps"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// intermediate adds what gives a pki engine an issuer that another engine signs: three requests, which
// are sent together, and not again once the engine has a default issuer. The key never leaves Vault.
func (b *builder) intermediate(r lang.Record, path, kind string, problems *value.Problems) {
	if _, declared := r.Values["intermediate"]; !declared {
		return
	}
	i := r.Inner("intermediate")
	if kind != "pki" {
		problems.Add(i.At, "only a pki engine has an intermediate, and %q is of the type %s", path, kind)
		return
	}
	ns, signer := b.ns, value.TrimPath(i.Text("signed_by"))
	if b.issuers == nil {
		b.issuers = map[string]bool{}
	}
	b.issuers[ns+path] = false
	b.values = append(b.values, func(problems *value.Problems) { // the signer may be declared after it
		if mount, ok := b.engine(ns + signer + "/issuer"); !ok || mount.Type != "pki" || signer == path {
			problems.Add(i.At, "signed_by: %q is not another pki engine that the seed declares", signer)
			return
		}
		if added, signed := b.issuers[ns+signer]; signed && !added {
			problems.Add(i.At, "signed_by: %q is signed by another engine itself: declare it before this one", signer)
			return
		}
		b.issuers[ns+path] = true
		b.ns = ns
		defer func() { b.ns = "" }()
		b.signed(i, path, signer, problems)
	})
}

// beforeOthers puts these requests before all that a seed declares, which may need the issuer.
const beforeOthers = 1 << 20

// signed adds the requests: for a signing request, for its signature, and to take that in.
func (b *builder) signed(i lang.Record, path, signer string, problems *value.Problems) {
	named := pick(i, "common_name")
	csr := maps.Clone(named)
	maps.Copy(csr, i.Rest)
	sign := pick(i, "ttl", "max_path_length")
	maps.Copy(sign, named)
	asked, answered := path+"/intermediate/generate", path+"/intermediate/sign"
	sign["csr"] = value.Reference(value.CallAnswer, i.At, asked, "csr")
	sign["use_csr_values"], sign["format"] = true, "pem_bundle"
	unless := object.Condition{Path: path + "/config/issuers", Field: "default"}
	for _, each := range []struct {
		name, to string
		data     map[string]any
	}{
		{asked, path + "/intermediate/generate/internal", csr},
		{answered, signer + "/root/sign-intermediate", sign},
		{path + "/intermediate/installed", path + "/intermediate/set-signed", map[string]any{"certificate": value.Reference(value.CallAnswer, i.At, answered, "certificate")}},
	} {
		b.signings++
		b.add(object.Request(each.name, each.to, false, each.data, unless, b.signings-beforeOthers), i.At, problems)
	}
}
