package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sealingVault is another Vault, whose transit engine opens the one under test. As a
// server of 'vault server -dev' it is open by itself.
const sealingVault = `
apiVersion: v1
kind: Service
metadata: {name: sealing}
spec:
  selector: {app: sealing}
  ports: [{port: 8200}]
---
apiVersion: v1
kind: Pod
metadata: {name: sealing, labels: {app: sealing}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 100, runAsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: vault
      image: hashicorp/vault:1.21.1
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      env:
        - {name: VAULT_DEV_ROOT_TOKEN_ID, value: %q}
        - {name: VAULT_DEV_LISTEN_ADDRESS, value: "0.0.0.0:8200"}
      readinessProbe: {httpGet: {path: /v1/sys/health, port: 8200}, periodSeconds: 2}
`

// TestAutoUnseal has a real Vault as the seal of three replicas. The Job stores the
// recovery keys and hardens; replicas that come back are open without anybody.
func TestAutoUnseal(t *testing.T) {
	t.Parallel()
	if cluster != nil && cluster.Attached {
		t.Skip("the Vault that seals is set up by its pod's address, which is out of reach in a cluster of somebody else")
	}
	s := newSite(t)
	seal := s.installSealingVault()
	s.installVault(replicas(plainConfig() + seal))
	s.release("install", chartValues("job", "first"), "--wait", "--wait-for-jobs")
	s.wantHardened(3)
	if keys := s.keySet(); keys.Kind != "recovery" || len(keys.Shares) == 0 {
		t.Errorf("%d keys of the kind %q are stored, want recovery keys", len(keys.Shares), keys.Kind)
	}
	for _, replica := range []int{1, 0} {
		s.wantUnsealedAfterDeletion(replica)
	}
	s.wantUnsealed(time.Minute, 3)
}

// keySet is what the suite reads of the stored keys.
type keySet struct {
	Kind   string
	Shares []string
}

func (s *site) keySet() keySet {
	s.t.Helper()
	secret, err := cluster.Client.CoreV1().Secrets(s.namespace).Get(s.t.Context(), "vault-bootstrap-keys", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var record struct{ Set keySet }
	if err := json.Unmarshal(secret.Data["keys.json"], &record); err != nil {
		s.t.Fatal(err)
	}
	return record.Set
}

// installSealingVault returns the stanza that has a Vault sealed by the other one.
func (s *site) installSealingVault() string {
	s.t.Helper()
	token := rand.Text() // that server prints it, so it is not noted as a secret
	if err := s.apply(fmt.Appendf(nil, sealingVault, token)); err != nil {
		s.t.Fatal(err)
	}
	s.kubectl("wait", "pod/sealing", "--for=condition=Ready", "--timeout=120s")
	config := api.DefaultConfig()
	config.Address = "http://" + s.kubectl("get", "pod/sealing", "-o=jsonpath={.status.podIP}") + ":8200"
	client, err := api.NewClient(config)
	if err != nil {
		s.t.Fatal(err)
	}
	client.SetToken(token)
	if err := client.Sys().MountWithContext(s.t.Context(), "transit", &api.MountInput{Type: "transit"}); err != nil {
		s.t.Fatal(err)
	}
	s.until(time.Minute, "the key that seals", func(ctx context.Context) error {
		_, err := client.Logical().WriteWithContext(ctx, "transit/keys/seal", nil)
		return err
	})
	return fmt.Sprintf(`
seal "transit" {
  address    = "http://sealing:8200"
  token      = %q
  mount_path = "transit/"
  key_name   = "seal"
}
`, token)
}
