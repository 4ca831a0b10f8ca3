// Package seed turns a declaration of what a Vault should hold into that Vault.
//
// The pipeline is a row of small steps, each a value for the next:
//
//	Load      text → Seed: strict, positions kept, nothing resolved
//	Objects   references resolved in parsed scalars → desired objects
//	Combine   the tool's own objects joined with the seed's
//	NewPlan   what is live is read → a plan, the pure difference
//	Apply     the plan is carried out, stage by stage
//
// The package must not know the Vault client, Kubernetes, the environment or where
// the ledger lives: it takes an API of four calls, a lookup function for
// environment variables and hooks for the ledger. No secret value reaches an
// error, a plan or a digest.
package seed
