// Package seed turns a declaration of what a Vault should hold into desired objects.
//
// The way from text to Vault is a sequence of small steps:
//
//	Load                text → Seed: strict, positions kept, nothing resolved
//	Seed.Objects        references resolved in parsed scalars → desired objects
//	Combine             the tool's own objects joined with the seed's
//	reconcile.NewPlan   what is live is read → a plan, the pure difference
//	reconcile.Apply     the plan is carried out, stage by stage
//
// Its parts are in packages below: the language (lang), what fields hold (value), the objects
// (object) and the policies (policy). The package must not know the Vault client, Kubernetes, the
// environment, or how objects get into Vault (reconcile): it takes a lookup function for
// environment variables. No secret value reaches an error or a digest.
package seed
