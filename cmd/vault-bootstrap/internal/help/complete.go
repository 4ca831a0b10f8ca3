package help

import (
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	hardenreport "github.com/vault-bootstrap/vault-bootstrap/internal/harden/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
)

// Values returns what a flag of a verb can be set to; nil for a flag that takes any value.
func Values(verb, flag string) []string {
	switch flag {
	case "output":
		return outputs(verb)
	case "profile":
		return []string{harden.Baseline.String(), harden.Production.String(), harden.Strict.String()}
	case "fail-on":
		var names []string
		for _, severity := range harden.Severities() {
			names = append(names, severity.String())
		}
		return names
	case "login":
		return lang.LoginMethods()
	}
	return strings.Fields(map[string]string{
		"until": "initialized unsealed seeded hardened", "log-format": "auto terminal json", "log-level": "debug info warn error",
		"policy": "grow fixed", "keys": "stored none", "on-keys-lost": "stop reset", "ceremonies": "auto always never",
		"vault-scheme": "https http", "store": "kubernetes file:", "part": "core seed", "format": "mermaid graphviz",
	}[flag])
}

// outputs returns the forms in which a verb prints.
func outputs(verb string) []string {
	switch verb {
	case "verify":
		return hardenreport.Formats()
	case "plan", "explain":
		return []string{"text", "json"}
	}
	return []string{"table", "json"}
}
