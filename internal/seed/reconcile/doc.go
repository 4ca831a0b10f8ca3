// Package reconcile brings a Vault to the desired state.
//
//	NewPlan   what is live is read → a plan, the pure difference
//	Apply     the plan is carried out, stage by stage
//
// It must not know seeds, the Vault client or where the ledger is kept: it takes objects, an API of
// four calls and hooks for the ledger. No secret value reaches an error or a plan.
package reconcile
