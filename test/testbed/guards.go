package testbed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// GuardsVariable, if set, puts guards before the endpoints that take key shares, as the products
// have them by default: programs reach a node at its Front, where OpenBao closes the old endpoints
// itself, and Vault's are as Vault 2.0 documents them (see guard). The bed goes on using Addr,
// where all is open.
const GuardsVariable = "TESTBED_GUARDS"

// frontListener is a second listener of OpenBao, with what it closes by default.
func (n *VaultNode) frontListener() string {
	config := "listener \"tcp\" {\n  address = \"" + loopback(n.front.number) + "\"\n"
	if n.cert == nil {
		return config + "  tls_disable = true\n}\n"
	}
	return config + "  tls_cert_file = \"" + n.cert.CertFile + "\"\n  tls_key_file = \"" + n.cert.KeyFile + "\"\n}\n"
}

// guardedFamilies are the beginnings of the paths that want a token since Vault 2.0.
var guardedFamilies = []string{"/v1/sys/generate-root/", "/v1/sys/rekey/", "/v1/sys/rekey-recovery-key/"}

// guard emulates Vault 2.0 before an earlier one: on the paths that want a token there it asks the
// real Vault whether the one that was sent may update that path, and answers 403 if not. It is an
// emulation: no Vault 2.0 is to be had from the module proxy.
func guard(target string, transport http.RoundTripper) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			about := func(family string) bool { return strings.HasPrefix(r.URL.Path, family) }
			if !slices.ContainsFunc(guardedFamilies, about) {
				next.ServeHTTP(w, r)
				return
			}
			may, err := mayUpdate(r, target, transport)
			switch {
			case err != nil:
				http.Error(w, err.Error(), http.StatusBadGateway)
			case !may:
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, `{"errors":["permission denied"]}`)
			default:
				// The server itself would refuse a token on a path that takes none.
				r.Header.Del("X-Vault-Token")
				next.ServeHTTP(w, r)
			}
		})
	}
}

// mayUpdate asks the server whether a request's token may update its path.
func mayUpdate(r *http.Request, target string, transport http.RoundTripper) (bool, error) {
	token := r.Header.Get("X-Vault-Token")
	if token == "" {
		return false, nil
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	body, err := json.Marshal(map[string]any{"paths": []string{path}})
	if err != nil {
		return false, err
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodPost, target+"/v1/sys/capabilities-self", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	ask.Header.Set("X-Vault-Token", token)
	answer, err := transport.RoundTrip(ask)
	if err != nil {
		return false, err
	}
	var said struct{ Data map[string][]string }
	content, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return false, err
	}
	if answer.StatusCode == http.StatusForbidden {
		return false, nil
	}
	if err := json.Unmarshal(content, &said); err != nil {
		return false, err
	}
	may := said.Data[path]
	return slices.Contains(may, "update") || slices.Contains(may, "root"), nil
}

// putGuards puts guards before the nodes. OpenBao has its own.
func (c *VaultCluster) putGuards() error {
	if c.Server.Product == OpenBao {
		return nil
	}
	for _, n := range c.Nodes {
		options := HTTPProxyOptions{Target: n.Addr, Certificate: n.cert, guarded: true}
		if n.cert != nil {
			options.CA = c.CA
		}
		p, err := StartHTTPProxy(options)
		if err != nil {
			return err
		}
		n.guard, n.Front = p, p.URL
	}
	return nil
}
