package kubestore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

const (
	keysSecret  = "vb-keys"
	stateSecret = "vb-state"
)

func open(t *testing.T, server *kubetest.Server) *kubestore.Store {
	t.Helper()
	records, err := kubestore.New(server.Config(), kubetest.Namespace, "vb")
	check(t, err)
	return records
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// named checks that err is a terminal error with this name and a remedy.
func named(t *testing.T, err error, name string) {
	t.Helper()
	if fault.KindOf(err) != fault.Terminal || fault.NameOf(err) != name || fault.RemedyOf(err) == "" {
		t.Errorf("got %v (%v, %q), want %q", err, fault.KindOf(err), fault.NameOf(err), name)
	}
}

func secretWith(name, key, content string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{key: []byte(content)}}
}

func TestConformance(t *testing.T) { storetest.RunQuick(t, empty) }

func TestConformanceEncrypted(t *testing.T) { storetest.RunEncrypted(t, empty) }

// empty returns records that are empty.
func empty(t *testing.T) storetest.Backend {
	t.Helper()
	names := map[storetest.Record][2]string{storetest.Keys: {keysSecret, "keys.json"}, storetest.Checkpoint: {stateSecret, "state.json"}}
	server := kubetest.Start(t)
	return storetest.Backend{
		Open: func(t *testing.T) store.Store { return open(t, server) },
		Plant: func(_ *testing.T, record storetest.Record, content []byte) {
			server.Put("secrets", secretWith(names[record][0], names[record][1], string(content)))
		},
		Planted: func(t *testing.T, record storetest.Record) []byte {
			var found corev1.Secret
			if !server.Get("secrets", names[record][0], &found) {
				t.Fatalf("there is no %s", names[record][0])
			}
			return found.Data[names[record][1]]
		},
		Remove: func(_ *testing.T, record storetest.Record) { server.Remove("secrets", names[record][0]) },
	}
}

func TestNewRefuses(t *testing.T) {
	server := kubetest.Start(t)
	for what, err := range map[string]error{
		"a name":       second(kubestore.New(server.Config(), kubetest.Namespace, "Not A Name")),
		"no namespace": second(kubestore.New(server.Config(), "", "vb")),
		"a config":     second(kubestore.New(&rest.Config{Host: "://"}, kubetest.Namespace, "vb")),
	} {
		if fault.KindOf(err) != fault.Usage || fault.RemedyOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// options are those of a Lease that is renewed often, so that no test waits, and lives long, so
// that none is lost on a busy machine.
func options(holder string) store.LeaseOptions {
	return store.LeaseOptions{Holder: holder, Duration: 2 * time.Minute, RenewDeadline: time.Minute, RetryPeriod: time.Millisecond}
}

func acquire(t *testing.T, records *kubestore.Store, holder string) store.Held {
	t.Helper()
	held, err := records.Acquire(t.Context(), options(holder))
	check(t, err)
	t.Cleanup(func() { _ = held.Release(context.Background()) })
	return held
}

func lease(t *testing.T, server *kubetest.Server, name string) *coordinationv1.Lease {
	t.Helper()
	found := &coordinationv1.Lease{}
	if !server.Get("leases", name, found) {
		t.Fatalf("there is no Lease %q", name)
	}
	return found
}

func TestLeaseIsTakenOverAndLost(t *testing.T) {
	server := kubetest.Start(t)
	first := acquire(t, open(t, server), "a")
	reported := make(chan string, 1)
	waiting := options("b")
	waiting.Waiting = func(holder string) { reported <- holder }
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := open(t, server).Acquire(ctx, waiting)
		result <- err
	}()
	if holder := storetest.Receive(t, reported, "the holder"); holder != "a" {
		t.Errorf("the holder was reported as %q", holder)
	}
	cancel()
	if err := storetest.Receive(t, result, "the end"); fault.KindOf(err) != fault.Busy || !strings.Contains(err.Error(), `held by "a"`) {
		t.Errorf("got %v", err)
	}

	robbed := lease(t, server, "vb")
	robber := "robber"
	robbed.Spec.HolderIdentity = &robber
	server.Put("leases", robbed)
	storetest.Receive(t, first.Context().Done(), "the loss")
	if cause := context.Cause(first.Context()); !errors.Is(cause, store.ErrLeaseLost) || !strings.Contains(cause.Error(), `"robber" holds it now`) {
		t.Errorf("the cause is %v", cause)
	}
	if err := first.Show(t.Context(), store.Mirror{State: "late"}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("after the loss: %v", err)
	}
	check(t, first.Release(t.Context()))
	if holder := *lease(t, server, "vb").Spec.HolderIdentity; holder != "robber" {
		t.Errorf("a Lease that was lost was given back: %q", holder)
	}
}

// A Lease that was removed by hand is claimed again; one that cannot be renewed is lost.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	server := kubetest.Start(t)
	short := options("a")
	short.Duration, short.RenewDeadline = 3*time.Second, 2*time.Second
	held, err := open(t, server).Acquire(t.Context(), short)
	check(t, err)
	server.Remove("leases", "vb")
	check(t, held.Show(t.Context(), store.Mirror{State: "seeded"}))
	if got := lease(t, server, "vb"); got.Annotations[kubestore.AnnotationState] != "seeded" || *got.Spec.HolderIdentity != "a" {
		t.Errorf("got %+v", got)
	}
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if r.Resource == "leases" {
			return kubetest.Broken(r)
		}
		return nil
	})
	storetest.Receive(t, held.Context().Done(), "the loss")
	if cause := context.Cause(held.Context()); !errors.Is(cause, store.ErrLeaseLost) || !strings.Contains(cause.Error(), "etcd is away") {
		t.Errorf("the cause is %v", cause)
	}
	if _, err := open(t, server).Acquire(t.Context(), options("b")); err == nil || fault.KindOf(err) == fault.Busy {
		t.Errorf("a server that does not answer is waited for: %v", err)
	}
	if _, err := open(t, server).LeaseMirror(t.Context()); err == nil {
		t.Error("a mirror that cannot be read is none")
	}
}

func TestLeadIsALeaseOfItsOwn(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	acquire(t, records, "a")
	lead, err := records.Lead(t.Context(), options("a"))
	check(t, err)
	if holder := *lease(t, server, "vb-watch").Spec.HolderIdentity; holder != "a" {
		t.Errorf("the leader is %q", holder)
	}
	check(t, lead.Release(t.Context()))
	if _, err := records.Lead(t.Context(), store.LeaseOptions{}); fault.KindOf(err) != fault.Usage {
		t.Errorf("without options: %v", err)
	}
}

func TestRevisionsAreRespected(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	revision, err := records.SaveKeys(t.Context(), store.Keys{Epoch: 1}, "")
	check(t, err)
	check(t, records.Rehearse(t.Context(), store.Keys{Epoch: 2}, revision))
	server.Remove("secrets", keysSecret)
	if _, err := records.SaveKeys(t.Context(), store.Keys{Epoch: 2}, revision); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a removed record: %v", err)
	}
	if err := records.Rehearse(t.Context(), store.Keys{Old: map[string]store.KeySet{"x": {Shares: secret.Values([]string{strings.Repeat("s", 1<<20)})}}}, ""); fault.NameOf(err) != wire.RecordFull {
		t.Errorf("a record that is too large: %v", err)
	}
	_, err = records.SaveKeys(t.Context(), store.Keys{Old: map[string]store.KeySet{"x": {Shares: secret.Values([]string{strings.Repeat("s", 2<<20)})}}}, "")
	named(t, err, wire.RecordFull)
}

// What others watch is the time of renewal in the Lease: each renewal moves it on.
func TestRenewalsAreSeen(t *testing.T) {
	server := kubetest.Start(t)
	acquire(t, open(t, server), "a")
	renewals := make(chan struct{})
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if r.Resource == "leases" && r.Verb == "update" {
			select {
			case renewals <- struct{}{}:
			default: // nobody waits for it
			}
		}
		return nil
	})
	claimed := lease(t, server, "vb").Spec.RenewTime
	for range 2 { // the second one is sent when the first is stored
		storetest.Receive(t, renewals, "a renewal")
	}
	if renewed := lease(t, server, "vb").Spec.RenewTime; !renewed.After(claimed.Time) {
		t.Errorf("renewed at %s, claimed at %s", renewed, claimed)
	}
}
