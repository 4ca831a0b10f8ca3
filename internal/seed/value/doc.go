// Package value is what the fields of a seed hold, and what is said of them: texts that
// refer to something outside, values that are made up when they are written, which of them
// are sensitive, which of two spellings are one to Vault, which names an API path can have,
// and where in the seed something is wrong.
//
// It must not know the language of seeds, the kinds of objects or Vault's API: a value is
// the same wherever it stands.
package value
