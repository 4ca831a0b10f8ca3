package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
)

// pluginPrefix is the prefix of the names of kubectl's plugins: 'kubectl vault-bootstrap' runs
// kubectl-vault_bootstrap.
const pluginPrefix = "kubectl-"

// asPlugin reports whether the program was called as a plugin of kubectl.
func asPlugin(program string) bool {
	return strings.HasPrefix(filepath.Base(program), pluginPrefix)
}

// pluginEnvironment returns env for a plugin: the records are in Kubernetes unless specified
// otherwise, as with every other verb of kubectl.
func pluginEnvironment(env job.Lookup) job.Lookup {
	return func(name string) (string, bool) {
		if value, set := env(name); set && value != "" || name != prefix+"STORE" {
			return value, set
		}
		return "kubernetes", true
	}
}

// namedAsPlugin makes the help say 'kubectl vault-bootstrap'.
func namedAsPlugin(root *cobra.Command) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl vault-bootstrap"}
}
