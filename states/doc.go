// Package states looks at the world and holds what each event of the machine does.
//
// An Observer looks, and cannot write; Settle ends what it has found left over; one act per
// file does the work of an event. An act changes the world and is safe to repeat from
// wherever it was cut off; it never decides which state the world is in. What only an
// attempt can show, it returns as a Finding. The package declares the small interfaces that
// it needs; it must not know flags, the environment, files or Kubernetes.
package states
