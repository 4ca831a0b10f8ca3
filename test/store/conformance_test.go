package store_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

func TestConformance(t *testing.T) { storetest.Run(t, empty) }

func TestConformanceEncrypted(t *testing.T) { storetest.RunEncrypted(t, empty) }

// empty returns records that are empty.
func empty(t *testing.T) storetest.Backend {
	t.Helper()
	s := readySite(t)
	secrets := controlPlane.Client.CoreV1().Secrets(s.namespace)
	place := map[storetest.Record]struct{ secret, key string }{
		storetest.Keys:       {s.name + "-keys", "keys.json"},
		storetest.Checkpoint: {s.name + "-state", "state.json"},
	}
	return storetest.Backend{
		Open: func(t *testing.T) store.Store { return s.open(t) },
		Plant: func(t *testing.T, record storetest.Record, content []byte) {
			t.Helper()
			object := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: place[record].secret},
				Data:       map[string][]byte{place[record].key: content},
			}
			_, err := secrets.Create(within(t), object, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) {
				_, err = secrets.Update(within(t), object, metav1.UpdateOptions{})
			}
			check(t, err)
		},
		Planted: func(t *testing.T, record storetest.Record) []byte {
			t.Helper()
			return s.secret(t, place[record].secret).Data[place[record].key]
		},
		Remove: func(t *testing.T, record storetest.Record) {
			t.Helper()
			check(t, secrets.Delete(within(t), place[record].secret, metav1.DeleteOptions{}))
		},
		Orphan: func(t *testing.T, options store.LeaseOptions) {
			t.Helper()
			var n network
			held, err := openWith(t, n.through(s.config), s).Acquire(within(t), options)
			check(t, err)
			n.cut.Store(true)
			// What a dead process cannot do either.
			t.Cleanup(func() { _ = held.Release(context.Background()) })
		},
		Rob: func(t *testing.T) { s.rob(t) },
	}
}

// rob gives the Lease to somebody who will not renew it.
func (s *site) rob(t *testing.T) {
	t.Helper()
	leases := controlPlane.Client.CoordinationV1().Leases(s.namespace)
	thief, second := "thief", int32(1)
	check(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		lease, err := leases.Get(within(t), s.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &thief, &second
		_, err = leases.Update(within(t), lease, metav1.UpdateOptions{})
		return err
	}))
}
