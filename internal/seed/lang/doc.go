// Package lang is the language of seeds: one table of its keys, and what is generated from that
// table: the reader of YAML documents, the JSON Schema for editors and the reference.
//
//	Parse   text → Tree: bounded, positions kept, aliases expanded
//	Read    Tree → Record: strict, by the table
//
// It must not know what the keys mean to Vault: a Record holds values by name, and others interpret
// them.
package lang
