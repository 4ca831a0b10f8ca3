package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
)

// pluginPrefix is how the names of kubectl's plugins begin; kubectl finds
// kubectl-vault_bootstrap for 'kubectl vault-bootstrap'.
const pluginPrefix = "kubectl-"

// asPlugin reports whether the program was called as a plugin of kubectl.
func asPlugin(program string) bool {
	return strings.HasPrefix(filepath.Base(program), pluginPrefix)
}

// pluginEnvironment is env for a plugin: the records are in Kubernetes unless
// somebody says otherwise, as for every other verb of kubectl.
func pluginEnvironment(env job.Lookup) job.Lookup {
	return func(name string) (string, bool) {
		if value, set := env(name); set && value != "" || name != prefix+"STORE" {
			return value, set
		}
		return "kubernetes", true
	}
}

// namedAsPlugin has the help say 'kubectl vault-bootstrap'.
func namedAsPlugin(root *cobra.Command) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl vault-bootstrap"}
}
