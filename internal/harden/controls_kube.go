package harden

// kubernetesControls are about the cluster around Vault.
func kubernetesControls() []Control {
	check := func(pick func(Kubernetes) Fact[[]string], judge func([]string, Kubernetes) Finding) func(Facts, Limits) Finding {
		return func(facts Facts, limits Limits) Finding {
			if facts.Kubernetes == nil {
				return inapplicable("There is no Kubernetes")
			}
			return on(func(Facts) Fact[[]string] { return pick(*facts.Kubernetes) },
				func(found []string, _ Limits) Finding { return judge(found, *facts.Kubernetes) })(facts, limits)
		}
	}
	groups := []Group{GroupKubernetes}
	return []Control{
		{
			ID: "keys-secret-readers", Name: "Only we can read the keys Secret", Severity: Critical, Profile: Production, Groups: groups,
			Why: "Whoever reads it can unseal this Vault and generate a root token.",
			How: "Asking the API server (SubjectAccessReview) for every service account and for the groups that all of them are in, whether they may get or list the Secret. " +
				"Those of kube-system, which run the cluster, are excluded; the API does not know users, so that it cannot be asked about them.",
			Remedy: "Remove 'get' and 'list' on secrets from the roles of these accounts, or keep Vault's keys in a separate namespace.",
			Source: kubeDocs + "concepts/security/rbac-good-practices/#secrets",
			Check: check(func(k Kubernetes) Fact[[]string] { return k.Readers }, func(readers []string, k Kubernetes) Finding {
				return blame(readers, "other", "Others can read the keys Secret", "No other account or group can read the keys Secret").valuedIf(len(readers) == 0, "%d asked about", k.Asked)
			}),
		},
		{
			ID: "keys-secret-owner", Name: "The keys Secret has no owner", Severity: High, Profile: Baseline, Groups: groups,
			Why:    "An owned object is deleted with its owner: uninstalling a chart would delete the keys.",
			How:    "Reading the Secret's ownerReferences.",
			Remedy: "Remove the ownerReferences from the Secret.",
			Source: kubeDocs + "concepts/architecture/garbage-collection/",
			Check: check(func(k Kubernetes) Fact[[]string] { return k.Owners }, func(owners []string, _ Kubernetes) Finding {
				return blame(owners, "owner", "The keys Secret is deleted with its owner", "No object owns the keys Secret")
			}),
		},
		{
			ID: "records-in-danger", Name: "The records are safe from deletion", Severity: Critical, Profile: Baseline, Groups: groups,
			Why:    "A Secret that is being deleted, or whose namespace is, looks like any other until it is gone, and the keys with it. An immutable one cannot store new keys.",
			How:    "Reading both Secrets and the Lease: deletionTimestamp, immutable, ownerReferences. Whether the namespace is being deleted is found out by the dry run of an Event, which needs the permission to create Events.",
			Remedy: "Copy the keys Secret now (kubectl get secret NAME-keys -o yaml), keep it as safe as the keys, and stop what deletes it. docs/runbook.md has a section on each.",
			Source: kubeDocs + "concepts/overview/working-with-objects/finalizers/",
			Check: check(func(k Kubernetes) Fact[[]string] { return k.Dangers }, func(dangers []string, _ Kubernetes) Finding {
				return blame(dangers, "danger", "The records are in danger", "No danger to the records was found")
			}),
		},
		{
			ID: "pod-security", Name: "Vault's pods run with few privileges", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "Whoever breaks out of Vault, or into it, can do what its container may do.",
			How:    "Reading the security contexts of the pods with the label app.kubernetes.io/name=vault (--vault-pod-labels): not privileged, no privilege escalation, not root, no host namespaces.",
			Remedy: "Set runAsNonRoot, allowPrivilegeEscalation: false and seccompProfile in the chart's statefulSet.securityContext, and remove privileged and host*.",
			Source: kubeDocs + "concepts/security/pod-security-standards/",
			Check: check(func(k Kubernetes) Fact[[]string] { return k.Pods }, func(weak []string, k Kubernetes) Finding {
				if k.PodsSeen == 0 {
					return inapplicable("No pod of Vault is in the namespace")
				}
				return blame(weak, "weakness", "A pod has more privileges than it needs", "No pod has more privileges than it needs").valuedIf(len(weak) == 0, "%s", count(k.PodsSeen, "pod"))
			}),
		},
		{
			ID: "network-policy", Name: "NetworkPolicies guard Vault's pods", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "Without one, every pod of the cluster can reach Vault's ports, including the cluster port.",
			How:    "Reading the NetworkPolicies of the namespace: each Vault pod must be selected by one for incoming traffic. The API does not show whether the network enforces them.",
			Remedy: "Set server.networkPolicy.enabled in Vault's chart, or write one.",
			Source: kubeDocs + "concepts/services-networking/network-policies/",
			Check: check(func(k Kubernetes) Fact[[]string] { return k.Uncovered }, func(uncovered []string, k Kubernetes) Finding {
				if k.PodsSeen == 0 {
					return inapplicable("No pod of Vault is in the namespace")
				}
				return blame(uncovered, "pod", "A pod is guarded by no NetworkPolicy", "Every pod is guarded by a NetworkPolicy").valuedIf(len(uncovered) == 0, "%s", count(k.PodsSeen, "pod"))
			}),
		},
	}
}
