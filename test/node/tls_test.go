package node

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// tlsVault gives Vault certificates from a Secret, as the official chart's
// documentation does.
const tlsVault = `
global: {tlsDisable: false}
server:
  volumes:
    - {name: tls, secret: {secretName: vault-tls}}
  volumeMounts:
    - {name: tls, mountPath: /vault/userconfig/vault-tls, readOnly: true}
  extraEnvironmentVars:
    VAULT_CACERT: /vault/userconfig/vault-tls/ca.crt
`

// TestJobWithTLS bootstraps a Vault with certificates of a private CA.
func TestJobWithTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.makeCertificate()
	const dir = "/vault/userconfig/vault-tls/"
	s.installVault(tlsVault, raftVault(
		fmt.Sprintf("tls_cert_file = %q\n  tls_key_file = %q", dir+"tls.crt", dir+"tls.key"),
		`leader_api_addr = "https://%s"`, fmt.Sprintf("leader_ca_cert_file = %q", dir+"ca.crt"),
	))
	s.kubectl("apply", "-f", shipped("manifests/rbac.yaml"))
	job := s.job()
	pod := &job.Spec.Template.Spec
	reachBy(job, "--vault-service=vault-internal", "--vault-scheme=https", "--replicas=3", "--ca-cert=/vault-ca/ca.crt")
	pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "vault-ca", MountPath: "/vault-ca", ReadOnly: true})
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "vault-ca", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName: "vault-tls", Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
	}}})
	s.create(job)
	s.jobDone(job.Name)
	s.wantUnsealed(time.Minute, 3)
	if got := s.checkpoint().events(); !slices.Equal(got, everything) {
		t.Errorf("the events were %v, want %v", got, everything)
	}
}

// makeCertificate makes the Secret 'vault-tls' with a certificate for the replicas'
// names, and has the suite trust it.
func (s *site) makeCertificate() {
	s.t.Helper()
	ca, err := testbed.NewCA(s.t.TempDir(), "ca")
	if err != nil {
		s.t.Fatal(err)
	}
	certificate, err := ca.Issue(testbed.CertRequest{Name: "vault", Names: []string{
		"*.vault-internal", "vault", "vault-active", "vault." + s.namespace + ".svc",
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "vault-tls"}, Data: map[string][]byte{}}
	for key, path := range map[string]string{"ca.crt": ca.CertFile, "tls.crt": certificate.CertFile, "tls.key": certificate.KeyFile} {
		if secret.Data[key], err = os.ReadFile(path); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := cluster.Client.CoreV1().Secrets(s.namespace).Create(s.t.Context(), secret, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.trust = ca.Pool()
}
