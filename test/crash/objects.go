package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// spoiler makes the records such that they cannot be written, or will not stay, and returns
// what a person does about it.
type spoiler func(ctx context.Context, sc *scene) (repair func(context.Context) error, err error)

// spoiltBefore has a run begin with spoilt records: it must end with an error of that name
// before Vault is asked.
func spoiltBefore(spoil spoiler, name string) act {
	return func(ctx context.Context, sc *scene) error {
		repair, err := spoil(ctx, sc)
		if err != nil {
			return err
		}
		sc.repairs = append(sc.repairs, repair)
		end, err := sc.finish(ctx, sc.options("--timeout=20s"))
		if err != nil {
			return err
		}
		sc.say("exit %d %s", end.Code, end.Failure)
		if end.Code != exitTerminal || end.Failure != name || len(sc.inits()) > 0 {
			return fmt.Errorf("exit %d %q, and %d × sys/init\n%s", end.Code, end.Failure, len(sc.inits()), end.Stderr)
		}
		return nil
	}
}

// spoiltAt spoils them at a point, and repairs them when the run has noticed.
func spoiltAt(point string, spoil spoiler) act {
	return func(ctx context.Context, sc *scene) error {
		p, err := sc.startStopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		repair, err := spoil(ctx, sc)
		if err != nil {
			return err
		}
		if err := p.Resume(ctx, point); err != nil {
			return err
		}
		err = p.Until(ctx, notStored, 1)
		if _, ended := errors.AsType[*driver.NeverError](err); err != nil && !ended {
			return err
		}
		if err := repair(ctx); err != nil {
			return err
		}
		return sc.safeEnd(ctx, p.Wait())
	}
}

const keysSecret = "vault-bootstrap-keys"

// keysObject returns the keys Secret, which is made where there is none.
func (sc *scene) keysObject(ctx context.Context, change func(*corev1.Secret)) (*corev1.Secret, error) {
	secrets := sc.kube.plane.Client.CoreV1().Secrets(sc.namespace())
	found, err := secrets.Get(ctx, keysSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: keysSecret}}
		change(made)
		return secrets.Create(ctx, made, metav1.CreateOptions{})
	}
	if err != nil {
		return nil, err
	}
	change(found)
	return secrets.Update(ctx, found, metav1.UpdateOptions{})
}

// remade is how a person mends an object: it is made anew with what it has.
func (sc *scene) remade(ctx context.Context) error {
	secrets := sc.kube.plane.Client.CoreV1().Secrets(sc.namespace())
	found, err := secrets.Get(ctx, keysSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	copied := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: keysSecret, Labels: found.Labels, Annotations: found.Annotations}, Data: found.Data, Type: found.Type}
	if len(found.Finalizers) > 0 {
		if _, err := sc.kube.plane.Kubectl(ctx, "patch", "secret", keysSecret, "-n", sc.namespace(), "--type=merge", `-p={"metadata":{"finalizers":null}}`); err != nil {
			return err
		}
	}
	if err := secrets.Delete(ctx, keysSecret, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if len(copied.Data) == 0 {
		return nil
	}
	_, err = secrets.Create(ctx, copied, metav1.CreateOptions{})
	return err
}

// beingDeleted has the keys Secret be deleted, and stay for a finalizer's sake.
func beingDeleted(ctx context.Context, sc *scene) (func(context.Context) error, error) {
	_, err := sc.keysObject(ctx, func(s *corev1.Secret) { s.Finalizers = []string{"example.com/backup"} })
	if err != nil {
		return nil, err
	}
	return sc.remade, sc.kube.plane.Client.CoreV1().Secrets(sc.namespace()).Delete(ctx, keysSecret, metav1.DeleteOptions{})
}

// immutable has the keys Secret be immutable.
func immutable(ctx context.Context, sc *scene) (func(context.Context) error, error) {
	yes := true
	_, err := sc.keysObject(ctx, func(s *corev1.Secret) { s.Immutable = &yes })
	return sc.remade, err
}

// recordsAndNamespaceEnd has the namespace end when the records are there already, so that
// they can be written until they are gone.
func recordsAndNamespaceEnd(ctx context.Context, sc *scene) (func(context.Context) error, error) {
	if err := killAt("entered.uninitialized")(ctx, sc); err != nil {
		return nil, err
	}
	if _, err := sc.keysObject(ctx, func(*corev1.Secret) {}); err != nil {
		return nil, err
	}
	return namespaceEnds(ctx, sc)
}

// namespaceEnds deletes the namespace. The bed has nothing that empties it, so that it ends
// for as long as the case lasts. Where nothing is recorded yet a person takes another one.
func namespaceEnds(ctx context.Context, sc *scene) (func(context.Context) error, error) {
	sc.runsOnly = true
	namespaces := sc.kube.plane.Client.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, sc.namespace(), metav1.DeleteOptions{}); err != nil {
		return nil, err
	}
	err := testbed.Poll(ctx, 50*time.Millisecond, "the namespace to end", func(ctx context.Context) error {
		found, err := namespaces.Get(ctx, sc.namespace(), metav1.GetOptions{})
		if err == nil && found.Status.Phase != corev1.NamespaceTerminating {
			err = fmt.Errorf("it is %s", found.Status.Phase)
		}
		return err
	})
	return func(ctx context.Context) error {
		if keys, err := sc.keys(ctx); err != nil || keys.Attempt != nil {
			return err // its records can still be written
		}
		records, token, err := sc.kube.install(ctx, sc.namespace()+"-anew", sc.api)
		sc.records = records
		sc.note(token)
		return err
	}, err
}
