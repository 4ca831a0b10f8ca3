// Package vault talks to Vault servers: their health, sys/init and unsealing one
// replica at a time, and logical calls with a token at the active node.
//
// Each kind of call has its own retry class. sys/init is never repeated, since a request that timed
// out may have succeeded; unsealing is repeated by the next cycle; reads and writes of
// configuration are repeated here, since they can be sent twice without harm. The package must not
// know the states or the seed, and it stores nothing.
package vault
