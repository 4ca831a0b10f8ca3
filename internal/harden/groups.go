package harden

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Group is a set of facts that are read together.
type Group string

// The groups.
const (
	GroupOwn        Group = "own"
	GroupAudit      Group = "audit"
	GroupMounts     Group = "mounts"
	GroupServer     Group = "server"
	GroupCORS       Group = "cors"
	GroupHeaders    Group = "headers"
	GroupPolicies   Group = "policies"
	GroupPasswords  Group = "password-policies"
	GroupQuotas     Group = "quotas"
	GroupAttempts   Group = "attempts"
	GroupKey        Group = "key"
	GroupSeal       Group = "seal"
	GroupRaft       Group = "raft"
	GroupLoggers    Group = "loggers"
	GroupReplicas   Group = "replicas"
	GroupRoles      Group = "roles"
	GroupTokens     Group = "tokens"
	GroupRecord     Group = "record"
	GroupKubernetes Group = "kubernetes"
)

// Grant is a path of Vault's API and what a token may do there.
type Grant struct {
	Path         string
	Capabilities []string
}

// reads are the grants that reading each group needs, as seen on Vault 1.21: reading sys/audit,
// CORS, the UI's headers and token accessors needs sudo.
func reads() map[Group][]Grant {
	read, list := []string{"read"}, []string{"list"}
	return map[Group][]Grant{
		GroupAudit:     {{"sys/audit", []string{"read", "sudo"}}},
		GroupMounts:    {{"sys/auth", read}, {"sys/mounts", read}},
		GroupServer:    {{"sys/config/state/sanitized", read}},
		GroupCORS:      {{"sys/config/cors", []string{"read", "sudo"}}},
		GroupHeaders:   {{"sys/config/ui/headers", []string{"list", "sudo"}}, {"sys/config/ui/headers/+", []string{"read", "sudo"}}},
		GroupPolicies:  {{"sys/policies/acl", list}, {"sys/policies/acl/*", read}},
		GroupPasswords: {{"sys/policies/password", list}, {"sys/policies/password/*", read}},
		GroupQuotas:    {{"sys/quotas/rate-limit", list}, {"sys/quotas/rate-limit/+", read}},
		GroupKey:       {{"sys/key-status", read}, {"sys/rotate/config", read}},
		GroupRaft:      {{"sys/storage/raft/autopilot/state", read}},
		GroupLoggers:   {{"sys/loggers", read}},
		GroupRoles: {
			{"sys/auth", read},
			// With the slash, as a list request has it: for OpenBao 2.6, auth/+/role/+ is the closer
			// match, while sys/capabilities-self answers for the path without it. Vault 1.21 takes both.
			{"auth/+/role/", list}, {"auth/+/role/+", read}, {"auth/+/certs/", list}, {"auth/+/certs/+", read},
		},
		GroupTokens: {{"auth/token/accessors", []string{"list", "sudo"}}, {"auth/token/lookup-accessor", []string{"update"}}},
	}
}

// ReadsElsewhere returns what reading the groups takes on some products and versions only, besides
// Reads. Our policy grants it everywhere; no server that does not ask for it misses it.
func ReadsElsewhere(groups ...Group) []Grant {
	var grants []Grant
	if slices.Contains(groups, GroupAttempts) {
		for _, path := range product.GrantedStatuses() {
			grants = append(grants, Grant{path, []string{"read"}})
		}
	}
	return grants
}

// Reads returns what a token needs to read the groups.
func Reads(groups ...Group) []Grant {
	all := reads()
	var grants []Grant
	for _, group := range groups {
		grants = append(grants, all[group]...)
	}
	return grants
}

// serverGroups are the facts about the server as a whole, which only a token of the root namespace
// can read.
var serverGroups = []Group{GroupAudit, GroupServer, GroupCORS, GroupHeaders, GroupQuotas, GroupKey, GroupRaft, GroupLoggers}

// WithoutServer returns those of the groups that can be read in a namespace other than root.
func WithoutServer(groups []Group) []Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return slices.Contains(serverGroups, g) })
}

// AllGroups returns every group there is.
func AllGroups() []Group {
	return []Group{GroupOwn, GroupAudit, GroupMounts, GroupServer, GroupCORS, GroupHeaders, GroupPolicies, GroupPasswords, GroupQuotas,
		GroupAttempts, GroupKey, GroupSeal, GroupRaft, GroupLoggers, GroupReplicas, GroupRoles, GroupTokens, GroupRecord, GroupKubernetes}
}
