// Package acl reads Vault's policies and says which of their rules a path falls under.
package acl
