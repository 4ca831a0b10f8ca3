package workload

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Object returns which object of the pod's namespace a file of the pod called name comes from, such
// as 'Secret "ns/x"'; "" if from none, as on a volume of the node or of a CSI driver. path is the
// file's in a container, and absolute: a mount of any container counts.
func (p *Pods) Object(ctx context.Context, name, path string) (string, error) {
	pod := &corev1.Pod{}
	if err := p.in.Pods().Get(ctx, name, pod); err != nil {
		return "", p.in.Explain(kube.Access{Verb: "get", Resource: "pods"}, err)
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, container := range containers {
			if object := p.objectOf(pod, mountOf(container, path)); object != "" {
				return object, nil
			}
		}
	}
	return "", nil
}

// mountOf returns the name of the volume that a path of a container is on; "" if on none.
func mountOf(container corev1.Container, path string) string {
	volume, longest := "", 0
	for _, mount := range container.VolumeMounts {
		at := strings.TrimSuffix(mount.MountPath, "/")
		if (path == at || strings.HasPrefix(path, at+"/")) && len(mount.MountPath) > longest {
			volume, longest = mount.Name, len(mount.MountPath)
		}
	}
	return volume
}

// objectOf returns the object that a volume shows; "" if it shows none.
func (p *Pods) objectOf(pod *corev1.Pod, volume string) string {
	for _, each := range pod.Spec.Volumes {
		if each.Name != volume {
			continue
		}
		switch {
		case each.Secret != nil:
			return p.in.Describe("Secret", each.Secret.SecretName)
		case each.ConfigMap != nil:
			return p.in.Describe("ConfigMap", each.ConfigMap.Name)
		case each.Projected == nil:
			return ""
		}
		for _, source := range each.Projected.Sources {
			switch {
			case source.Secret != nil:
				return p.in.Describe("Secret", source.Secret.Name)
			case source.ConfigMap != nil:
				return p.in.Describe("ConfigMap", source.ConfigMap.Name)
			}
		}
	}
	return ""
}
