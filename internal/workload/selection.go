package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// Selection finds the replicas by the labels of their pods.
type Selection struct {
	Pods *Pods
	// Labels is a label selector, as kubectl takes it.
	Labels string
	// Scheme is https or http.
	Scheme string
	// Replicas is how many replicas are expected; 0 to ask the StatefulSet of the pods.
	Replicas int
}

// selectionRules returns the rules that a Selection needs. The one for the StatefulSet called set
// is needed if the number of replicas is not given.
func selectionRules(set string) []kube.Rule {
	return []kube.Rule{
		{Resource: "pods", Verbs: []string{"list"}},
		{Group: "apps", Resource: "statefulsets", Name: set, Verbs: []string{"get"}},
	}
}

// defaultPort is Vault's API port.
const defaultPort = 8200

// Addresses returns the URLs of the servers in the selected pods, lowest ordinal first, and how
// many of them are expected. A pod that is terminating or pending is included: it may hold data.
func (s Selection) Addresses(ctx context.Context) (addresses []string, expected int, err error) {
	in := s.Pods.in
	in.Rules = selectionRules("")
	list := &corev1.PodList{}
	if err := in.Pods().List(ctx, s.Labels, list); err != nil {
		return nil, 0, in.Explain(kube.Access{Verb: "list", Resource: "pods"}, err)
	}
	if len(list.Items) == 0 {
		return nil, 0, fault.Wait(fmt.Errorf("no pod in the namespace %q has the labels %q", in.Name, s.Labels),
			"Waiting for the pods to appear. If they are there, compare their labels with --vault-selector, and their namespace with --namespace.")
	}
	slices.SortFunc(list.Items, byOrdinal)
	named := map[string]string{}
	for i := range list.Items {
		address := s.address(&list.Items[i])
		addresses = append(addresses, address)
		named[address] = list.Items[i].Name
	}
	s.Pods.mu.Lock()
	s.Pods.named = named
	s.Pods.mu.Unlock()
	expected, err = s.expected(ctx, list.Items)
	return addresses, expected, err
}

// byOrdinal sorts the pods of a StatefulSet by number, vault-2 before vault-10.
func byOrdinal(a, b corev1.Pod) int {
	if len(a.Name) != len(b.Name) {
		return len(a.Name) - len(b.Name)
	}
	return strings.Compare(a.Name, b.Name)
}

// address returns the URL of a pod's server. The name that a StatefulSet gives to its pods is
// preferred to the pod's IP, since certificates are issued for it.
func (s Selection) address(pod *corev1.Pod) string {
	host := pod.Name // does not resolve, so that a pod without an address counts as silent
	switch {
	case pod.Spec.Hostname != "" && pod.Spec.Subdomain != "":
		host = pod.Spec.Hostname + "." + pod.Spec.Subdomain
	case pod.Status.PodIP != "":
		host = pod.Status.PodIP
	}
	return s.Scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(s.port(pod))))
}

// port returns the port that is named after the scheme, as in the official chart.
func (s Selection) port(pod *corev1.Pod) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == s.Scheme {
				return port.ContainerPort
			}
		}
	}
	return defaultPort
}

// expected returns how many replicas are expected: the configured number, or the count of the
// StatefulSet that the pods belong to. An unknown replica may hold data, so it is an error if the
// number is not known.
func (s Selection) expected(ctx context.Context, pods []corev1.Pod) (int, error) {
	if s.Replicas > 0 {
		return s.Replicas, nil
	}
	const remedy = "Set --replicas to the number of replicas."
	owner := metav1.GetControllerOf(&pods[0])
	if owner == nil || owner.Kind != "StatefulSet" {
		return 0, fault.Misuse(fmt.Errorf("the pod %q does not belong to a StatefulSet, so the number of replicas is not known", pods[0].Name), remedy)
	}
	in := s.Pods.in
	in.Rules = selectionRules(owner.Name)
	body, err := in.Raw(ctx, "apis", "apps", "v1", "namespaces", in.Name, "statefulsets", owner.Name)
	if err != nil {
		err = in.Explain(kube.Access{Verb: "get", Resource: "statefulsets", Name: owner.Name}, err)
		if kube.DeniedByRBAC(err) {
			return 0, fault.Misuse(err, remedy+" Or grant the permission: "+fault.RemedyOf(err))
		}
		return 0, err
	}
	var set struct {
		Spec struct {
			Replicas int `json:"replicas"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return 0, fmt.Errorf("reading the StatefulSet %q: %w", owner.Name, err)
	}
	return set.Spec.Replicas, nil
}

// Check refuses a selector that the API server would not take.
func (s Selection) Check() error {
	if _, err := metav1.ParseToLabelSelector(s.Labels); err != nil {
		return fault.Misuse(fmt.Errorf("--vault-selector=%q is not a label selector: %w", s.Labels, err), "Write it as for 'kubectl get pods -l', as in app.kubernetes.io/name=vault,component=server.")
	}
	if strings.TrimSpace(s.Labels) == "" {
		return fault.Misuse(errors.New("--vault-selector is empty"), "Write it as for 'kubectl get pods -l'.")
	}
	return nil
}
