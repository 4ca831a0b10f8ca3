// Package states holds what each event of the machine does: one act per file, and
// the probe that looks at the world before each of them.
//
// An act changes the world and is safe to repeat from wherever it was cut off; it
// never decides which state the world is in. What only an attempt can show, it
// returns as a Finding. The package declares the small interfaces that it needs;
// it must not know flags, the environment, files or Kubernetes.
package states
