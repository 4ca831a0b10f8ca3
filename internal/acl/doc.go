// Package acl parses Vault's policies and matches paths against their rules.
package acl
