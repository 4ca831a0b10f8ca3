package workload_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
)

// TestObject finds out which files of a pod come from an object of its namespace.
func TestObject(t *testing.T) {
	server := kubetest.Start(t)
	found := pods(t, server)
	if _, err := found.Object(t.Context(), "vault-0", "/x"); err == nil {
		t.Error("a pod that is gone has volumes")
	}
	pod := vaultPod(0)
	volume := func(name string, source corev1.VolumeSource) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
	volume("secret", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "identity"}})
	volume("config", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "open"}}})
	volume("csi", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "secrets-store.csi.k8s.io"}})
	volume("projected", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "both"}}},
	}}})
	volume("token", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}})
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{
		{Name: "data", MountPath: "/vault"}, {Name: "secret", MountPath: "/vault/identity/"}, {Name: "scratch", MountPath: "/vault/identity/copied"},
		{Name: "config", MountPath: "/open"}, {Name: "csi", MountPath: "/csi"}, {Name: "projected", MountPath: "/both"}, {Name: "token", MountPath: "/token"},
		{Name: "secret", MountPath: "/one/identity.txt", SubPath: "identity.txt"},
	}
	pod.Spec.InitContainers = []corev1.Container{{Name: "first", VolumeMounts: []corev1.VolumeMount{{Name: "secret", MountPath: "/first"}}}}
	server.Put("pods", pod)
	in := kubetest.Namespace
	for path, want := range map[string]string{
		"/vault/identity/key.txt": `Secret "` + in + `/identity"`, "/vault/identity/..data/key.txt": `Secret "` + in + `/identity"`, "/one/identity.txt": `Secret "` + in + `/identity"`,
		"/first/key.txt": `Secret "` + in + `/identity"`, "/open/key.txt": `ConfigMap "` + in + `/open"`, "/both/key.txt": `Secret "` + in + `/both"`,
		"/vault/key.txt": "", "/vault/identity/copied/key.txt": "", "/vault/identity2/key.txt": "", "/csi/key.txt": "", "/token/token": "", "/etc/key.txt": "",
	} {
		if got, err := found.Object(t.Context(), "vault-0", path); err != nil || got != want {
			t.Errorf("%s comes from %q, %v; want %q", path, got, err, want)
		}
	}
}
