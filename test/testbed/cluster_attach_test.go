package testbed_test

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestAttachNeedsTheName refuses a cluster whose context nobody has repeated: suites
// delete things in it.
func TestAttachNeedsTheName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: "http://127.0.0.1:1"}
	config.Contexts["production"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "production"
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	for confirm, want := range map[string]string{
		"":           "does not repeat",
		"staging":    "does not repeat",
		"production": "asking the cluster", // nothing listens there
	} {
		_, err := testbed.AttachCluster(file, confirm)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("confirmed by %q: %v, want %q", confirm, err, want)
		}
	}
}
