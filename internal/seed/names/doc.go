// Package names finds names in a seed that nobody declares: a role with a policy that does not exist,
// an alias at an auth method that is not there, a role of a database without a connection. Servers take
// most of them, and nothing works then.
//
// It must not know what a server holds: what a seed does not declare may exist there, so that all that
// it finds are warnings.
package names
