package events_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/events"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
)

// sender returns a sender, and what it has reported as trouble.
func sender(t *testing.T, server *kubetest.Server, subject events.Subject) (*events.Sender, func() []string) {
	t.Helper()
	client, err := kube.New(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var trouble []string
	s := events.Start(kube.Namespace{Client: client, Name: kubetest.Namespace}, subject, "holder", func(err error) {
		mu.Lock()
		defer mu.Unlock()
		trouble = append(trouble, err.Error())
	})
	t.Cleanup(s.Close)
	return s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return trouble
	}
}

// about returns what the events are about, with their reasons.
func about(t *testing.T, server *kubetest.Server) []string {
	t.Helper()
	var sent []string
	for _, name := range server.Names("events") {
		var event corev1.Event
		server.Get("events", name, &event)
		sent = append(sent, fmt.Sprintf("%s %s of %s/%s %s", event.Type, event.Reason, event.InvolvedObject.Kind, event.InvolvedObject.Name, event.InvolvedObject.UID))
	}
	slices.Sort(sent)
	return sent
}

func TestEventsOfAPodAndItsJob(t *testing.T) {
	server := kubetest.Start(t)
	yes := true
	server.Put("pods", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", UID: "p", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: "j", Controller: &yes},
	}}})
	s, trouble := sender(t, server, events.Subject{Pod: "pod", Secret: "state"})
	s.Send(false, "Unsealed", "Vault is unsealed.")
	s.Send(true, "Failed", strings.Repeat("ä", 2000))
	s.Close()
	want := []string{"Normal Unsealed of Job/job j", "Normal Unsealed of Pod/pod p", "Warning Failed of Job/job j", "Warning Failed of Pod/pod p"}
	if got := about(t, server); !slices.Equal(got, want) || len(trouble()) > 0 {
		t.Errorf("sent is %q, trouble %q", got, trouble())
	}
	for _, name := range server.Names("events") {
		var event corev1.Event
		if server.Get("events", name, &event); len(event.Message) > 1024 || strings.Contains(event.Message, "\ufffd") {
			t.Errorf("a message of %d bytes: %q", len(event.Message), event.Message)
		}
	}
}

// Where there is no pod, or it is not there, they are about the Secret.
func TestEventsOfTheSecret(t *testing.T) {
	for _, pod := range []string{"", "gone"} {
		server := kubetest.Start(t)
		s, _ := sender(t, server, events.Subject{Pod: pod, Secret: "state"})
		s.Send(false, "Found", "x")
		s.Close()
		if got := about(t, server); !slices.Equal(got, []string{"Normal Found of Secret/state "}) {
			t.Errorf("%q: sent is %q", pod, got)
		}
	}
	server := kubetest.Start(t)
	server.Put("secrets", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "state", UID: "s"}})
	s, _ := sender(t, server, events.Subject{Secret: "state"})
	s.Send(false, "Found", "x")
	s.Close()
	if got := about(t, server); !slices.Equal(got, []string{"Normal Found of Secret/state s"}) {
		t.Errorf("sent is %q", got)
	}
}

// That events are refused is reported once, and stops nothing.
func TestTroubleIsReportedOnce(t *testing.T) {
	server := kubetest.Start(t)
	server.Refuse(kubetest.Denied)
	s, trouble := sender(t, server, events.Subject{Secret: "state"})
	for range 3 {
		s.Send(false, "Found", "x")
	}
	s.Close()
	if got := trouble(); len(got) != 1 || !strings.Contains(got[0], "create events") {
		t.Errorf("trouble is %q", got)
	}
}
