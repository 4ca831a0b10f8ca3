// Package states observes the world and implements what each event of the machine does.
//
// An Observer only reads; settling ends what an earlier run left behind; an act does the work of an
// event. Each is a type with its own dependencies, and a Bootstrap puts them together. An act
// changes the world and is safe to repeat from wherever it was cut off; it never decides which
// state the world is in. What only an attempt can show, it returns as a Finding. The package
// declares the small interfaces that it needs; it must not know flags, the environment, files or
// Kubernetes, nor how later runs log in (states/login), nor what a ceremony does with key shares
// (states/ceremony).
package states
