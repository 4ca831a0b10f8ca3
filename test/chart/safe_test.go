package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// refused holds that helm ends with an error that says each of want.
func refused(t *testing.T, values string, want ...string) {
	t.Helper()
	_, err := template(t, values)
	if err == nil {
		t.Errorf("%q was accepted", values)
		return
	}
	for _, each := range want {
		if !strings.Contains(err.Error(), each) {
			t.Errorf("%q: the error does not say %q: %v", values, each, err)
		}
	}
}

// pod returns the spec of the pod that an object makes.
func pod(t *testing.T, o *object) map[string]any {
	t.Helper()
	path := map[string][]string{
		"Job":        {"spec", "template", "spec"},
		"Deployment": {"spec", "template", "spec"},
		"CronJob":    {"spec", "jobTemplate", "spec", "template", "spec"},
		"Pod":        {"spec"},
	}[o.GetKind()]
	return o.at(t, path...).(map[string]any)
}

// scalars are texts in which YAML has meanings that a detour through numbers and maps loses.
const scalars = "mode: 0600\npin: 0123\nhexadecimal: 0x1F\nversion: 1.10\nlarge: 12345678901234567890\nexponent: 1e3\n" +
	"underscored: 1_000\nn: y\nyes: no\n~: null\nempty:\ndate: 2026-11-30\ntime: 12:30:45\ninfinite: .inf\nno number: .NaN\n" +
	"quoted: \"0600\"\nsingle: 'it''s'\ntwice: first\ntwice: second\nbinary: !!binary aGVsbG8=\nanchor: &a [1, 2]\nalias: *a\n" +
	"literal: |\n  two\n    lines\nfolded: >-\n  one\n  line\nkeep: |+\n  end\n\ncomment: value # it stays\n# and this one\n" +
	"tab: \"\\t\"\nunicode: \"\\u2028 \\U0001F511\"\ntemplate: '{{ .Values.name }} {{identity.entity.id}}'\n? complex key\n: value\n"

// TestSeedIsText refuses a seed that Helm has read as YAML: numbers, switches and double keys are
// not what was written any more.
func TestSeedIsText(t *testing.T) {
	for _, values := range []string{"seed: {files: {seed.yaml: {audit: [{type: file}]}}}", "seed: {files: {seed.yaml: [1]}}", "seed: {files: {seed.yaml: 0600}}"} {
		refused(t, values, "/seed/files/seed.yaml", "text", "seed.yaml: |")
	}
}

// TestSeedArrivesAsWritten has the API server store a seed, and reads it back.
func TestSeedArrivesAsWritten(t *testing.T) {
	s := newSite(t)
	want := map[string]string{
		"scalars.yaml": scalars, "no-end.yaml": "a: 0600", "blank.yaml": "\n\n  a: 1\n\n\n", "crlf.yaml": "a: 1\r\nb: 2\r\n",
		"spaces.yaml": "  a: 1  \n b: 2\t\n", "0123.yaml": "x: 1.10\n", "empty.yaml": "", "document.yaml": "---\na: 1\n---\nb: 2\n...\n",
		"own.hcl": "path \"kv/{{identity.entity.id}}/*\" {\n\tcapabilities = [\"read\"]\n}\n", "n.yaml": "n: yes",
		"control.yaml": "a: \u00e9 \u2028 \u0085 \U0001F511 \ufeff\n", "hash.yaml": "# only\n", "odd.yaml": "- |2\n   a\n- \"\\\n  b\"\n",
	}
	values, err := json.Marshal(map[string]any{"mode": "none", "seed": map[string]any{"files": want}})
	if err != nil {
		t.Fatal(err)
	}
	// JSON is YAML, except for this line's end.
	s.mustHelm(strings.ReplaceAll(string(values), "\u0085", `\u0085`), "install", "rel", chartDir)
	stored, err := s.plane.Client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "vault-bootstrap-seed", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		if got := stored.Data[name] + string(stored.BinaryData[name]); got != text { // one of the two
			t.Errorf("%s\nwas written %q\nand stored  %q", name, text, got)
		}
	}
	if got := len(stored.Data) + len(stored.BinaryData); got != len(want) {
		t.Errorf("the ConfigMap has %d files, want %d", got, len(want))
	}
	// A Secret is made by others; what Helm is given by --set-file goes the same way.
	file := t.TempDir() + "/seed.yaml"
	if err := os.WriteFile(file, []byte(scalars), 0o600); err != nil {
		t.Fatal(err)
	}
	s.kubectl("create", "secret", "generic", "ours", "--from-file="+file)
	secret, err := s.plane.Client.CoreV1().Secrets(s.namespace).Get(t.Context(), "ours", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(secret.Data["seed.yaml"]); got != scalars {
		t.Errorf("the Secret holds %q", got)
	}
	s.mustHelm("mode: none", "upgrade", "rel", chartDir, "--set-file=seed.files.seed\\.yaml="+file)
	stored, err = s.plane.Client.CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "vault-bootstrap-seed", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := stored.Data["seed.yaml"]; got != scalars {
		t.Errorf("--set-file stored %q", got)
	}
}

// TestExamplesHoldSeedsAsText looks at every file of ours that shows one.
func TestExamplesHoldSeedsAsText(t *testing.T) {
	for _, file := range []string{"argocd/application.yaml", "poststart/vault-bootstrap.yaml", "sidecar/vault-bootstrap.yaml"} {
		content, err := os.ReadFile(examples + file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`seed\.yaml: \|\n`).Match(content) {
			t.Errorf("%s has no 'seed.yaml: |'", file)
		}
	}
}

// TestNobodyReadsTheMetrics has an empty list mean what it says: in a rule of a policy an empty
// 'from' is everybody.
func TestNobodyReadsTheMetrics(t *testing.T) {
	for values, want := range map[string]int{
		"networkPolicy: {metricsFrom: []}": 0, "networkPolicy: {metricsFrom: null}": 0, "": 1, "networkPolicy: {metricsFrom: [{podSelector: {}}]}": 1,
	} {
		policy := render(t, values, "--set=mode=watch,networkPolicy.enabled=true", "--set=networkPolicy.apiServerCIDRs={10.0.0.1/32}").one(t, "NetworkPolicy")
		rules := policy.at(t, "spec", "ingress").([]any)
		if len(rules) != want {
			t.Errorf("%q: the rules are %v, want %d", values, rules, want)
		}
		for _, rule := range rules {
			if from, _ := rule.(map[string]any)["from"].([]any); len(from) == 0 {
				t.Errorf("%q: everybody is let in: %v", values, rule)
			}
		}
	}
}

// TestLoginMethods has the chart take what docs/logins.md lists, alone and in a row.
func TestLoginMethods(t *testing.T) {
	page, err := os.ReadFile("../../docs/logins.md")
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		methods = append(methods, row[1])
	}
	if len(methods) < 9 {
		t.Fatalf("docs/logins.md lists %v", methods)
	}
	for _, method := range append(methods, strings.Join(methods, ","), "kubernetes,approle") {
		if got := args(t, render(t, "login: {method: '"+method+"'}").one(t, "Job")); !slices.Contains(got, "--login="+method) {
			t.Errorf("%v lacks --login=%s", got, method)
		}
	}
	for _, method := range []string{"ldap", "kubernetes,", ",approle", "kubernetes approle", "Kubernetes"} {
		refused(t, "login: {method: '"+method+"'}", "/login/method")
	}
}

// TestSelectorsHoldTheName renders two instances, as one release with an alias or as plain
// manifests has them in a namespace, and looks at who chooses whose pods.
func TestSelectorsHoldTheName(t *testing.T) {
	const both = "mode: watch\nnetworkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1/32]}\nwatch: {replicas: 2, podDisruptionBudget: {enabled: true}}\nmonitoring: {podMonitor: true}\n"
	for _, plain := range []string{"true", "false"} {
		first, second := render(t, both, "--set=name=first,plain="+plain), render(t, both, "--set=name=second,plain="+plain)
		for kind, path := range map[string][]string{
			"PodDisruptionBudget": {"spec", "selector", "matchLabels"}, "PodMonitor": {"spec", "selector", "matchLabels"},
			"NetworkPolicy": {"spec", "podSelector", "matchLabels"}, "Deployment": {"spec", "selector", "matchLabels"},
		} {
			for _, each := range []struct {
				chooses, has objects
				want         bool
			}{{first, first, true}, {first, second, false}, {second, first, false}} {
				selector := each.chooses.one(t, kind).at(t, path...).(map[string]any)
				for _, labels := range []map[string]any{
					each.has.one(t, "Deployment").at(t, "spec", "template", "metadata", "labels").(map[string]any),
				} {
					if got := chooses(selector, labels); got != each.want {
						t.Errorf("plain %s: the %s with %v chooses %v: %v, want %v", plain, kind, selector, labels, got, each.want)
					}
				}
			}
		}
	}
}

func chooses(selector, labels map[string]any) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// TestDrains has a budget that never refuses the only pod, and spreads several if that is possible.
func TestDrains(t *testing.T) {
	const budget = "mode: watch\nwatch: {podDisruptionBudget: {enabled: true}, replicas: %d}\n"
	for _, replicas := range []int{1, 2, 3} {
		found := render(t, fmt.Sprintf(budget, replicas))
		spec := found.one(t, "PodDisruptionBudget").at(t, "spec").(map[string]any)
		if spec["maxUnavailable"] != 1.0 || spec["minAvailable"] != nil {
			t.Errorf("%d replicas: the budget is %v", replicas, spec)
		}
		spread, _ := pod(t, found.one(t, "Deployment"))["topologySpreadConstraints"].([]any)
		if (len(spread) > 0) != (replicas > 1) {
			t.Errorf("%d replicas: they are spread by %v", replicas, spread)
		}
		for _, each := range spread {
			if each.(map[string]any)["whenUnsatisfiable"] != "ScheduleAnyway" {
				t.Errorf("a pod may find no node: %v", each)
			}
		}
	}
	if spread, found := pod(t, render(t, fmt.Sprintf(budget, 2)+"topologySpreadConstraints: []\n").one(t, "Deployment"))["topologySpreadConstraints"]; found {
		t.Errorf("an empty list became %v", spread)
	}
	spec := render(t, "mode: watch\nwatch: {podDisruptionBudget: {enabled: true, minAvailable: 1}, replicas: 2}\n").one(t, "PodDisruptionBudget").at(t, "spec").(map[string]any)
	if spec["minAvailable"] != 1.0 || spec["maxUnavailable"] != nil {
		t.Errorf("the chosen budget is %v", spec)
	}
	refused(t, "mode: watch\nwatch: {podDisruptionBudget: {enabled: true, minAvailable: 1}}", "minAvailable=1", "watch.replicas=1", "drain")
}

// TestImage looks at which image a pod gets that will hold keys.
func TestImage(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for values, want := range map[string]string{
		"": "localhost/vault-bootstrap:dev", "image: {tag: ''}": "localhost/vault-bootstrap:dev", "image: {tag: null}": "localhost/vault-bootstrap:dev",
		"image: {repository: registry.example:5000/a/b, tag: '1.10'}": "registry.example:5000/a/b:1.10",
		"image: {tag: '', digest: '" + digest + "'}":                  "localhost/vault-bootstrap@" + digest,
	} {
		container := pod(t, render(t, values).one(t, "Job"))["containers"].([]any)[0].(map[string]any)
		if got := container["image"]; got != want {
			t.Errorf("%q: the image is %v, want %s", values, got, want)
		}
	}
	rendered, err := template(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(rendered, "image: localhost") {
		t.Error("the image is not quoted")
	}
	refused(t, "image: {tag: 'v1 '}", "/image/tag")
	refused(t, "image: {tag: 1.10}", "/image/tag", "string")
	refused(t, "image: {repository: 'vault-bootstrap:v1'}", "/image/repository")
}

// TestRightsOfTheLead has the Lease of those who lead wherever a watch runs: it is always acquired.
func TestRightsOfTheLead(t *testing.T) {
	for mode, want := range map[string]bool{"watch": true, "none": true, "hook": false, "job": false, "argocd": false} {
		rules := fmt.Sprint(render(t, "rbac: {watch: false}", "--set=mode="+mode)["Role vault-bootstrap"].at(t, "rules"))
		if got := strings.Contains(rules, "vault-bootstrap-watch"); got != want {
			t.Errorf("mode %s: the Lease of the lead is in the Role: %v, want %v: %s", mode, got, want, rules)
		}
		if strings.Contains(rules, "[watch]") {
			t.Errorf("mode %s: something may be watched: %s", mode, rules)
		}
	}
}

// TestHookEvents has Helm run the hook after a rollback as well, by which an atomic upgrade that
// failed goes back.
func TestHookEvents(t *testing.T) {
	if got := render(t, "").one(t, "Job").GetAnnotations()["helm.sh/hook"]; got != "post-install,post-upgrade,post-rollback" {
		t.Errorf("the hook comes at %q", got)
	}
}

// TestSidecarHasTime holds the example to what the program promises: time to store keys.
func TestSidecarHasTime(t *testing.T) {
	var values struct {
		Server struct{ TerminationGracePeriodSeconds int }
	}
	load(t, examples+"sidecar/vault.yaml", &values)
	if got := values.Server.TerminationGracePeriodSeconds; got < 300 {
		t.Errorf("Vault's pods have %d s to store keys, want 300", got)
	}
}

// TestReservedLabels refuses what would break the selectors, and lets nothing be written twice.
func TestReservedLabels(t *testing.T) {
	for _, where := range []string{"commonLabels", "podLabels", "monitoring: {labels"} {
		for _, key := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app.kubernetes.io/managed-by", "helm.sh/chart", "vault-bootstrap.dev/name"} {
			values := where + ": {" + key + ": x}"
			refused(t, values+strings.Repeat("}", strings.Count(values, "{")-1), strings.ReplaceAll(key, "/", "~1"), "left to the chart")
		}
	}
	for _, values := range []string{"job: {annotations: {helm.sh/hook: x}}", "job: {annotations: {argocd.argoproj.io/hook: x}}", "podAnnotations: {vault-bootstrap.dev/seed: x}"} {
		refused(t, values, "nnotations/", "left to the chart")
	}
	for _, values := range []string{"commonLabels: {a: 'b c'}", "podLabels: {a: " + strings.Repeat("x", 64) + "}", "podLabels: {a: 1}", "nodeSelector: {a: true}"} {
		refused(t, values, "/a'")
	}
	// parse is strict: a key that is there twice fails.
	found := render(t, "mesh: {sidecar: 'off'}\ncommonLabels: {a: common, c: '1'}\npodLabels: {a: pod, sidecar.istio.io/inject: 'true'}\n"+
		"podAnnotations: {linkerd.io/inject: enabled}\nmonitoring: {podMonitor: true, labels: {a: monitor}}\nserviceAccount: {annotations: {argocd.argoproj.io/sync-wave: '7'}}\n", "--set=mode=argocd")
	labels := found.one(t, "Job").at(t, "spec", "template", "metadata", "labels").(map[string]any)
	if labels["a"] != "pod" || labels["c"] != "1" || labels["sidecar.istio.io/inject"] != "true" {
		t.Errorf("the pod has the labels %v", labels)
	}
}

// TestDigitsStayText has names that YAML takes for something else.
func TestDigitsStayText(t *testing.T) {
	for _, odd := range []string{"123", "1e3", "0123", "0x1f", "no", "null", "true"} {
		for mode := range modes {
			values := strings.ReplaceAll(everything+"mode: "+mode+"\nname: 'ODD'\nserviceAccount: {name: 'ODD'}\n", "ODD", odd)
			values += fmt.Sprintf("vault: {statefulSet: '%[1]s', replicas: 3, tlsServerName: '%[1]s', namespace: '%[1]s', ca: {configMap: '%[1]s', key: '%[1]s'}, clientCertificateSecret: '%[1]s'}\n", odd)
			values += fmt.Sprintf("rbac: {extraServiceAccounts: ['%[1]s'], waiters: [{namespace: '%[1]s', serviceAccount: '%[1]s'}, {namespace: '%[1]s'}], unsealers: ['%[1]s']}\n", odd)
			values += fmt.Sprintf("tokenReview: {create: true, serviceAccount: '%[1]s', namespace: '%[1]s'}\nimage: {tag: '%[1]s', pullSecrets: [{name: '%[1]s'}]}\n", odd)
			values += fmt.Sprintf("seed: {files: {'%[1]s.yaml': '%[1]s'}, configMaps: ['%[1]s'], secrets: ['%[1]s'], revision: '%[1]s'}\n", odd)
			values += fmt.Sprintf("run: {storageVolume: '%[1]s', onKeysLost: reset, pgpKeys: {configMap: '%[1]s', unseal: ['%[1]s'], recovery: ['%[1]s']}, extraArgs: ['%[1]s']}\n", odd)
			values += fmt.Sprintf("commonLabels: {'%[1]s': '%[1]s'}\npodLabels: {p: '%[1]s'}\npodAnnotations: {'%[1]s': '%[1]s'}\nnodeSelector: {'%[1]s': '%[1]s'}\npriorityClassName: '%[1]s'\nextraEnv: [{name: A, value: '%[1]s'}]\n", odd)
			values += fmt.Sprintf("keys: {encryption: {recipients: ['transit:https://%[1]s.example/%[1]s/%[1]s', 'age:age1%[1]s'], age: {secret: '%[1]s', keys: ['%[1]s']}, transit: {tokenSecret: '%[1]s', tokenKey: '%[1]s', ca: {configMap: '%[1]s', key: '%[1]s'}}, inVaultPods: true}}\n", odd)
			values += "monitoring: {podMonitor: true, prometheusRule: true}\n"
			merged := last(t, values)
			cmd := command(t.Context(), t, os.DevNull, "template", odd, chartDir, "--namespace="+odd, "--values=-")
			cmd.Stdin = strings.NewReader(merged)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s in mode %s: %v: %s", odd, mode, err, out)
				continue
			}
			for _, each := range parse(t, string(out)) {
				onlyText(t, odd, each)
			}
		}
	}
}

// last merges values in which a key may be there again: the last one counts.
func last(t *testing.T, values string) string {
	t.Helper()
	merged := map[string]any{}
	for line := range strings.Lines(values) {
		var one map[string]any
		if err := yaml.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		maps.Copy(merged, one)
	}
	out, err := yaml.Marshal(merged)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// numbers are the fields that may be other than text, by the name of the last key.
var numbers = []string{
	"optional", "replicas", "minAvailable", "maxUnavailable", "port", "containerPort", "expirationSeconds", "periodSeconds", "failureThreshold", "maxSkew",
	"terminationGracePeriodSeconds", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "values", "suspend", "defaultMode", "honorLabels", "startingDeadlineSeconds",
	"runAsUser", "runAsGroup", "fsGroup", "runAsNonRoot", "readOnlyRootFilesystem", "allowPrivilegeEscalation", "automountServiceAccountToken", "readOnly",
}

// onlyText holds that every other field of an object is text.
func onlyText(t *testing.T, odd string, o *object) {
	t.Helper()
	var look func(path string, value any)
	look = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, each := range value {
				look(path+"."+key, each)
			}
		case []any:
			for _, each := range value {
				look(path, each)
			}
		case string:
		default:
			if key := path[strings.LastIndex(path, ".")+1:]; !slices.Contains(numbers, key) {
				t.Errorf("%s: %s %s has %v (%T) at %s", odd, o.GetKind(), o.GetName(), value, value, path)
			}
		}
	}
	look("", o.Object)
}

// TestItemTypes refuses in lists what the API server would refuse later, or read otherwise.
func TestItemTypes(t *testing.T) {
	for values, at := range map[string]string{
		"extraEnv: [{name: A, value: 1}]":                         "/extraEnv/0/value",
		"extraEnv: [{name: A, value: true}]":                      "/extraEnv/0/value",
		"extraEnv: [{value: a}]":                                  "/extraEnv/0",
		"extraEnv: [{name: POD_NAME, value: a}]":                  "/extraEnv/0/name",
		"extraEnvFrom: [{name: a}]":                               "/extraEnvFrom/0",
		"extraVolumes: [{emptyDir: {}}]":                          "/extraVolumes/0",
		"extraVolumes: [{name: spool, emptyDir: {}}]":             "/extraVolumes/0/name",
		"extraVolumeMounts: [{name: a}]":                          "/extraVolumeMounts/0",
		"extraVolumeMounts: [{name: a, mountPath: /spool}]":       "/extraVolumeMounts/0/mountPath",
		"topologySpreadConstraints: [{maxSkew: 1}]":               "/topologySpreadConstraints/0",
		"networkPolicy: {extraEgress: [{port: 1}]}":               "/networkPolicy/extraEgress/0",
		"networkPolicy: {metricsFrom: [{labels: {}}]}":            "/networkPolicy/metricsFrom/0",
		"networkPolicy: {apiServerCIDRs: [10.0.0.1]}":             "/networkPolicy/apiServerCIDRs/0",
		"networkPolicy: {apiServerCIDRs: [10.0.0.300/32]}":        "/networkPolicy/apiServerCIDRs/0",
		"cronJob: {schedule: nightly}":                            "/cronJob/schedule",
		"cronJob: {schedule: 'TZ=Europe/Berlin 1 2 * * *'}":       "/cronJob/schedule",
		"hook: {events: post-instal}":                             "/hook/events",
		"hook: {deletePolicy: never}":                             "/hook/deletePolicy",
		"spool: {sizeLimit: big}":                                 "/spool/sizeLimit",
		"vault: {ca: {secret: a, key: ../b}}":                     "/vault/ca/key",
		"watch: {replicas: 1.5}":                                  "/watch/replicas",
		"tolerations: [{effect: Never}]":                          "/tolerations/0/effect",
		"priorityClassName: High":                                 "/priorityClassName",
		"login: {kubernetesHost: api.example}":                    "/login/kubernetesHost",
		"run: {pgpKeys: {configMap: a, unseal: ['../../etc/x']}}": "/run/pgpKeys/unseal/0",
	} {
		refused(t, values, at)
	}
}

// TestTimesThatContradict refuses a pod that would be cut off, and follows a longer time-out.
func TestTimesThatContradict(t *testing.T) {
	refused(t, "job: {timeout: 10m, activeDeadlineSeconds: 300}", "job.timeout=10m", "job.activeDeadlineSeconds=300")
	refused(t, "job: {activeDeadlineSeconds: 100}", "job.timeout=4m", "job.activeDeadlineSeconds=100")
	refused(t, "cronJob: {timeout: 1h0.5m}", "cronJob.timeout=1h0.5m", "cronJob.activeDeadlineSeconds=1500")
	for values, want := range map[string]float64{"job: {timeout: 10m}": 645, "job: {timeout: 1h30m}": 5445, "job: {timeout: 90s}": 285, "job: {timeout: 10m, activeDeadlineSeconds: 700}": 700} {
		if got := render(t, values).one(t, "Job").at(t, "spec", "activeDeadlineSeconds"); got != want {
			t.Errorf("%q: the deadline is %v, want %v", values, got, want)
		}
	}
}

// TestAddressesAndReplicas refuses a number of addresses that the program would refuse.
func TestAddressesAndReplicas(t *testing.T) {
	refused(t, "vault: {addresses: ['https://vault.example']}", "vault.addresses has 1", "vault.replicas is 3", "vault.replicas=1")
	for _, fits := range []string{"1", "0"} {
		if _, err := template(t, "vault: {addresses: ['https://vault.example'], replicas: "+fits+"}"); err != nil {
			t.Error(err)
		}
	}
}

// TestScheduleOfTheCronJob looks at where and when.
func TestScheduleOfTheCronJob(t *testing.T) {
	spec := render(t, "cronJob: {timeZone: Europe/Berlin, startingDeadlineSeconds: 60, schedule: '@daily'}").one(t, "CronJob").at(t, "spec").(map[string]any)
	if spec["timeZone"] != "Europe/Berlin" || spec["startingDeadlineSeconds"] != 60.0 || spec["schedule"] != "@daily" {
		t.Errorf("the CronJob has %v", spec)
	}
	spec = render(t, "").one(t, "CronJob").at(t, "spec").(map[string]any)
	if _, found := spec["timeZone"]; found {
		t.Errorf("the default is a time zone: %v", spec["timeZone"])
	}
}

// TestLeast looks at tokens and modes of files.
func TestLeast(t *testing.T) {
	found := render(t, everything)
	if got := found.one(t, "ServiceAccount").Object["automountServiceAccountToken"]; got != false {
		t.Errorf("the ServiceAccount mounts its token: %v", got)
	}
	for values, want := range map[string]any{everything: 288.0, everything + "podSecurityContext: null\n": nil} {
		for _, volume := range pod(t, render(t, values).one(t, "Job"))["volumes"].([]any) {
			for _, kind := range []string{"secret", "configMap", "projected"} {
				source, found, err := unstructured.NestedMap(volume.(map[string]any), kind)
				if err != nil {
					t.Fatal(err)
				}
				name := volume.(map[string]any)["name"]
				if got := source["defaultMode"]; found && name != "extra" && got != want {
					t.Errorf("the volume %v has the mode %v, want %v", name, got, want)
				}
			}
		}
	}
}

// TestChartLabel cuts a version that is too long for a label.
func TestChartLabel(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir+"/vault-bootstrap", os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	file := dir + "/vault-bootstrap/Chart.yaml"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The 63rd character is a dash, which no label ends with.
	version := "0.1.0-" + strings.Repeat("a", 40) + "-bcdef+0123"
	content = regexp.MustCompile(`(?m)^version: .*$`).ReplaceAll(content, []byte("version: "+version))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := command(t.Context(), t, os.DevNull, "template", "rel", dir+"/vault-bootstrap").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, string(out)).one(t, "CronJob").GetLabels()["helm.sh/chart"]
	if want := "vault-bootstrap-0.1.0-" + strings.Repeat("a", 40); got != want {
		t.Errorf("the label is %q, want %q", got, want)
	}
}

// TestQuitOfTheTest has helm's test end the sidecar, as the run does.
func TestQuitOfTheTest(t *testing.T) {
	const flag = "--quit-sidecar=http://127.0.0.1:15020/quitquitquit"
	for sidecar, want := range map[string]bool{"quit": true, "none": false, "native": false, "off": false} {
		if got := slices.Contains(args(t, render(t, "mesh: {sidecar: '"+sidecar+"'}")["Pod vault-bootstrap-test"]), flag); got != want {
			t.Errorf("mesh.sidecar=%s: the test ends it: %v, want %v", sidecar, got, want)
		}
	}
}

// TestMonitoringInEveryMode has rules wherever somebody may run a watch, and finds the sidecars'.
func TestMonitoringInEveryMode(t *testing.T) {
	for mode := range modes {
		found := render(t, "monitoring: {podMonitor: true, prometheusRule: true}", "--set=mode="+mode)
		found.one(t, "PrometheusRule")
		selector := found.one(t, "PodMonitor").at(t, "spec", "selector", "matchLabels").(map[string]any)
		if ours := selector["app.kubernetes.io/name"] == "vault-bootstrap"; ours != (mode == "watch") {
			t.Errorf("mode %s: the PodMonitor chooses %v", mode, selector)
		}
	}
	selector := render(t, "mode: none\nmonitoring: {podMonitor: true, podSelector: {matchExpressions: [{key: a, operator: Exists}]}}").one(t, "PodMonitor").at(t, "spec", "selector").(map[string]any)
	if _, found := selector["matchExpressions"]; !found || selector["matchLabels"] != nil {
		t.Errorf("the given selector became %v", selector)
	}
}

// TestOpenShift leaves user IDs to a cluster that chooses them by namespace.
func TestOpenShift(t *testing.T) {
	for _, mode := range []string{"job", "watch"} {
		o := render(t, "", "--set=mode="+mode, "--api-versions=security.openshift.io/v1").one(t, modes[mode])
		context := pod(t, o)["securityContext"].(map[string]any)
		for _, id := range []string{"runAsUser", "runAsGroup", "fsGroup"} {
			if got, found := context[id]; found {
				t.Errorf("mode %s: %s is %v", mode, id, got)
			}
		}
		if context["runAsNonRoot"] != true {
			t.Errorf("mode %s: root is allowed: %v", mode, context)
		}
	}
	o := render(t, "podSecurityContext: {runAsUser: 1000}", "--api-versions=security.openshift.io/v1").one(t, "Job")
	if got := pod(t, o)["securityContext"].(map[string]any)["runAsUser"]; got != 1000.0 {
		t.Errorf("the chosen user became %v", got)
	}
	if got := pod(t, render(t, "").one(t, "Job"))["securityContext"].(map[string]any)["runAsUser"]; got != 65532.0 {
		t.Errorf("elsewhere the user is %v", got)
	}
}

// TestEgress follows the addresses of Vault and the login.
func TestEgress(t *testing.T) {
	const base = "networkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1/32]%s}\n%s"
	egress := func(networkPolicy, more string) string {
		out, err := yaml.Marshal(render(t, fmt.Sprintf(base, networkPolicy, more)).one(t, "NetworkPolicy").at(t, "spec", "egress"))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, each := range []struct {
		policy, values string
		want, not      []string
	}{
		{"", "", []string{"port: 53\n", "port: 5353\n", "port: 8200\n", "component: server"}, []string{"169.254"}},
		{", dnsPorts: [1053]", "", []string{"port: 1053\n"}, []string{"port: 53\n", "port: 5353\n"}},
		{"", "vault: {addresses: ['https://10.1.2.3:8300', 'https://[fd00::1]', 'https://vault.example.com:9000'], replicas: 3}",
			[]string{"10.1.2.3/32", "port: 8300\n", "fd00::1/128", "port: 443\n", "port: 9000\n"}, nil},
		{", vaultCIDRs: [192.0.2.0/24]", "vault: {addresses: ['https://vault.example.com:9000'], replicas: 1}", []string{"port: 9000\n", "192.0.2.0/24"}, nil},
		{"", "vault: {addresses: ['http://vault-0.vault-internal:8200', 'http://vault.vault.svc:8300', 'http://vault:8400'], replicas: 3}", []string{"port: 8200\n", "port: 8300\n", "port: 8400\n"}, []string{"192.0.2", "port: 80\n"}},
		{", vaultPodSelector: null", "vault: {addresses: ['https://192.0.2.1:8200'], replicas: 1}", []string{"192.0.2.1/32"}, []string{"podSelector"}},
		{"", "login: {method: aws}", []string{"169.254.169.254/32", "169.254.170.23/32", "fd00:ec2::23/128", "port: 80\n"}, nil},
		{"", "login: {method: 'kubernetes,gcp'}", []string{"169.254.169.254/32", "port: 80\n", "port: 988\n"}, []string{"169.254.170.23"}},
		{"", "login: {method: azure}", []string{"169.254.169.254/32"}, []string{"169.254.170.23"}},
	} {
		got := egress(each.policy, each.values)
		for _, want := range each.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %q: no %q in\n%s", each.policy, each.values, want, got)
			}
		}
		for _, not := range each.not {
			if strings.Contains(got, not) {
				t.Errorf("%s %q: %q is in\n%s", each.policy, each.values, not, got)
			}
		}
	}
	refused(t, "networkPolicy: {enabled: true}", "networkPolicy.apiServerCIDRs", "0.0.0.0/0")
}

// TestEgressOfGKE pairs each address of GKE's metadata server with the port that Google names for
// it, and with no other: the wrong pair shows as a login that times out.
func TestEgressOfGKE(t *testing.T) {
	policy := render(t, "networkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1/32]}\nlogin: {method: gcp}").one(t, "NetworkPolicy")
	found := map[string][]int64{}
	for _, each := range policy.at(t, "spec", "egress").([]any) {
		rule := each.(map[string]any)
		peers, _ := rule["to"].([]any)
		for _, peer := range peers {
			block, _ := peer.(map[string]any)["ipBlock"].(map[string]any)
			cidr, _ := block["cidr"].(string)
			if !strings.HasPrefix(cidr, "169.254.") {
				continue
			}
			for _, port := range rule["ports"].([]any) {
				found[cidr] = append(found[cidr], int64(port.(map[string]any)["port"].(float64)))
			}
		}
	}
	want := map[string][]int64{"169.254.169.252/32": {988}, "169.254.169.254/32": {80}}
	if !maps.EqualFunc(found, want, slices.Equal[[]int64]) {
		t.Errorf("the metadata server is allowed at %v, want %v", found, want)
	}
}
