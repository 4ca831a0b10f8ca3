package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func (s *site) vault(ctx context.Context, pod, path string, out any) error {
	return s.ask(ctx, pod, request{method: http.MethodGet, path: path}, out)
}

// request is what is asked of a replica's API; in becomes its body.
type request struct {
	method, path, token string
	in                  any
}

// answered is an answer that is none.
type answered struct {
	status int
	text   string
}

func (a answered) Error() string { return a.text }

// ask sends a request to a replica and decodes its answer, if out is not nil. It is no
// command of kubectl, since those are in the API server's audit log, tokens included.
func (s *site) ask(ctx context.Context, pod string, r request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var body []byte
	if r.in != nil {
		var err error
		if body, err = json.Marshal(r.in); err != nil {
			return err
		}
	}
	send := s.direct
	if cluster.Attached {
		send = s.byProxy
	}
	text, status, err := send(ctx, pod, r, body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s of %s: %w", r.method, r.path, pod, err)
	case status/100 != 2:
		return answered{status, fmt.Sprintf("%s %s of %s: status %d: %s", r.method, r.path, pod, status, text)}
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// direct sends a request from this machine, to the pod's address.
func (s *site) direct(ctx context.Context, name string, r request, body []byte) ([]byte, int, error) {
	pod, err := cluster.Client.CoreV1().Pods(s.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, 0, err
	}
	if pod.Status.PodIP == "" {
		return nil, 0, errors.New("the pod has no address")
	}
	req, err := http.NewRequestWithContext(ctx, r.method, s.scheme()+"://"+pod.Status.PodIP+":8200/v1/"+r.path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("X-Vault-Token", r.token)
	client := &http.Client{Transport: &http.Transport{
		// A pod's address is in no certificate, its name is.
		TLSClientConfig:   &tls.Config{RootCAs: s.trust, ServerName: name + ".vault-internal"},
		DisableKeepAlives: true,
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return text, resp.StatusCode, err
}

// byProxy sends a request through the API server, which does not look at certificates.
func (s *site) byProxy(ctx context.Context, name string, r request, body []byte) ([]byte, int, error) {
	path, query, _ := strings.Cut(r.path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, 0, err
	}
	req := cluster.Client.CoreV1().RESTClient().Verb(r.method).Namespace(s.namespace).Resource("pods").SubResource("proxy").
		Name(s.scheme()+":"+name+":8200").Suffix("v1", path).SetHeader("X-Vault-Token", r.token)
	if body != nil {
		req = req.SetHeader("Content-Type", "application/json").Body(body)
	}
	for key := range values {
		req = req.Param(key, values.Get(key))
	}
	var status int
	result := req.Do(ctx).StatusCode(&status)
	text, err := result.Raw()
	if status != 0 && status/100 != 2 { // Vault's own answer, not the API server's
		return text, status, nil
	}
	return text, status, err
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
