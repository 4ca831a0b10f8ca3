package harden

import "fmt"

// kubernetesControls are about the cluster around Vault.
func kubernetesControls() []Control {
	look := func(pick func(Kubernetes) Fact[[]string], check func([]string, Kubernetes) Finding) func(Facts, Limits) Finding {
		return func(facts Facts, limits Limits) Finding {
			if facts.Kubernetes == nil {
				return inapplicable("there is no Kubernetes")
			}
			return on(func(Facts) Fact[[]string] { return pick(*facts.Kubernetes) },
				func(found []string, _ Limits) Finding { return check(found, *facts.Kubernetes) })(facts, limits)
		}
	}
	groups := []Group{GroupKubernetes}
	return []Control{
		{
			ID: "keys-secret-readers", Name: "nobody else can read the keys Secret", Severity: Critical, Profile: Production, Groups: groups,
			Why: "Who reads it can unseal this Vault and make a root token.",
			How: "Asking the API server (SubjectAccessReview) for every service account and for the groups that all are in, whether they may get or list the Secret. " +
				"Those of kube-system, which run the cluster, are left out; users are not known to the API and cannot be asked about.",
			Remedy: "Take 'get' and 'list' on secrets from what these accounts are bound to, or keep Vault's keys in a namespace of their own.",
			Source: kubeDocs + "concepts/security/rbac-good-practices/#secrets",
			Check: look(func(k Kubernetes) Fact[[]string] { return k.Readers }, func(readers []string, k Kubernetes) Finding {
				return blame(readers, "others who can: %d", fmt.Sprintf("none of %d accounts and groups can", k.Asked))
			}),
		},
		{
			ID: "keys-secret-owner", Name: "the keys Secret has no owner", Severity: High, Profile: Baseline, Groups: groups,
			Why:    "An owned object is deleted with its owner: uninstalling a chart would take the keys along.",
			How:    "Reading the Secret's ownerReferences.",
			Remedy: "Take the ownerReferences off the Secret.",
			Source: kubeDocs + "concepts/architecture/garbage-collection/",
			Check: look(func(k Kubernetes) Fact[[]string] { return k.Owners }, func(owners []string, _ Kubernetes) Finding {
				return blame(owners, "owners: %d", "none does")
			}),
		},
		{
			ID: "records-in-danger", Name: "nothing is about to take the records away", Severity: Critical, Profile: Baseline, Groups: groups,
			Why:    "A Secret with a deletion mark, or in a namespace with one, looks like any other until it is gone, and the keys with it. One that is immutable takes no new keys.",
			How:    "Reading both Secrets and the Lease: deletionTimestamp, immutable, ownerReferences. Whether the namespace is being deleted is asked by the dry run of an Event, for which the right to create Events is needed.",
			Remedy: "Take a copy of the keys Secret now (kubectl get secret NAME-keys -o yaml), keep it as safe as the keys, and remove what deletes it. docs/runbook.md has a section on each.",
			Source: kubeDocs + "concepts/overview/working-with-objects/finalizers/",
			Check: look(func(k Kubernetes) Fact[[]string] { return k.Dangers }, func(dangers []string, _ Kubernetes) Finding {
				return blame(dangers, "dangers: %d", "there is no such danger")
			}),
		},
		{
			ID: "pod-security", Name: "Vault's pods run with few privileges", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "Who breaks out of Vault, or into it, gets what its container may do.",
			How:    "Reading the security contexts of the pods with the label app.kubernetes.io/name=vault (--vault-pod-labels): not privileged, no privilege escalation, not root, no host namespaces.",
			Remedy: "Set runAsNonRoot, allowPrivilegeEscalation: false and seccompProfile in the chart's statefulSet.securityContext, and take privileged and host* out.",
			Source: kubeDocs + "concepts/security/pod-security-standards/",
			Check: look(func(k Kubernetes) Fact[[]string] { return k.Pods }, func(weak []string, k Kubernetes) Finding {
				if k.PodsSeen == 0 {
					return inapplicable("no pod of Vault is in the namespace")
				}
				return blame(weak, "weaknesses: %d", fmt.Sprintf("%d pods", k.PodsSeen))
			}),
		},
		{
			ID: "network-policy", Name: "a NetworkPolicy guards Vault's pods", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "Without one, every pod of the cluster reaches Vault's ports, the cluster port among them.",
			How:    "Reading the NetworkPolicies of the namespace: each Vault pod must be selected by one for incoming traffic. Whether the network enforces them, the API does not say.",
			Remedy: "Set server.networkPolicy.enabled in Vault's chart, or write one.",
			Source: kubeDocs + "concepts/services-networking/network-policies/",
			Check: look(func(k Kubernetes) Fact[[]string] { return k.Uncovered }, func(uncovered []string, k Kubernetes) Finding {
				if k.PodsSeen == 0 {
					return inapplicable("no pod of Vault is in the namespace")
				}
				return blame(uncovered, "pods without one: %d", fmt.Sprintf("%d pods have one", k.PodsSeen))
			}),
		},
	}
}
