// Package policy is about Vault's policies: what Vault refuses in an ACL or password policy
// or drops from it without a word, what reading and writing given objects needs, and the
// policy of this program's own login that is made of that.
//
// It must not know seeds, and asks Vault nothing.
package policy
