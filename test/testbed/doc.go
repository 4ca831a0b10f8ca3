// Package testbed starts the real servers that the suites and the demo run
// against: Vault servers, a Kubernetes control plane, and proxies that spoil the
// connection to either.
//
// Constructors return a value with Stop (end the processes, keep the files) and
// Close (Stop, and remove the working directory if the bed made it). The contexts
// they take bound the start only: a server lives until it is stopped, or until
// the program that started it ends, however that ends (on Linux the kernel sees
// to it). A bed ends only processes that it started itself. Everything listens on
// loopback, on ports that were free, with certificates from a CA of its own, and
// logs into its working directory; a start that fails says the last log lines.
//
// The binaries come from test/tools, and are never downloaded or built here.
//
// The package must not know vault-bootstrap: not its states, its packages nor its
// command line. What it gives is what a user of Vault and Kubernetes would have.
package testbed
