package testbed

import (
	"fmt"
	"net/http"
	"os"
)

// Present gives the server another certificate in the place of its own, as a rotation
// does: it serves it from its next start on. The bed itself then trusts exactly this one.
func (n *VaultNode) Present(c *Certificate) error {
	for to, from := range map[string]string{n.cert.CertFile: c.CertFile, n.cert.KeyFile: c.KeyFile} {
		content, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("rotating the certificate of %s: %w", n.Name, err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return fmt.Errorf("rotating the certificate of %s: %w", n.Name, err)
		}
	}
	n.client.Transport = &http.Transport{TLSClientConfig: pinned(c), DisableKeepAlives: true}
	return nil
}

// Replace has the node run another program from its next start on, as an upgrade does.
func (n *VaultNode) Replace(s Server) { n.process.argv[0] = s.Binary }
