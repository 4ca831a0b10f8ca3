package watch

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// podOf makes the pod of a Vault server, as no kubelet does here, and lets the program
// find it by its labels.
func (in *installation) podOf(namespace string, node *testbed.VaultNode) {
	in.t.Helper()
	address, err := url.Parse(node.Addr)
	if err != nil {
		in.t.Fatal(err)
	}
	file := filepath.Join(in.t.TempDir(), "pod.yaml")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: vault-0, labels: {component: server}}, spec: {containers: [{name: vault, image: none, ports: [{name: http, containerPort: %s}]}]}}`, address.Port())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
	kubectl(in.t, "apply", "-n", namespace, "-f", file)
	restarted(in.t, namespace, 0)
	kubectl(in.t, "create", "role", "find-vault", "-n", namespace, "--verb=list", "--resource=pods")
	kubectl(in.t, "create", "rolebinding", "find-vault", "-n", namespace, "--role=find-vault", "--serviceaccount="+namespace+":vault-bootstrap")
	in.flags = []string{in.flags[0], "--vault-selector=component=server", "--vault-scheme=http", "--replicas=1"}
}

// restarted has the pod of the server say how often it was restarted.
func restarted(t *testing.T, namespace string, times int) {
	t.Helper()
	status := fmt.Sprintf(`{"status":{"phase":"Running","podIP":"127.0.0.1","podIPs":[{"ip":"127.0.0.1"}],
		"containerStatuses":[{"name":"vault","image":"none","imageID":"","ready":false,"restartCount":%d,"state":{"running":{}}}]}}`, times)
	kubectl(t, "patch", "pod", "vault-0", "-n", namespace, "--subresource=status", "--type=merge", "-p="+status)
}
