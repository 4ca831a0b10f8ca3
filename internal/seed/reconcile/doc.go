// Package reconcile makes a Vault hold what is desired.
//
//	NewPlan   what is live is read → a plan, the pure difference
//	Apply     the plan is carried out, stage by stage
//
// It must not know seeds, the Vault client or where the ledger lives: it takes objects, an
// API of four calls and hooks for the ledger. No secret value reaches an error or a plan.
package reconcile
