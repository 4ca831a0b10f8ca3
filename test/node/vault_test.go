package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the namespace's Pod Security asks of Vault's pods, what a cluster of one node
// asks, and a probe that costs less: the default one, which the quick starts have,
// starts Vault's whole binary each time.
const restrictedVault = `
server:
  affinity: ""
  authDelegator: {enabled: false}
  preStopSleepSeconds: 0
  dataStorage: {size: 1Gi}
  readinessProbe: {path: "/v1/sys/health?standbyok=true", initialDelaySeconds: 0, periodSeconds: 2}
  statefulSet:
    securityContext:
      pod: {runAsNonRoot: true, runAsUser: 100, runAsGroup: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
      container: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// raftVault is three replicas with raft, configured by raftConfig.
func raftVault(listener string, join ...string) string {
	return replicas(raftConfig(listener, join...))
}

// replicas is three replicas with this configuration of the server.
func replicas(config string) string {
	return fmt.Sprintf("server: {ha: {enabled: true, replicas: 3, raft: {enabled: true, setNodeId: true, config: %q}}}\n", config)
}

// raftConfig configures a server with raft. The listener's lines say how it speaks,
// and join has the lines of a retry_join to a replica, by a format with its address;
// none leaves the replicas without knowledge of each other.
func raftConfig(listener string, join ...string) string {
	var config strings.Builder
	fmt.Fprintf(&config, `
ui = true
listener "tcp" {
  address = "[::]:8200"
  cluster_address = "[::]:8201"
  %s
}
storage "raft" {
  path = "/vault/data"
  performance_multiplier = "2"
`, listener)
	for i := 0; len(join) > 0 && i < 3; i++ {
		peer := fmt.Sprintf("vault-%d.vault-internal:8200", i)
		fmt.Fprintf(&config, "  retry_join {\n    "+strings.Join(join, "\n    ")+"\n  }\n", peer)
	}
	config.WriteString("}\nservice_registration \"kubernetes\" {}\n")
	return config.String()
}

// plainVault is raftVault without TLS; its replicas join each other by themselves.
func plainVault() string { return replicas(plainConfig()) }

func plainConfig() string { return raftConfig("tls_disable = 1", `leader_api_addr = "http://%s"`) }

// installVault installs the release 'vault' with these values, and does not wait:
// no replica becomes ready before it is unsealed.
func (s *site) installVault(values ...string) {
	s.t.Helper()
	s.helm(append([]string{"install", "vault", "testdata/vault"}, s.valueFiles(append([]string{restrictedVault}, values...)...)...)...)
}

// valueFiles writes values into files, and returns them as helm's arguments.
func (s *site) valueFiles(values ...string) []string {
	s.t.Helper()
	dir := s.t.TempDir()
	var args []string
	for i, each := range values {
		path := filepath.Join(dir, fmt.Sprintf("values-%d.yaml", i))
		if err := os.WriteFile(path, []byte(each), 0o600); err != nil {
			s.t.Fatal(err)
		}
		args = append(args, "--values="+path)
	}
	return args
}

const vaultPods = "app.kubernetes.io/name=vault,component=server"

// health is what a replica says of itself.
type health struct {
	Initialized, Sealed, Standby bool
}

// health asks a replica, from this machine, by its pod's address.
func (s *site) health(ctx context.Context, pod string) (health, error) {
	var h health
	err := s.vault(ctx, pod, "sys/health?standbyok=true&sealedcode=200&uninitcode=200&performancestandbyok=true", &h)
	return h, err
}

func (s *site) scheme() string {
	if s.trust == nil {
		return "http"
	}
	return "https"
}

// vault reads from a replica's API without a token.
func (s *site) vault(ctx context.Context, name, path string, out any) error {
	if cluster.Attached {
		return s.vaultByProxy(ctx, name, path, out)
	}
	pod, err := cluster.Client.CoreV1().Pods(s.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if pod.Status.PodIP == "" {
		return fmt.Errorf("the pod %q has no address", name)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.scheme()+"://"+pod.Status.PodIP+":8200/v1/"+path, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{
		// A pod's address is in no certificate, its name is.
		TLSClientConfig:   &tls.Config{RootCAs: s.trust, ServerName: name + ".vault-internal"},
		DisableKeepAlives: true,
	}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s of %s: %s", path, name, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// vaultByProxy is vault through the API server, which does not look at certificates.
func (s *site) vaultByProxy(ctx context.Context, name, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	params := map[string]string{}
	for key := range values {
		params[key] = values.Get(key)
	}
	body, err := cluster.Client.CoreV1().Pods(s.namespace).ProxyGet(s.scheme(), name, "8200", "v1/"+path, params).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", path, name, err)
	}
	return json.Unmarshal(body, out)
}

// wantUnsealed waits until replicas 0 to n-1 are unsealed and one is active.
func (s *site) wantUnsealed(limit time.Duration, n int) time.Duration {
	s.t.Helper()
	return s.until(limit, "all replicas to be unsealed", func(ctx context.Context) error {
		active := 0
		var states []string
		for i := range n {
			h, err := s.health(ctx, fmt.Sprintf("vault-%d", i))
			if err != nil {
				return err
			}
			if h.Initialized && !h.Sealed && !h.Standby {
				active++
			}
			states = append(states, fmt.Sprintf("%+v", h))
			if h.Sealed || !h.Initialized {
				return fmt.Errorf("replica %d: %+v", i, h)
			}
		}
		if active != 1 {
			return fmt.Errorf("%d replicas are active: %s", active, strings.Join(states, ", "))
		}
		return nil
	})
}
