// Package lang is the language of seeds: one table of its keys, and what is made of that
// table: the reader of YAML documents, the JSON Schema for editors and the reference.
//
//	Parse   text → Tree: bounded, positions kept, aliases expanded
//	Read    Tree → Record: strict, by the table
//
// It must not know what the keys mean to Vault: a Record holds values by their names, and
// what they make of a Vault is for others to say.
package lang
