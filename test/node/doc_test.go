// Package node shows the ways to deploy vault-bootstrap where they are used: in a
// cluster with a real node, beside a Vault in pods, with the manifests, charts and
// commands that users have. Every namespace enforces the restricted level of Pod
// Security; the official Vault chart is stood in for by testdata/vault.
//
// One cluster serves all tests, and each test has a namespace of its own. Where no
// node can run, each test is skipped and says why.
package node
