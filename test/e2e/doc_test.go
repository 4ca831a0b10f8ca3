// Package e2e drives the built binary against real servers, as users do: it sees
// exit codes, output, the store and Vault's own audit log, and nothing else.
package e2e
