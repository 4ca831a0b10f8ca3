package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestServerTakesEveryMode has the API server validate all objects, without making them.
func TestServerTakesEveryMode(t *testing.T) {
	s := newSite(t)
	for mode := range modes {
		for _, values := range []string{"{}", everything} {
			s.mustHelm(values, "install", "rel", chartDir, "--set=mode="+mode, "--dry-run=server")
		}
	}
}

// TestHook installs with --wait: the hook runs after everything else is there, and helm
// waits for it. Then 'helm test', and a run from the CronJob.
func TestHook(t *testing.T) {
	s := newSite(t)
	var former corev1.Pod
	notes := s.during(func() { former = s.admitted(runPods); s.finish(former) }, "{}", "install", "rel", chartDir, "--wait")
	if !strings.Contains(notes, "Use mode job there.") {
		t.Errorf("the notes do not warn of --wait in an umbrella release:\n%s", notes)
	}
	s.during(func() { s.finish(s.admitted(testPods)) }, "", "test", "rel")
	s.kubectl("create", "job", "--from=cronjob/vault-bootstrap", "again")
	s.admitted("job-name=again")

	_, first := s.onlyHook()
	s.during(func() {
		s.gone(first)
		s.finishNext("job-name=vault-bootstrap", former)
	}, "{}", "upgrade", "rel", chartDir, "--wait")
	if _, second := s.onlyHook(); second == first {
		t.Error("the upgrade has not run the hook again")
	}
}

// TestRollback goes back to a former seed, as an atomic upgrade that fails does by itself: the hook
// runs again, after the ConfigMap is the former one.
func TestRollback(t *testing.T) {
	s := newSite(t)
	values := func(seed string) string { return "seed: {files: {seed.yaml: '" + seed + "'}}\n" }
	var last corev1.Pod
	// next ends the pod of the hook's next Job, in which the seed must be this.
	next := func(seed string, end func(corev1.Pod)) func() {
		return func() {
			s.eventually("a pod after "+last.Name, func() bool {
				pod := s.admitted(runPods)
				return pod.UID != last.UID && s.kubectl("get", "configmap", "vault-bootstrap-seed", "-o=jsonpath={.data.seed\\.yaml}") == seed
			})
			last = s.admitted(runPods)
			end(last)
		}
	}
	s.during(next("a: 1", s.finish), values("a: 1"), "install", "rel", chartDir)
	s.during(next("b: 2", s.finish), values("b: 2"), "upgrade", "rel", chartDir)
	_, second := s.onlyHook()
	s.during(next("a: 1", s.finish), "", "rollback", "rel", "1")
	if _, third := s.onlyHook(); third == second {
		t.Error("the rollback has not run the hook")
	}
}

// TestTwoInstancesAreDrained has two instances in one release, for two Vaults in one namespace. A
// pod that two budgets choose cannot be evicted at all.
func TestTwoInstancesAreDrained(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "charts", "vault-bootstrap"), os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	const both = "apiVersion: v2\nname: both\nversion: 0.1.0\ndependencies:\n" +
		"  - {name: vault-bootstrap, version: 0.1.0, alias: first}\n  - {name: vault-bootstrap, version: 0.1.0, alias: second}\n"
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	const each = "%[1]s: {name: %[1]s, mode: watch, watch: {podDisruptionBudget: {enabled: true}}}\n"
	s.mustHelm(fmt.Sprintf(each, "first")+fmt.Sprintf(each, "second"), "install", "rel", dir)
	for _, name := range []string{"first", "second"} {
		s.open(s.admitted("vault-bootstrap.dev/name=" + name))
	}
	for _, name := range []string{"first", "second"} {
		pod := s.admitted("vault-bootstrap.dev/name=" + name)
		var refused error
		s.eventually("the eviction of "+pod.Name, func() bool {
			refused = s.plane.Client.CoreV1().Pods(s.namespace).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: s.namespace}})
			// 429: the budget's controller has not counted yet.
			return !apierrors.IsTooManyRequests(refused)
		})
		if refused != nil {
			t.Errorf("the pod of %s is not evicted: %v", name, refused)
		}
	}
}

// TestJob follows a Job through upgrades with and without a change.
func TestJob(t *testing.T) {
	s := newSite(t)
	const seed = "mode: job\nseed: {files: {seed.yaml: 'secrets: [{type: kv, path: kv}]'}}\n"
	s.during(func() { s.finish(s.admitted(runPods)) }, seed, "install", "rel", chartDir, "--wait", "--wait-for-jobs")
	name, uid := s.job()

	s.mustHelm(seed, "upgrade", "rel", chartDir, "--wait", "--wait-for-jobs")
	if again, same := s.job(); again != name || same != uid {
		t.Errorf("an upgrade without a change made the Job %s", again)
	}
	s.during(func() {
		s.gone(uid)
		s.finish(s.admitted(runPods + ",job-name!=" + name))
	}, strings.Replace(seed, "path: kv", "path: other", 1), "upgrade", "rel", chartDir, "--wait", "--wait-for-jobs")
	if other, _ := s.job(); other == name {
		t.Errorf("the changed seed did not make another Job than %s", name)
	}
}

// TestChangedConfigMapRunsAgain changes a seed that is no object of the chart.
func TestChangedConfigMapRunsAgain(t *testing.T) {
	s := newSite(t)
	const values = "mode: job\nseed: {configMaps: [ours], secrets: [ours]}\n"
	s.kubectl("create", "configmap", "ours", "--from-literal=a.yaml={}")
	s.kubectl("create", "secret", "generic", "ours", "--from-literal=b.yaml={}")
	s.mustHelm(values, "install", "rel", chartDir)
	name, _ := s.job()
	for _, kind := range []string{"configmap", "secret"} {
		s.mustHelm(values, "upgrade", "rel", chartDir)
		if same, _ := s.job(); same != name {
			t.Errorf("nothing changed, and the Job is %s", same)
		}
		s.kubectl("patch", kind, "ours", "-p", `{"metadata":{"annotations":{"changed":"yes"}}}`)
		s.mustHelm(values, "upgrade", "rel", chartDir)
		next, _ := s.job()
		if next == name {
			t.Errorf("the changed %s did not make another Job", kind)
		}
		name = next
	}
	s.mustHelm(values+"seed: {lookup: false}\n", "template", "rel", chartDir)
}

// TestWatch has two pods, which a drain must not take at once.
func TestWatch(t *testing.T) {
	s := newSite(t)
	const values = "mode: watch\nwatch: {replicas: 2, podDisruptionBudget: {enabled: true}}\nnetworkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1/32]}\n"
	s.mustHelm(values, "install", "rel", chartDir)
	pod := s.admitted(watchPods)
	policy, err := s.plane.Client.NetworkingV1().NetworkPolicies(s.namespace).Get(t.Context(), "vault-bootstrap", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	budget, err := s.plane.Client.PolicyV1().PodDisruptionBudgets(s.namespace).Get(t.Context(), "vault-bootstrap", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, selector := range map[string]metav1.LabelSelector{"NetworkPolicy": policy.Spec.PodSelector, "PodDisruptionBudget": *budget.Spec.Selector} {
		chosen, err := metav1.LabelSelectorAsSelector(&selector)
		if err != nil {
			t.Fatal(err)
		}
		found := s.kubectl("get", "pods", "-o=name", "--selector="+chosen.String())
		if !strings.Contains(found, pod.Name) {
			t.Errorf("the %s chooses %q, not %s", name, found, pod.Name)
		}
	}
}

// TestEverythingIsAdmitted turns everything on at once.
func TestEverythingIsAdmitted(t *testing.T) {
	s := newSite(t)
	s.mustHelm(everything, "install", "rel", chartDir, "--set=mode=job")
	s.admitted(runPods)
	if out := s.kubectl("auth", "can-i", "create", "tokenreviews", "--as=system:serviceaccount:"+s.namespace+":vault"); out != "yes" {
		t.Errorf("Vault may review tokens: %s", out)
	}
	s.mustHelm("", "uninstall", "rel")
}

// TestRights asks the API server what the service account may do, and what not.
func TestRights(t *testing.T) {
	s := newSite(t)
	may := func(account string, verb, what string) bool {
		out, _ := s.plane.Kubectl(t.Context(), "--namespace="+s.namespace, "auth", "can-i", verb, what, "--as=system:serviceaccount:"+s.namespace+":"+account)
		return strings.TrimSpace(out) == "yes"
	}
	check := func(values string, want map[string]bool) {
		t.Helper()
		for each, allowed := range want {
			fields := strings.Fields(each)
			if got := may(fields[0], fields[1], fields[2]); got != allowed {
				t.Errorf("%s: %q is allowed: %v, want %v", values, each, got, allowed)
			}
		}
	}
	basic := map[string]bool{
		"vault-bootstrap get secrets/vault-bootstrap-keys": true, "vault-bootstrap update secrets/vault-bootstrap-state": true,
		"vault-bootstrap patch leases/vault-bootstrap": true, "vault-bootstrap get pods/any": true,
		"vault-bootstrap list secrets": false, "vault-bootstrap get secrets/other": false, "vault-bootstrap delete secrets/vault-bootstrap-keys": false,
		"vault-bootstrap list pods": false, "vault-bootstrap delete pods/vault-0": false, "vault-bootstrap watch secrets/vault-bootstrap-keys": false,
		"vault get secrets/vault-bootstrap-keys": false,
	}
	s.mustHelm("mode: none", "install", "rel", chartDir)
	check("defaults", basic)
	optional := func(allowed bool) map[string]bool {
		return map[string]bool{
			"vault-bootstrap watch secrets/vault-bootstrap-state": allowed, "vault-bootstrap watch leases/vault-bootstrap": allowed,
			"vault-bootstrap create events": allowed,
			// Sidecars acquire it, whatever else they may.
			"vault-bootstrap update leases/vault-bootstrap-watch": true, "vault-bootstrap create leases/vault-bootstrap-watch": true,
		}
	}
	check("defaults", optional(true))
	s.mustHelm("mode: none\nrbac: {watch: false, events: false, unsealers: [vault]}", "upgrade", "rel", chartDir)
	check("less", map[string]bool{
		"vault get secrets/vault-bootstrap-keys": true, "vault update secrets/vault-bootstrap-keys": false, "vault get secrets/vault-bootstrap-state": false,
	})
	check("less", optional(false))
	values := "mode: none\nrun: {onKeysLost: reset}\nvault: {selector: app=vault}\nrbac: {extraServiceAccounts: [vault], waiters: [{namespace: default, serviceAccount: app}, {namespace: kube-public}]}\n"
	s.mustHelm(values, "upgrade", "rel", chartDir)
	check(values, map[string]bool{
		"vault-bootstrap delete pods/vault-2": true, "vault-bootstrap delete pods/vault-3": false, "vault-bootstrap delete pods/other-0": false,
		"vault-bootstrap delete persistentvolumeclaims/data-vault-0": true, "vault-bootstrap delete persistentvolumeclaims/data-other-0": false,
		"vault-bootstrap list pods": true, "vault-bootstrap create events": true, "vault get secrets/vault-bootstrap-keys": true,
		"vault get secrets/other": false,
	})
	for _, account := range []string{"default:app", "kube-public:any"} {
		as := "--as=system:serviceaccount:" + account
		group := "--as-group=system:serviceaccounts:" + strings.Split(account, ":")[0]
		if out := s.kubectl("auth", "can-i", "watch", "leases/vault-bootstrap", as, group); out != "yes" {
			t.Errorf("%s may wait: %s", account, out)
		}
	}
	s.mustHelm("mode: none\nname: second", "install", "another", chartDir)
	check("a second one", map[string]bool{
		"second get secrets/second-keys": true, "second get secrets/vault-bootstrap-keys": false, "vault-bootstrap get secrets/second-keys": false,
	})
}

// TestUninstallKeepsTheKeys makes the records as the program does, and takes the
// release away and back, under another name.
func TestUninstallKeepsTheKeys(t *testing.T) {
	s := newSite(t)
	s.mustHelm("mode: job", "install", "rel", chartDir)
	for _, name := range []string{"vault-bootstrap-keys", "vault-bootstrap-state"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": "vault-bootstrap"}}}
		if _, err := s.plane.Client.CoreV1().Secrets(s.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	const uids = "-o=jsonpath={.items[*].metadata.uid}"
	before := s.kubectl("get", "secrets", "-l=app.kubernetes.io/name=vault-bootstrap", uids)
	s.mustHelm("", "uninstall", "rel")
	s.mustHelm("mode: job", "install", "again", chartDir)
	if after := s.kubectl("get", "secrets", "-l=app.kubernetes.io/name=vault-bootstrap", uids); after != before {
		t.Errorf("the records were %q, and are %q", before, after)
	}
	if _, err := s.helm("mode: job", "install", "third", chartDir); err == nil || !strings.Contains(err.Error(), `must equal "third"`) {
		t.Errorf("two releases share the records: %v", err)
	}
}
