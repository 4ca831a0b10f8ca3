package workload_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

func pods(t *testing.T, server *kubetest.Server) *workload.Pods {
	t.Helper()
	client, err := kube.New(server.Config())
	check(t, err)
	return workload.New(kube.Namespace{Client: client, Name: kubetest.Namespace})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const set = "/apis/apps/v1/namespaces/ns/statefulsets/vault"

// vaultPod is a pod as the official chart creates it.
func vaultPod(ordinal int) *corev1.Pod {
	yes, name := true, fmt.Sprintf("vault-%d", ordinal)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: "uid", Labels: map[string]string{"app": "vault"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "vault", Controller: &yes}},
		},
		Spec: corev1.PodSpec{
			Hostname: name, Subdomain: "vault-internal",
			Containers: []corev1.Container{{Name: "vault", Ports: []corev1.ContainerPort{{Name: "https", ContainerPort: 8210}}}},
			Volumes: []corev1.Volume{
				{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-" + name}}},
				{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x"}}},
			},
		},
		Status: corev1.PodStatus{
			PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "not one"}, {IP: "fd00::1"}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "sidecar", RestartCount: 7}, {Name: "vault", RestartCount: 2}},
		},
	}
}

func TestSelection(t *testing.T) {
	server := kubetest.Start(t)
	selection := workload.Selection{Pods: pods(t, server), Labels: "app=vault", Scheme: "https"}
	_, _, err := selection.Addresses(t.Context())
	if fault.KindOf(err) != fault.Transient || !strings.Contains(err.Error(), "no pod") {
		t.Errorf("without pods: %v", err)
	}
	for _, ordinal := range []int{10, 2} {
		server.Put("pods", vaultPod(ordinal))
	}
	bare := vaultPod(0)
	bare.Spec.Hostname, bare.Spec.Containers = "", nil
	server.Put("pods", bare)
	server.Serve(set, map[string]any{"spec": map[string]any{"replicas": 5}})
	addresses, expected, err := selection.Addresses(t.Context())
	want := []string{"https://10.0.0.1:8200", "https://vault-2.vault-internal:8210", "https://vault-10.vault-internal:8210"}
	if err != nil || expected != 5 || !slices.Equal(addresses, want) {
		t.Errorf("got %q of %d, %v", addresses, expected, err)
	}
	if life, err := selection.Pods.Life(t.Context(), "https://10.0.0.1:8200/"); err != nil || !strings.HasSuffix(life.Name, "/2") {
		t.Errorf("got %+v, %v", life, err) // an address that says nothing by itself
	}
	selection.Replicas = 3
	if _, expected, err := selection.Addresses(t.Context()); err != nil || expected != 3 {
		t.Errorf("got %d, %v", expected, err)
	}
}

// It is an error if the number of replicas is not known.
func TestReplicasThatAreNotKnown(t *testing.T) {
	server := kubetest.Start(t)
	selection := workload.Selection{Pods: pods(t, server), Labels: "app=vault", Scheme: "https"}
	server.Put("pods", vaultPod(0))
	server.Serve(set, "no set")
	if _, _, err := selection.Addresses(t.Context()); err == nil || !strings.Contains(err.Error(), "reading the StatefulSet") {
		t.Errorf("got %v", err)
	}
	for name, test := range map[string]struct {
		resource string
		refuse   func(kubetest.Request) *metav1.Status
		remedy   string
	}{
		"denied": {"statefulsets", kubetest.Denied, "--replicas"},
		"broken": {"statefulsets", kubetest.Broken, ""},
		"list":   {"pods", kubetest.Denied, `verbs: ["list"]`},
	} {
		server.Refuse(func(r kubetest.Request) *metav1.Status {
			if r.Resource == test.resource {
				return test.refuse(r)
			}
			return nil
		})
		if _, _, err := selection.Addresses(t.Context()); err == nil || !strings.Contains(fault.RemedyOf(err), test.remedy) {
			t.Errorf("%s: %v, %q", name, err, fault.RemedyOf(err))
		}
	}
	server.Refuse(nil)
	alone := vaultPod(0)
	alone.OwnerReferences = nil
	server.Put("pods", alone)
	if _, _, err := selection.Addresses(t.Context()); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "not belong to a StatefulSet") {
		t.Errorf("got %v", err)
	}
}

func TestSelectorsAreChecked(t *testing.T) {
	for labels, good := range map[string]bool{"app=vault": true, "a in (b,c)": true, "": false, "  ": false, "a=b=c": false} {
		if err := (workload.Selection{Labels: labels}).Check(); (err == nil) != good || !good && fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v", labels, err)
		}
	}
}

func TestLife(t *testing.T) {
	server := kubetest.Start(t)
	found := pods(t, server)
	server.Put("pods", vaultPod(0))
	life, err := found.Life(t.Context(), "https://vault-0.vault-internal:8200")
	check(t, err)
	if life.Name != "uid/2" || len(life.Addresses) != 2 || !life.At(netip.MustParseAddr("::ffff:10.0.0.1")) || life.At(netip.MustParseAddr("10.0.0.2")) {
		t.Errorf("got %+v", life)
	}
	other := vaultPod(0)
	other.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "server", RestartCount: 4}}
	server.Put("pods", other)
	if life, err := found.Life(t.Context(), "https://vault-0.vault-internal.ns.svc:8200"); err != nil || life.Name != "uid/4" {
		t.Errorf("got %+v, %v", life, err)
	}
	for _, address := range []string{"https://10.0.0.1:8200", "https://vault:8200", "https://vault-0.internal.other.svc", "https://vault-9.internal", "https://a b"} {
		if _, err := found.Life(t.Context(), address); !errors.Is(err, workload.ErrNoPod) {
			t.Errorf("%s: %v", address, err)
		}
	}
	server.Refuse(kubetest.Denied)
	if _, err := found.Life(t.Context(), "https://vault-0.vault-internal"); err == nil || errors.Is(err, workload.ErrNoPod) {
		t.Errorf("got %v", err)
	}
}

func TestEnded(t *testing.T) {
	server := kubetest.Start(t)
	found := pods(t, server)
	if ended, err := found.Ended(t.Context(), "vault-0"); err != nil || !ended {
		t.Errorf("a pod that is gone: %v, %v", ended, err)
	}
	for phase, want := range map[corev1.PodPhase]bool{corev1.PodRunning: false, corev1.PodSucceeded: true, corev1.PodFailed: true} {
		pod := vaultPod(0)
		pod.Status.Phase = phase
		server.Put("pods", pod)
		if ended, err := found.Ended(t.Context(), "vault-0"); err != nil || ended != want {
			t.Errorf("%s: %v, %v", phase, ended, err)
		}
	}
	server.Refuse(kubetest.Broken)
	if _, err := found.Ended(t.Context(), "vault-0"); err == nil {
		t.Error("an outage is an answer")
	}
}

func TestGrace(t *testing.T) {
	server := kubetest.Start(t)
	found := pods(t, server)
	if _, err := found.Grace(t.Context(), "vault-0"); err == nil {
		t.Error("a pod that is gone has a grace period")
	}
	pod := vaultPod(0)
	server.Put("pods", pod)
	if grace, err := found.Grace(t.Context(), "vault-0"); err != nil || grace != 30*time.Second {
		t.Errorf("the default is %s, %v", grace, err)
	}
	ten := int64(10)
	pod.Spec.TerminationGracePeriodSeconds = &ten
	server.Put("pods", pod)
	if grace, err := found.Grace(t.Context(), "vault-0"); err != nil || grace != 10*time.Second {
		t.Errorf("it is %s, %v", grace, err)
	}
}

func TestStorageIsEmptied(t *testing.T) {
	server := kubetest.Start(t)
	found := pods(t, server)
	server.Put("pods", vaultPod(0))
	server.Put("persistentvolumeclaims", &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data-vault-0", UID: "c"}})
	const address = "https://vault-0.vault-internal:8200"
	for volume, says := range map[string]string{"none": "no volume called", "host": "neither a claim nor an emptyDir"} {
		if _, err := found.Storage(t.Context(), address, volume); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", volume, err)
		}
	}
	server.Allow(func(_, verb, _, _ string) bool { return verb != "delete" })
	if _, err := found.Storage(t.Context(), address, "data"); fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), `verbs: ["delete"]`) {
		t.Errorf("without the right: %v", err)
	}
	server.Allow(everything)
	storage, err := found.Storage(t.Context(), address, "data")
	if want := (workload.Storage{Address: address, Pod: "vault-0", PodUID: "uid", Claim: "data-vault-0", ClaimUID: "c"}); err != nil || storage != want {
		t.Errorf("got %+v, %v", storage, err)
	}
	if scratch, err := found.Storage(t.Context(), address, "scratch"); err != nil || scratch.Claim != "" {
		t.Errorf("got %+v, %v", scratch, err)
	}
	later := storage
	later.PodUID, later.ClaimUID = "later", "later"
	check(t, found.Empty(t.Context(), later))
	if len(server.Names("pods")) != 1 || len(server.Names("persistentvolumeclaims")) != 1 {
		t.Error("what took their places was deleted")
	}
	for range 2 {
		check(t, found.Empty(t.Context(), storage))
	}
	if left := append(server.Names("pods"), server.Names("persistentvolumeclaims")...); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	server.Refuse(kubetest.Denied)
	if err := found.Empty(t.Context(), storage); err == nil || !strings.Contains(err.Error(), "persistentvolumeclaims") || !strings.Contains(err.Error(), `pods "vault-0"`) {
		t.Errorf("got %v", err)
	}
	if _, err := found.Storage(t.Context(), "https://10.0.0.9", "data"); !errors.Is(err, workload.ErrNoPod) {
		t.Errorf("got %v", err)
	}
}

// everything allows everything.
func everything(_, _, _, _ string) bool { return true }
