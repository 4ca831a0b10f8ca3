package kubestore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// deny refuses what the authorizer would, without the rule for a resource.
func deny(server *kubetest.Server, resource string) {
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if r.Resource == resource {
			return kubetest.Denied(r)
		}
		return nil
	})
}

func TestPodsBeside(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	for range 2 { // without a pod, nothing was left
		if messages, err := records.TerminationMessages(t.Context(), "pod"); err != nil || messages != nil {
			t.Errorf("no pod: %q, %v", messages, err)
		}
	}
	if n, err := records.Containers(t.Context(), "pod"); err != nil || n != 0 {
		t.Errorf("no pod: %d, %v", n, err)
	}
	ended := func(message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: message}}
	}
	server.Put("pods", &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod"},
		Spec:       corev1.PodSpec{InitContainers: []corev1.Container{{Name: "i"}}, Containers: []corev1.Container{{Name: "a"}, {Name: "b"}}},
		Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "i", State: ended("")}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "a", State: ended("now"), LastTerminationState: ended("before")}},
		},
	})
	if messages, err := records.TerminationMessages(t.Context(), "pod"); err != nil || fmt.Sprintf("%s", messages) != "[now before]" {
		t.Errorf("got %q, %v", messages, err)
	}
	if n, err := records.Containers(t.Context(), "pod"); err != nil || n != 3 {
		t.Errorf("got %d, %v", n, err)
	}
	deny(server, "pods")
	_, err := records.TerminationMessages(t.Context(), "pod")
	if !kubestore.Denied(err) || !strings.Contains(fault.RemedyOf(err), `resources: ["pods"]`) {
		t.Errorf("got %v, %q", err, fault.RemedyOf(err))
	}
	if _, err := records.Containers(t.Context(), "pod"); !kubestore.Denied(err) {
		t.Errorf("got %v", err)
	}
}

func TestForeignObjects(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	server.Put("secrets", secretWith("theirs", "a", "secret"))
	server.Put("configmaps", &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Data: map[string]string{"a": "text"}, BinaryData: map[string][]byte{"b": {0xff}},
	})
	if data, err := records.ForeignSecret(t.Context(), "theirs"); err != nil || string(data["a"]) != "secret" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := records.ForeignConfigMap(t.Context(), "theirs"); err != nil || string(data["a"]) != "text" || len(data["b"]) != 1 {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err := records.ForeignSecret(t.Context(), "none"); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), `there is no Secret "ns/none"`) {
		t.Errorf("got %v", err)
	}
	deny(server, "configmaps")
	if _, err := records.ForeignConfigMap(t.Context(), "theirs"); fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), `resourceNames: ["theirs"]`) {
		t.Errorf("got %v, %q", err, fault.RemedyOf(err))
	}
	server.Refuse(kubetest.Broken)
	if _, err := records.ForeignSecret(t.Context(), "theirs"); err == nil || fault.KindOf(err) == fault.Usage {
		t.Errorf("got %v", err)
	}
}

func TestFollow(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	revisions, mirrors, ends := make(chan store.Revision), make(chan store.Mirror), make(chan error, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server.Put("secrets", secretWith(stateSecret, "state.json", `{"version":1}`))
	held := acquire(t, records, "a")
	check(t, held.Show(t.Context(), store.Mirror{State: "unsealed"}))
	go func() { ends <- records.FollowCheckpoint(ctx, func(r store.Revision) { revisions <- r }) }()
	before := storetest.Receive(t, revisions, "the revision")
	server.Put("secrets", secretWith(stateSecret, "state.json", `{"version":1,"epoch":1}`))
	if after := storetest.Receive(t, revisions, "the next revision"); after == before || after == "" {
		t.Errorf("the revision went from %q to %q", before, after)
	}
	server.Remove("secrets", stateSecret)
	if gone := storetest.Receive(t, revisions, "the removal"); gone != "" {
		t.Errorf("a removed record is at %q", gone)
	}
	server.EndWatches()
	check(t, storetest.Receive(t, ends, "the end"))

	check(t, held.Release(t.Context()))
	go func() { ends <- records.FollowMirror(ctx, func(m store.Mirror) { mirrors <- m }) }()
	if shown := storetest.Receive(t, mirrors, "the mirror"); shown.State != "unsealed" {
		t.Errorf("shown is %+v", shown)
	}
	server.Remove("leases", "vb")
	if gone := storetest.Receive(t, mirrors, "the removal"); gone != (store.Mirror{}) {
		t.Errorf("a removed Lease shows %+v", gone)
	}
	server.FailWatches()
	if err := storetest.Receive(t, ends, "the error"); err == nil {
		t.Error("a watch that has failed ends without an error")
	}
	deny(server, "leases")
	if err := records.FollowMirror(ctx, nil); !kubestore.Denied(err) {
		t.Errorf("got %v", err)
	}
	server.Refuse(nil)
	cancel()
	if err := records.FollowCheckpoint(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLocation(t *testing.T) {
	records := open(t, kubetest.Start(t))
	want := store.Location{Keys: `Secret "ns/vb-keys"`, Checkpoint: `Secret "ns/vb-state"`, Lease: `Lease "ns/vb"`}
	if got := records.Location(); got != want {
		t.Errorf("got %+v", got)
	}
	if in := records.Namespace(); in.Name != kubetest.Namespace || in.Rules != nil || records.CheckpointName() != stateSecret {
		t.Errorf("got %+v, %q", in, records.CheckpointName())
	}
}
