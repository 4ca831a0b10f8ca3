package kube

import (
	"context"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// pod is what we read of a Pod.
type pod struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		HostNetwork     bool            `json:"hostNetwork"`
		HostPID         bool            `json:"hostPID"`
		HostIPC         bool            `json:"hostIPC"`
		SecurityContext securityContext `json:"securityContext"`
		Containers      []container     `json:"containers"`
		InitContainers  []container     `json:"initContainers"`
	} `json:"spec"`
}

type container struct {
	Name            string          `json:"name"`
	SecurityContext securityContext `json:"securityContext"`
}

type securityContext struct {
	Privileged               *bool  `json:"privileged"`
	AllowPrivilegeEscalation *bool  `json:"allowPrivilegeEscalation"`
	RunAsNonRoot             *bool  `json:"runAsNonRoot"`
	RunAsUser                *int64 `json:"runAsUser"`
}

// policy is what we read of a NetworkPolicy.
type policy struct {
	Spec struct {
		PodSelector v1.LabelSelector `json:"podSelector"`
		PolicyTypes []string         `json:"policyTypes"`
	} `json:"spec"`
}

func (c Cluster) pods(ctx context.Context, found *harden.Kubernetes) {
	var pods struct {
		Items []pod `json:"items"`
	}
	// A selector goes into the query, which a path cannot carry: all pods are read.
	if err := c.In.ReadInto(ctx, &pods, "/api/v1/namespaces", c.In.Name, "pods"); err != nil {
		found.Pods = refused(err, "list pods in the namespace "+c.In.Name)
		found.Uncovered = found.Pods
		return
	}
	selector, err := labels.Parse(c.PodLabels)
	if err != nil {
		found.Pods = harden.NotKnown[[]string](err.Error())
		found.Uncovered = found.Pods
		return
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p pod) bool { return !selector.Matches(labels.Set(p.Metadata.Labels)) })
	found.PodsSeen = len(pods.Items)
	weak := []string{}
	for _, pod := range pods.Items {
		weak = append(weak, pod.weaknesses()...)
	}
	found.Pods = harden.Known(weak)
	found.Uncovered = c.uncovered(ctx, pods.Items)
}

// weaknesses are what the Pod Security Standards' profile 'restricted' forbids, in its
// main points.
func (p pod) weaknesses() []string {
	found := map[string]bool{}
	for name, set := range map[string]bool{"host network": p.Spec.HostNetwork, "host PIDs": p.Spec.HostPID, "host IPC": p.Spec.HostIPC} {
		if set {
			found[p.Metadata.Name+": "+name] = true
		}
	}
	for _, container := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		add := func(what string) { found[p.Metadata.Name+"/"+container.Name+": "+what] = true }
		context := container.SecurityContext
		if is(context.Privileged, true) {
			add("privileged")
		}
		if !is(context.AllowPrivilegeEscalation, false) {
			add("privilege escalation")
		}
		if p.mayBeRoot(context) {
			add("may run as root")
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// mayBeRoot reports whether neither the container nor the pod keeps root out.
func (p pod) mayBeRoot(own securityContext) bool {
	nonRoot, user := own.RunAsNonRoot, own.RunAsUser
	if nonRoot == nil {
		nonRoot = p.Spec.SecurityContext.RunAsNonRoot
	}
	if user == nil {
		user = p.Spec.SecurityContext.RunAsUser
	}
	return !is(nonRoot, true) && (user == nil || *user == 0)
}

func is(value *bool, want bool) bool { return value != nil && *value == want }

// uncovered returns the pods that no policy for incoming traffic selects.
func (c Cluster) uncovered(ctx context.Context, pods []pod) harden.Fact[[]string] {
	var policies struct {
		Items []policy `json:"items"`
	}
	if err := c.In.ReadInto(ctx, &policies, "/apis/networking.k8s.io/v1/namespaces", c.In.Name, "networkpolicies"); err != nil {
		return refused(err, "list networkpolicies in the namespace "+c.In.Name)
	}
	uncovered := []string{}
	for _, pod := range pods {
		if !slices.ContainsFunc(policies.Items, func(p policy) bool { return p.guards(pod) }) {
			uncovered = append(uncovered, pod.Metadata.Name)
		}
	}
	return harden.Known(uncovered)
}

func (p policy) guards(of pod) bool {
	selector, err := v1.LabelSelectorAsSelector(&p.Spec.PodSelector)
	ingress := len(p.Spec.PolicyTypes) == 0 || slices.ContainsFunc(p.Spec.PolicyTypes, func(kind string) bool { return strings.EqualFold(kind, "ingress") })
	return err == nil && ingress && selector.Matches(labels.Set(of.Metadata.Labels))
}
