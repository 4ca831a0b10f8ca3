package store_test

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// filled returns keys of about this many bytes.
func filled(bytes int) store.Keys {
	return store.Keys{HashKey: secret.New(strings.Repeat("x", bytes)), Past: []store.Attempt{{ID: "a"}, {ID: "b"}}}
}

func full(t *testing.T, what string, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Terminal || fault.NameOf(err) != wire.RecordFull || !strings.Contains(fault.RemedyOf(err), "kubectl") {
		t.Errorf("%s: %v (%s); remedy: %s", what, err, fault.KindOf(err), fault.RemedyOf(err))
	}
}

// What is rehearsed is the record that will be written, at its size, beside what others
// keep in the same Secret; and nothing of it is stored.
func TestRehearsalOfTheKeys(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	records := s.open(t)
	check(t, records.Rehearse(within(t), filled(900<<10), ""))
	if _, revision, err := records.Keys(within(t)); err != nil || revision != "" {
		t.Errorf("the rehearsal left %q, %v", revision, err)
	}
	tooMuch := records.Rehearse(within(t), filled(970<<10), "")
	full(t, "970 KiB", tooMuch)
	if !strings.Contains(tooMuch.Error(), "2 attempts") {
		t.Errorf("it does not say what fills it: %v", tooMuch)
	}

	revision, err := records.SaveKeys(within(t), filled(10), "")
	check(t, err)
	check(t, records.Rehearse(within(t), filled(900<<10), revision))
	if keys, now, err := records.Keys(within(t)); err != nil || now != revision || len(keys.HashKey.Reveal()) != 10 {
		t.Errorf("the rehearsal left the record at %q, written at %q: %v", now, revision, err)
	}
	_, err = records.SaveKeys(within(t), filled(20), revision)
	check(t, err)
	for what, err := range map[string]error{
		"at an earlier revision": records.Rehearse(within(t), filled(30), revision),
		"at none":                records.Rehearse(within(t), filled(30), ""),
	} {
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("a rehearsal %s: %v", what, err)
		}
	}

	// Keys that were given out are written as long as the server takes them.
	_, revision, err = records.Keys(within(t))
	check(t, err)
	revision, err = records.SaveKeys(within(t), filled(1000<<10), revision)
	check(t, err)
	_, err = records.SaveKeys(within(t), filled(1025<<10), revision)
	full(t, "a write of 1025 KiB", err)
}

func TestRehearsalBesideWhatOthersKeep(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	_, err := controlPlane.Client.CoreV1().Secrets(s.namespace).Create(within(t), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: s.name + "-keys"}, Data: map[string][]byte{"theirs": make([]byte, 512<<10)},
	}, metav1.CreateOptions{})
	check(t, err)
	records := s.open(t)
	_, revision, err := records.Keys(within(t))
	check(t, err)
	full(t, "600 KiB beside 512", records.Rehearse(within(t), filled(600<<10), revision))
	check(t, records.Rehearse(within(t), filled(400<<10), revision))
}
