// Package object is what a Vault should hold: one Object for each thing, with the path that names
// it, the paths at which it is read and written, and how what Vault shows is compared with it. A
// constructor for each kind knows the peculiarities of that kind.
//
// It must not know seeds or their language, and sends nothing: whoever talks to Vault asks an
// object for the paths, and what the answer means.
package object
