// Package object is what a Vault should hold: one Object for each thing, with the path that
// names it, the paths at which it is read and written, and how what Vault shows is compared
// with it. A constructor for each kind knows what is peculiar to that kind.
//
// It must not know seeds or their language, and sends nothing: who talks to Vault asks an
// object where, and what the answer means.
package object
