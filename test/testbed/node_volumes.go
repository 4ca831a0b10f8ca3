package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// storageClass is the default class of a cluster.
const storageClass = "bed"

// provisioner gives each claim a directory of the node as its volume, and removes
// it with the claim. That is what a cluster's storage does, and Kubernetes leaves to
// its vendors.
type provisioner struct {
	client kubernetes.Interface
	dir    string
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// startProvisioner makes the storage class, and serves it until stop.
func startProvisioner(ctx context.Context, client kubernetes.Interface, dir string) (*provisioner, error) {
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: storageClass, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner: "vault-bootstrap.dev/bed",
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("making the storage class: %w", err)
	}
	p := &provisioner{client: client, dir: dir}
	// It lives until it is stopped; ctx bounds the start only.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	// What failed is tried again when everything is looked at anew.
	factory := informers.NewSharedInformerFactory(client, 2*time.Second)
	claims := factory.Core().V1().PersistentVolumeClaims().Informer()
	volumes := factory.Core().V1().PersistentVolumes().Informer()
	_, err := claims.AddEventHandler(handle(func(claim *corev1.PersistentVolumeClaim) error { return p.provide(run, claim) }))
	if err == nil {
		_, err = volumes.AddEventHandler(handle(func(volume *corev1.PersistentVolume) error { return p.reclaim(run, volume) }))
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watching claims: %w", err)
	}
	factory.Start(run.Done())
	p.done.Go(func() { <-run.Done(); factory.Shutdown() })
	return p, nil
}

func (p *provisioner) stop() {
	p.cancel()
	p.done.Wait()
}

// handle calls do for each object that is new, has changed or is looked at anew.
func handle[T any](do func(T) error) cache.ResourceEventHandlerFuncs {
	try := func(object any) {
		if object, right := object.(T); right {
			if err := do(object); err != nil {
				fmt.Printf("node: volumes: %v\n", err)
			}
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: try, UpdateFunc: func(_, object any) { try(object) }}
}

// provide makes the volume of a claim that has none.
func (p *provisioner) provide(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	class := claim.Spec.StorageClassName
	if claim.Status.Phase != corev1.ClaimPending || claim.Spec.VolumeName != "" || class == nil || *class != storageClass {
		return nil
	}
	name := "pvc-" + string(claim.UID)
	dir := filepath.Join(p.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      claim.Spec.Resources.Requests,
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain, // by us
			StorageClassName:              storageClass,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			// A local volume is given the pod's group (fsGroup), a host path is not.
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: dir}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{NodeName},
				}},
			}}}},
		},
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// reclaim removes a volume whose claim is gone, with its data.
func (p *provisioner) reclaim(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.StorageClassName != storageClass || volume.Status.Phase != corev1.VolumeReleased {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(p.dir, volume.Name)); err != nil {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
