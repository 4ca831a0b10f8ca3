package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

func TestObjectsAsTheyAre(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	session, err := fencing.Begin(within(t), s.open(t), storetest.LeaseOptions("h"))
	check(t, err)
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error {
		c.State, c.Since, c.SeedDigest = "seeded", since, "sha256:d"
		return nil
	}))
	check(t, session.Show(within(t), store.Mirror{State: "seeded", Since: since, SeedDigest: "sha256:d"}))
	check(t, session.Close())

	lease, err := controlPlane.Client.CoordinationV1().Leases(s.namespace).Get(within(t), s.name, metav1.GetOptions{})
	check(t, err)
	keys, state := s.secret(t, s.name+"-keys"), s.secret(t, s.name+"-state")
	for _, o := range []metav1.Object{keys, state, lease} {
		if labels := o.GetLabels(); labels["app.kubernetes.io/name"] != "vault-bootstrap" || labels["app.kubernetes.io/managed-by"] != "vault-bootstrap" {
			t.Errorf("%s has the labels %v", o.GetName(), labels)
		}
		if owners := o.GetOwnerReferences(); len(owners) != 0 {
			t.Errorf("%s has owners: %v", o.GetName(), owners)
		}
		for _, m := range o.GetManagedFields() {
			if m.Manager != "vault-bootstrap" {
				t.Errorf("%s has fields that %q manages", o.GetName(), m.Manager)
			}
		}
	}
	for _, o := range []metav1.Object{state, lease} {
		a := o.GetAnnotations()
		if a[kubestore.AnnotationState] != "seeded" || a[kubestore.AnnotationSince] != "2026-01-02T03:04:05Z" || a[kubestore.AnnotationSeedDigest] != "sha256:d" {
			t.Errorf("%s has the annotations %v", o.GetName(), a)
		}
	}
	if len(keys.Annotations) != 0 {
		t.Errorf("the keys have the annotations %v", keys.Annotations)
	}
	if keys.Type != corev1.SecretTypeOpaque || len(keys.Data) != 1 || len(keys.Data["keys.json"]) == 0 {
		t.Errorf("the keys are of type %s with %d data keys", keys.Type, len(keys.Data))
	}
	if state.Type != corev1.SecretTypeOpaque || len(state.Data) != 1 || len(state.Data["state.json"]) == 0 {
		t.Errorf("the checkpoint is of type %s with %d data keys", state.Type, len(state.Data))
	}
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		t.Errorf("the released Lease is held by %q", *holder)
	}
}

// An object that somebody made beforehand (a chart, to own its labels) is used as
// it is: what is in it stays, and the compare-and-swap holds for the first write.
func TestWhatIsThereStays(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	secrets := controlPlane.Client.CoreV1().Secrets(s.namespace)
	_, err := secrets.Create(within(t), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: s.name + "-keys", Labels: map[string]string{"theirs": "label"}, Annotations: map[string]string{"theirs": "annotation"},
		},
		Data: map[string][]byte{"theirs": []byte("data")},
	}, metav1.CreateOptions{})
	check(t, err)

	records := s.open(t)
	keys, revision, err := records.Keys(within(t))
	check(t, err)
	if revision == "" || keys.Epoch != 0 {
		t.Errorf("an object that was never written to reads as %+v at %q", keys, revision)
	}
	first, err := records.SaveKeys(within(t), store.Keys{HashKey: secret.New("h")}, revision)
	check(t, err)
	if _, err := records.SaveKeys(within(t), store.Keys{}, revision); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second first write: %v", err)
	}
	// A first write that thinks nothing is there touches nothing.
	if _, err := records.SaveKeys(within(t), store.Keys{}, ""); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a first write over data: %v", err)
	}
	keys, revision, err = records.Keys(within(t))
	check(t, err)
	if revision != first || keys.HashKey.Reveal() != "h" {
		t.Errorf("the record is %+v at %q, written at %q", keys, revision, first)
	}
	o := s.secret(t, s.name+"-keys")
	if string(o.Data["theirs"]) != "data" || o.Labels["theirs"] != "label" || o.Annotations["theirs"] != "annotation" {
		t.Errorf("what was there is gone: %v, %v, data %d", o.Labels, o.Annotations, len(o.Data))
	}
}

// Others may write to the Lease's metadata, and even remove it: its holder reads,
// sees that nobody else has it, and goes on.
func TestLeaseSurvivesMeddling(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	held, err := s.open(t).Acquire(within(t), storetest.LeaseOptions("h"))
	check(t, err)
	defer func() { _ = held.Release(context.Background()) }()
	leases := controlPlane.Client.CoordinationV1().Leases(s.namespace)

	_, err = leases.Patch(within(t), s.name, types.MergePatchType, []byte(`{"metadata":{"annotations":{"theirs":"kept"}}}`), metav1.PatchOptions{})
	check(t, err)
	check(t, held.Show(within(t), store.Mirror{State: "one"}))
	lease, err := leases.Get(within(t), s.name, metav1.GetOptions{})
	check(t, err)
	if lease.Annotations["theirs"] != "kept" || lease.Annotations[kubestore.AnnotationState] != "one" {
		t.Errorf("the annotations are %v", lease.Annotations)
	}

	check(t, leases.Delete(within(t), s.name, metav1.DeleteOptions{}))
	poll(t, "the Lease to be back", func(ctx context.Context) error {
		lease, err := leases.Get(ctx, s.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if h := lease.Spec.HolderIdentity; h == nil || *h != "h" {
			return fmt.Errorf("it is held by %v", h)
		}
		return nil
	})
	if err := held.Alive(); err != nil {
		t.Error(err)
	}
	if err := held.Context().Err(); err != nil {
		t.Error(err)
	}
}
