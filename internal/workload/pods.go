// Package workload knows the pods that Vault's servers run in: which there are, whether one was
// restarted, and how to give one empty storage. It must not know Vault's API, and decides nothing:
// its caller says what may be deleted.
package workload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Pods are the pods of Vault's servers, in the namespace of our records.
type Pods struct {
	in kube.Namespace

	mu    sync.Mutex
	named map[string]string // the pod at an address, as far as a Selection has found it
}

// Located is what is in a namespace, as the records are.
type Located interface{ Namespace() kube.Namespace }

// New returns the pods of a namespace. It sends no request.
func New(in kube.Namespace) *Pods {
	in.Rules = []kube.Rule{{Resource: "pods", Verbs: []string{"get"}}} // which our records need anyway
	return &Pods{in: in, named: map[string]string{}}
}

// ErrNoPod means that an address is not known to be that of a pod.
var ErrNoPod = errors.New("no pod is known at this address")

// Life is the time between two restarts of a server.
type Life struct {
	// Name changes with each restart, of the pod or of its container.
	Name string
	// Addresses are those of the pod, if it has any yet.
	Addresses []netip.Addr
}

// At reports whether the server that answers at an address is the one of this life. The server of a
// pod that was force-deleted may answer for a while alongside its successor.
func (l Life) At(address netip.Addr) bool { return slices.Contains(l.Addresses, address.Unmap()) }

// Life returns the life that the server at address is in. The error is ErrNoPod if the address does
// not show which pod is behind it.
func (p *Pods) Life(ctx context.Context, address string) (Life, error) {
	pod, err := p.at(ctx, address)
	if err != nil {
		return Life{}, err
	}
	life := Life{Name: fmt.Sprintf("%s/%d", pod.UID, restarts(pod))}
	for _, ip := range pod.Status.PodIPs {
		if parsed, err := netip.ParseAddr(ip.IP); err == nil {
			life.Addresses = append(life.Addresses, parsed.Unmap())
		}
	}
	return life, nil
}

// Ended reports whether the pod called name has ended, or is gone.
func (p *Pods) Ended(ctx context.Context, name string) (bool, error) {
	pod := &corev1.Pod{}
	err := p.in.Pods().Get(ctx, name, pod)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, p.in.Explain(kube.Access{Verb: "get", Resource: "pods"}, err)
	}
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed, nil
}

// defaultGrace is what the API server fills in.
const defaultGrace = 30 * time.Second

// Grace returns how long the kubelet lets the pod called name end by itself.
func (p *Pods) Grace(ctx context.Context, name string) (time.Duration, error) {
	pod := &corev1.Pod{}
	if err := p.in.Pods().Get(ctx, name, pod); err != nil {
		return 0, p.in.Explain(kube.Access{Verb: "get", Resource: "pods"}, err)
	}
	if pod.Spec.TerminationGracePeriodSeconds == nil {
		return defaultGrace, nil
	}
	return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second, nil
}

// serverContainer is what the official chart calls the container with the server.
const serverContainer = "vault"

// restarts returns how often the server's container was restarted. The restart of a sidecar does
// not count.
func restarts(pod *corev1.Pod) int32 {
	statuses := pod.Status.ContainerStatuses
	for _, status := range statuses {
		if status.Name == serverContainer {
			return status.RestartCount
		}
	}
	var highest int32
	for _, status := range statuses {
		highest = max(highest, status.RestartCount)
	}
	return highest
}

// at returns the pod whose server is at address.
func (p *Pods) at(ctx context.Context, address string) (*corev1.Pod, error) {
	name, err := p.nameAt(address)
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	err = p.in.Pods().Get(ctx, name, pod)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNoPod, p.in.Describe("Pod", name))
	}
	if err != nil {
		return nil, p.in.Explain(kube.Access{Verb: "get", Resource: "pods"}, err)
	}
	return pod, nil
}

// nameAt returns the name of the pod at an address: what a Selection has found, or
// the first label of the host, which the DNS of a StatefulSet gives to its pods.
func (p *Pods) nameAt(address string) (string, error) {
	p.mu.Lock()
	name, found := p.named[strings.TrimSuffix(address, "/")]
	p.mu.Unlock()
	if found {
		return name, nil
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoPod, err)
	}
	// POD.SERVICE, or POD.SERVICE.NAMESPACE.svc and so on.
	labels := strings.Split(parsed.Hostname(), ".")
	switch {
	case net.ParseIP(parsed.Hostname()) != nil || len(labels) < 2:
		return "", fmt.Errorf("%w: %s", ErrNoPod, address)
	case len(labels) > 2 && labels[2] != p.in.Name:
		return "", fmt.Errorf("%w: %s is in another namespace than %q", ErrNoPod, address, p.in.Name)
	}
	return labels[0], nil
}
