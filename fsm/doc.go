// Package fsm is the state machine of vault-bootstrap: its states, its events,
// the table of legal transitions, and the driver that walks it.
//
// Vault is the truth and the checkpoint is a memory. Each cycle probes the world,
// locates the state that the observation amounts to, asks which event comes next
// towards the goal, and runs that event's act. Locate and Next are pure; the acts
// are given from outside. The package does no I/O and must not know the Vault or
// Kubernetes APIs.
package fsm
