// Package value is about the values of fields in a seed: texts that refer to something outside,
// values that are generated when they are written, which values are sensitive, which of two
// spellings are the same to Vault, which names an API path can contain, and where in the seed a
// problem is.
//
// It must not know the language of seeds, the kinds of objects or Vault's API: a value is the same
// wherever it is used.
package value
