package gather

import (
	"context"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// roleKinds says where a method keeps its roles, and what makes one open to everybody.
func roleKinds() map[string]struct {
	segment string
	open    func(map[string]any) string
} {
	type kind = struct {
		segment string
		open    func(map[string]any) string
	}
	return map[string]kind{
		"kubernetes": {"role", openKubernetes}, "jwt": {"role", openJWT}, "oidc": {"role", openJWT},
		"approle": {"role", openAppRole}, "aws": {"role", openAWS}, "cert": {"certs", openCert},
	}
}

func (g *gatherer) roles(ctx context.Context, facts *harden.Facts) {
	table := g.table(ctx, "sys/auth")
	mounts, known := table.Get()
	if !known {
		facts.Roles = harden.NotKnown[[]harden.Role](table.Why())
		return
	}
	var all []harden.Role
	for _, mount := range mounts {
		kind, ok := roleKinds()[mount.Type]
		if !ok {
			continue
		}
		found := listEach(ctx, g, "auth/"+mount.Path+"/"+kind.segment, func(name string, data map[string]any) harden.Role {
			role := harden.Role{Path: mount.Path + "/" + kind.segment + "/" + name, Open: kind.open(data)}
			if role.Open != "" {
				role.Declared = g.openAsDeclared("auth/"+role.Path, data)
			}
			return role
		})
		roles, known := found.Get()
		if !known {
			facts.Roles = harden.NotKnown[[]harden.Role](found.Why())
			return
		}
		all = append(all, roles...)
	}
	facts.Roles = harden.Known(all)
}

func hasStar(names []string) bool { return slices.Contains(names, "*") }

// openKubernetes: any account of any namespace.
func openKubernetes(role map[string]any) string {
	namespaces := words(role["bound_service_account_namespaces"])
	if hasStar(words(role["bound_service_account_names"])) && (hasStar(namespaces) || len(namespaces) == 0) {
		return "any service account of any namespace"
	}
	return ""
}

// openJWT: an audience is the issuer's, and shared by all who log in there.
func openJWT(role map[string]any) string {
	subject := text(role["bound_subject"])
	if subject != "" && subject != "*" {
		return ""
	}
	for _, value := range mapping(role["bound_claims"]) {
		claims := words(value)
		if one, ok := value.(string); ok {
			claims = []string{one}
		}
		if len(claims) > 0 && !hasStar(claims) {
			return ""
		}
	}
	return "whoever the issuer knows"
}

// openAppRole: the role ID alone, from anywhere.
func openAppRole(role map[string]any) string {
	if truth(role["bind_secret_id"]) {
		return ""
	}
	for _, cidr := range words(role["token_bound_cidrs"]) {
		if !strings.HasSuffix(cidr, "/0") {
			return ""
		}
	}
	return "whoever has the role's ID"
}

// openAWS: every binding that there is has a '*' for an account.
func openAWS(role map[string]any) string {
	for name, value := range role {
		if !strings.HasPrefix(name, "bound_") {
			continue
		}
		bound := words(value)
		if len(bound) > 0 && !slices.ContainsFunc(bound, func(arn string) bool { return arn == "*" || strings.HasPrefix(arn, "arn:aws:iam::*") }) {
			return ""
		}
	}
	return "any principal"
}

// openCert: whoever has a certificate of the CA.
func openCert(role map[string]any) string {
	for name, value := range role {
		if (strings.HasPrefix(name, "allowed_") && name != "allowed_metadata_extensions" || name == "required_extensions") && len(words(value)) > 0 && !hasStar(words(value)) {
			return ""
		}
	}
	return "whoever has a certificate of the CA"
}
