// Package fields knows the fields of the roles and configurations of common auth methods and
// secrets engines: a table of their names and types, made from what the servers say of themselves
// (test/seed, TestFieldTable), and what follows from it for a seed that is read without a server.
//
//	Read    the table, in memory
//	Check   objects → warnings and problems
//
// It must not know how a seed is written, nor what a server holds. What it does not know, the server
// may know: an unknown field is a warning, and only a value that no server can take is a problem.
package fields
