// Package policy is about Vault's policies: what Vault refuses in an ACL or password policy or
// silently drops from it, what reading and writing given objects needs, and the policy of this
// program's own login, which follows from that.
//
// It must not know seeds, and asks Vault nothing.
package policy
