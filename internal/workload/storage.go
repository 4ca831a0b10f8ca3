package workload

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Storage is what a server keeps its data in: its pod, and the claim of a volume. The UIDs identify
// these objects, as opposed to later ones with the same names.
type Storage struct {
	// Address is the address of the server.
	Address     string
	Pod, PodUID string
	// Claim is empty for a volume that is deleted with the pod.
	Claim, ClaimUID string
}

// rules returns the rules that Empty needs.
func (s Storage) rules() []kube.Rule {
	var rules []kube.Rule
	if s.Claim != "" {
		rules = append(rules, kube.Rule{Resource: "persistentvolumeclaims", Name: s.Claim, Verbs: []string{"get", "delete"}})
	}
	return append(rules, kube.Rule{Resource: "pods", Name: s.Pod, Verbs: []string{"delete"}})
}

// Storage returns what the server at address keeps its data in: the volume called volume of its
// pod. It fails if we may not empty that, and changes nothing.
func (p *Pods) Storage(ctx context.Context, address, volume string) (Storage, error) {
	pod, err := p.at(ctx, address)
	if err != nil {
		return Storage{}, err
	}
	storage := Storage{Address: address, Pod: pod.Name, PodUID: string(pod.UID)}
	if storage.Claim, err = claimOf(pod, volume); err != nil {
		return storage, err
	}
	in := p.in
	in.Rules = storage.rules()
	missing, err := in.Missing(ctx)
	if err == nil && len(missing) > 0 {
		err = in.Denied(missing)
	}
	if err != nil || storage.Claim == "" {
		return storage, err
	}
	claim := &corev1.PersistentVolumeClaim{}
	if err := in.Claims().Get(ctx, storage.Claim, claim); err != nil {
		return storage, in.Explain(kube.Access{Verb: "get", Resource: "persistentvolumeclaims", Name: storage.Claim}, err)
	}
	storage.ClaimUID = string(claim.UID)
	return storage, nil
}

// claimOf returns the name of a volume's claim, or "" if the volume is deleted with its pod.
func claimOf(pod *corev1.Pod, volume string) (string, error) {
	for _, each := range pod.Spec.Volumes {
		if each.Name != volume {
			continue
		}
		switch {
		case each.PersistentVolumeClaim != nil:
			return each.PersistentVolumeClaim.ClaimName, nil
		case each.EmptyDir != nil:
			return "", nil
		}
		return "", fault.Misuse(fmt.Errorf("the volume %q of the pod %q is neither a claim nor an emptyDir", volume, pod.Name),
			"It cannot be emptied from here. Delete its data by hand, as docs/runbook.md says.")
	}
	return "", fault.Misuse(fmt.Errorf("the pod %q has no volume called %q", pod.Name, volume),
		"Name the volume that holds Vault's storage with --storage-volume.")
}

// Empty deletes the claim and then the pod, so that the StatefulSet creates both again. What is
// already gone, or was replaced meanwhile, is left alone, so it is safe to call again.
func (p *Pods) Empty(ctx context.Context, storage Storage) error {
	in := p.in
	in.Rules = storage.rules()
	var errs []error
	if storage.Claim != "" {
		// Kubernetes keeps the claim until the pod no longer uses it.
		err := in.Claims().Delete(ctx, storage.Claim, types.UID(storage.ClaimUID))
		errs = append(errs, deleted(in, "persistentvolumeclaims", storage.Claim, err))
	}
	err := in.Pods().Delete(ctx, storage.Pod, types.UID(storage.PodUID))
	return errors.Join(append(errs, deleted(in, "pods", storage.Pod, err))...)
}

func deleted(in kube.Namespace, resource, name string, err error) error {
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // another UID: a later one
		return nil
	}
	return in.Explain(kube.Access{Verb: "delete", Resource: resource, Name: name}, err)
}
