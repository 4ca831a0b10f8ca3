package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// finalizer keeps an object that was deleted, as backup tools and operators do.
const finalizer = `{"metadata":{"finalizers":["example.com/keep"]}}`

// merge patches one of the store's objects as an administrator.
func (s *site) merge(t *testing.T, kind, name, patch string) {
	t.Helper()
	var err error
	switch kind {
	case "Secret":
		_, err = controlPlane.Client.CoreV1().Secrets(s.namespace).Patch(within(t), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	case "Lease":
		_, err = controlPlane.Client.CoordinationV1().Leases(s.namespace).Patch(within(t), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	}
	check(t, err)
}

// doom deletes one of the store's objects, which stays until its finalizer goes.
func (s *site) doom(t *testing.T, kind, name string) {
	t.Helper()
	s.merge(t, kind, name, finalizer)
	if kind == "Secret" {
		check(t, controlPlane.Client.CoreV1().Secrets(s.namespace).Delete(within(t), name, metav1.DeleteOptions{}))
	} else {
		check(t, controlPlane.Client.CoordinationV1().Leases(s.namespace).Delete(within(t), name, metav1.DeleteOptions{}))
	}
}

// begun is a store in which a session has been, so that all objects are there.
func begun(t *testing.T) (*site, *kubestore.Store) {
	t.Helper()
	s := readySite(t)
	records := s.open(t)
	session, err := fencing.Begin(within(t), records, storetest.LeaseOptions("h"))
	check(t, err)
	check(t, session.Close())
	return s, records
}

// concerned fails unless the records are in exactly one danger, of this name, which
// refuses to initialize.
func concerned(t *testing.T, records store.Store, name, object string) {
	t.Helper()
	concerns, err := records.Concerns(within(t))
	check(t, err)
	if len(concerns) != 1 || concerns[0].Name != name || !strings.Contains(concerns[0].Message, object) || concerns[0].Remedy == "" {
		t.Errorf("the concerns are %+v, want one %q about %s", concerns, name, object)
	}
	refusal := store.Refusal(concerns)
	if fault.KindOf(refusal) != fault.Terminal || fault.NameOf(refusal) != name || fault.RemedyOf(refusal) == "" {
		t.Errorf("the refusal is %v (%s)", refusal, fault.KindOf(refusal))
	}
}

// A record with a deletion mark is gone as soon as its finalizer is.
func TestARecordThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	for _, object := range []struct{ kind, suffix string }{{"Secret", "-keys"}, {"Secret", "-state"}, {"Lease", ""}} {
		t.Run(object.kind+object.suffix, func(t *testing.T) {
			t.Parallel()
			s, _ := begun(t)
			s.doom(t, object.kind, s.name+object.suffix)
			// What nothing is lost by is refused at once.
			if err := s.open(t).Preflight(within(t)); fault.NameOf(err) != store.RecordBeingDeleted {
				t.Errorf("with no keys in it, the preflight says %v", err)
			}
			records := s.open(t)
			concerned(t, records, store.RecordBeingDeleted, fmt.Sprintf("%s %q", object.kind, s.namespace+"/"+s.name+object.suffix))
			if err := store.Ready(within(t), records); fault.NameOf(err) != store.RecordBeingDeleted {
				t.Errorf("ready to initialize: %v", err)
			}
		})
	}
}

// With keys in it a record in danger is still read and written: they may be needed,
// and copied, as long as it is there.
func TestKeysInARecordThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	s, records := begun(t)
	save(t, records, func(keys *store.Keys) { keys.Set = &store.KeySet{Kind: store.UnsealKeys} })
	s.doom(t, "Secret", s.name+"-keys")
	check(t, records.Preflight(within(t)))
	concerned(t, records, store.RecordBeingDeleted, s.name+"-keys")
	save(t, records, func(keys *store.Keys) { keys.HashKey = secret.New("h") })
	concerned(t, records, store.RecordBeingDeleted, s.name+"-keys")
}

func save(t *testing.T, records store.Store, change func(*store.Keys)) {
	t.Helper()
	keys, revision, err := records.Keys(within(t))
	check(t, err)
	change(&keys)
	_, err = records.SaveKeys(within(t), keys, revision)
	check(t, err)
}

// The records are there already, so that nothing has to be created: the namespace's
// own controller deletes them soon.
func TestANamespaceThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	s, records := begun(t)
	check(t, controlPlane.Client.CoreV1().Namespaces().Delete(within(t), s.namespace, metav1.DeleteOptions{}))
	if err := records.Preflight(within(t)); fault.NameOf(err) != store.NamespaceBeingDeleted || fault.KindOf(err) != fault.Terminal {
		t.Errorf("the preflight says %v (%s)", err, fault.KindOf(err))
	}
	concerned(t, records, store.NamespaceBeingDeleted, s.namespace)

	// Where there is nothing yet, it is the record that cannot be made.
	empty := readySite(t)
	check(t, controlPlane.Client.CoreV1().Namespaces().Delete(within(t), empty.namespace, metav1.DeleteOptions{}))
	if err := empty.open(t).Preflight(within(t)); fault.NameOf(err) != store.NamespaceBeingDeleted {
		t.Errorf("without records the preflight says %v", err)
	}
}

func TestARecordThatIsImmutable(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"-keys", "-state"} {
		t.Run(suffix, func(t *testing.T) {
			t.Parallel()
			s, records := begun(t)
			save(t, records, func(keys *store.Keys) { keys.Set = &store.KeySet{Kind: store.UnsealKeys} })
			s.merge(t, "Secret", s.name+suffix, `{"immutable":true}`)
			immutable := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, store.ErrImmutable) || fault.NameOf(err) != store.RecordImmutable || fault.KindOf(err) != fault.Terminal ||
					!strings.Contains(fault.RemedyOf(err), s.name+suffix) {
					t.Errorf("%s ends with %v (%s); remedy: %s", what, err, fault.KindOf(err), fault.RemedyOf(err))
				}
			}
			immutable("the preflight", s.open(t).Preflight(within(t)))
			fresh := s.open(t)
			keys, keysRevision, err := fresh.Keys(within(t))
			check(t, err)
			if keys.Set == nil {
				t.Error("the keys cannot be read")
			}
			checkpoint, stateRevision, err := fresh.Checkpoint(within(t))
			check(t, err)
			concerned(t, fresh, store.RecordImmutable, s.name+suffix)
			keys.Epoch++
			checkpoint.Epoch++
			write := map[string]func(*kubestore.Store) error{
				"-keys": func(k *kubestore.Store) error { _, err := k.SaveKeys(within(t), keys, keysRevision); return err },
				"-state": func(k *kubestore.Store) error {
					_, err := k.SaveCheckpoint(within(t), checkpoint, stateRevision)
					return err
				},
			}[suffix]
			immutable("a write by who has read it", write(fresh))
			// Also where it became so after it was read.
			immutable("a write by another", write(s.open(t)))
		})
	}
}

// What has an owner goes with its owner; one that is not there, at once.
func TestARecordThatHasAnOwner(t *testing.T) {
	t.Parallel()
	s, records := begun(t)
	s.merge(t, "Secret", s.name+"-keys", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"00000000-0000-0000-0000-000000000001"}]}}`)
	if err := store.Ready(within(t), records); fault.NameOf(err) != store.RecordOwned || !strings.Contains(err.Error(), "ConfigMap/gone") {
		t.Errorf("ready to initialize: %v", err)
	}
	concerned(t, records, store.RecordOwned, s.name+"-keys")
	s.merge(t, "Secret", s.name+"-keys", `{"metadata":{"ownerReferences":null}}`)
	check(t, store.Ready(within(t), records))
}

// A holder whose record was removed and made again is not pushed out by anybody.
func TestTheKeysRecordIsDeletedDuringASession(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	session, err := fencing.Begin(within(t), s.open(t), storetest.LeaseOptions("h"))
	check(t, err)
	defer func() { _ = session.Close() }()
	check(t, controlPlane.Client.CoreV1().Secrets(s.namespace).Delete(within(t), s.name+"-keys", metav1.DeleteOptions{}))
	check(t, session.Deliver(within(t), func(keys *store.Keys) error {
		keys.Set = &store.KeySet{Kind: store.UnsealKeys}
		return nil
	}))
	// What was delivered can be written to by the session that delivered it.
	check(t, session.UpdateKeys(within(t), func(keys *store.Keys) error { keys.Root = nil; keys.HashKey = secret.New("h"); return nil }))

	check(t, controlPlane.Client.CoreV1().Secrets(s.namespace).Delete(within(t), s.name+"-keys", metav1.DeleteOptions{}))
	_, err = controlPlane.Client.CoreV1().Secrets(s.namespace).Create(within(t), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: s.name + "-keys"}, Data: map[string][]byte{"keys.json": []byte(`{"version":1,"epoch":0,"hash_key":"x"}`)},
	}, metav1.CreateOptions{})
	check(t, err)
	err = session.UpdateKeys(within(t), func(keys *store.Keys) error { keys.HashKey = secret.New("i"); return nil })
	if !errors.Is(err, fencing.ErrDeleted) || fault.NameOf(err) != fencing.RecordDeleted || !strings.Contains(err.Error(), "was deleted while") || strings.Contains(err.Error(), "later holder") {
		t.Errorf("a record that somebody has made anew: %v", err)
	}
}

// The remedies put a record in place that can be written, with the same keys in it.
func TestRemediesOfDangers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*site)
		// how the copy is put in place
		verb []string
	}{
		"immutable": {func(s *site) { s.merge(t, "Secret", s.name+"-keys", `{"immutable":true}`) }, []string{"replace", "--force"}},
		"deleted": {func(s *site) {
			s.doom(t, "Secret", s.name+"-keys")
		}, []string{"create"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, records := begun(t)
			save(t, records, func(keys *store.Keys) { keys.HashKey = secret.New("precious") })
			test.spoil(s)
			copied := s.secret(t, s.name+"-keys")
			if name == "deleted" {
				s.merge(t, "Secret", s.name+"-keys", `{"metadata":{"finalizers":null}}`)
			}
			copied.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
			copied.Immutable, copied.UID, copied.ResourceVersion, copied.CreationTimestamp = nil, "", "", metav1.Time{}
			copied.DeletionTimestamp, copied.DeletionGracePeriodSeconds, copied.Finalizers = nil, nil, nil
			content, err := json.Marshal(copied)
			check(t, err)
			file := filepath.Join(t.TempDir(), "keys.json")
			check(t, os.WriteFile(file, content, 0o600))
			_, err = controlPlane.Kubectl(within(t), append(test.verb, "-n", s.namespace, "-f", file)...)
			check(t, err)
			fresh := s.open(t)
			check(t, store.Ready(within(t), fresh))
			keys, _, err := fresh.Keys(within(t))
			check(t, err)
			if keys.HashKey.Reveal() != "precious" {
				t.Errorf("the copy holds %+v", keys)
			}
			save(t, fresh, func(keys *store.Keys) { keys.HashKey = secret.New("next") })
		})
	}
}
