package harden

import (
	"regexp"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// The words of controls that are others on OpenBao: its name, and that of its command, which has
// the same verbs.
var (
	productName = regexp.MustCompile(`\bVault\b`)
	commandName = regexp.MustCompile(`\bvault (token|operator|write|delete)\b`)
	processName = regexp.MustCompile(`(-C|-x) vault\b`)
)

// worded returns a text as it is true of a server.
func worded(text string, of product.Product) string {
	if of.Kind != product.OpenBao {
		return text
	}
	text = productName.ReplaceAllString(text, of.Name())
	text = commandName.ReplaceAllString(text, "bao $1")
	return processName.ReplaceAllString(text, "$1 bao")
}

// For returns the control with its texts as they are true of a server.
func (c Control) For(of product.Product) Control {
	if of.Kind == product.OpenBao && c.OnOpenBao != "" {
		c.Remedy = c.OnOpenBao
	}
	for _, text := range []*string{&c.Name, &c.Why, &c.How, &c.Remedy} {
		*text = worded(*text, of)
	}
	return c
}
