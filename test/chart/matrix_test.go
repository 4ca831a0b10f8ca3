package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// on are the values over which each combination changes one: everything that a value may have a
// part in is rendered.
const on = `
image: {pullSecrets: [{name: pull}]}
vault: {ca: {secret: vault-tls}, clientCertificateSecret: vault-client}
seed: {files: {seed.yaml: "a: 1"}, configMaps: [one], secrets: [two]}
run: {onKeysLost: reset, pgpKeys: {configMap: operators, unseal: [a.asc], recovery: [b.asc]}}
rbac: {extraServiceAccounts: [vault], waiters: [{namespace: apps}], unsealers: [vault]}
tokenReview: {create: true}
networkPolicy: {enabled: true, vaultNamespaceSelector: {}, apiServerCIDRs: [10.0.0.1/32], vaultCIDRs: [192.0.2.0/24]}
watch: {replicas: 2, podDisruptionBudget: {enabled: true}}
mesh: {sidecar: quit}
monitoring: {podMonitor: true, prometheusRule: true}
` + encrypted

// oddities are legal values out of the ordinary, where those of their type are not: see odd.
var oddities = map[string][]any{
	"mode":  {}, // every combination is rendered in each
	"name":  {"123", strings.Repeat("a", 40), "0x1f"},
	"plain": {true},

	"keys.mode": {}, // goes with few others: TestWithoutKeys
	"keys.encryption.recipients": {[]any{"kms-plugin:unix:///run/kms/123", "age:age1yubikey1qqqqqq", "age:age1qqqqqqqq", "transit:https://[fd00::1]:123/a/b/123",
		"awskms:arn:aws-cn:kms:cn-north-1:111122223333:alias/123", "azurekv:https://ours.managedhsm.azure.net/keys/123", "gcpkms:projects/1/locations/global/keyRings/2/cryptoKeys/3"}},
	"keys.encryption.age.secret": {"123", "1e3"}, "keys.encryption.age.keys": {[]any{"0123", "no"}},
	"keys.encryption.transit.tokenSecret": {"123"}, "keys.encryption.transit.tokenKey": {"0123"},
	"keys.encryption.transit.ca.secret": {"1e3"}, "keys.encryption.transit.ca.configMap": {"1.10"}, "keys.encryption.transit.ca.key": {"0123"},
	"keys.encryption.aws.endpoint": {"http://127.0.0.1:4566", "https://[fd00::1]:8443/a"}, "keys.encryption.plugin.hostPath": {"/123", "/a b: {}"},

	"image.repository": {"registry.example:5000/a/b", "123"}, "image.tag": {"1.10", "0123"}, "image.pullPolicy": {"Always"},
	"image.digest": {"sha256:" + strings.Repeat("0", 64)}, "image.pullSecrets": {[]any{map[string]any{"name": "123"}}},
	"vault.scheme": {"http"}, "vault.replicas": {1, 99}, "vault.service": {"vault.other.svc:8300"}, "vault.statefulSet": {"123"},
	"vault.selector": {"app in (a, b),c!=d"}, "vault.ca.key": {"0123"}, "vault.ca.secret": {"1e3"}, "vault.ca.configMap": {"1.10"}, "vault.clientCertificateSecret": {"123"},
	"vault.addresses":       {[]any{"https://10.1.2.3:8300", "http://[fd00::1]:8200", "https://vault.example.com"}},
	"seed.files":            {map[string]any{"123.yaml": scalars, "n.yaml": "", "own.hcl": "path \"{{ a }}\" {}\r\n"}},
	"seed.configMaps":       {[]any{"123", "a.b"}},
	"seed.secrets":          {[]any{"1e3"}},
	"run.until":             {"initialized"},
	"run.onKeysLost":        {"stop"},
	"run.ceremonies":        {"never"},
	"run.policy":            {"fixed"},
	"run.logLevel":          {"debug"},
	"run.keyShares":         {255},
	"run.parallelism":       {10000},
	"run.extraArgs":         {[]any{"--lease-duration=30s", "- {}: #"}},
	"run.storageVolume":     {"123"},
	"run.pgpKeys.configMap": {"123"}, "run.pgpKeys.unseal": {[]any{"0123"}}, "run.pgpKeys.recovery": {[]any{"n"}},
	"login.method": {"aws,gcp,azure", "token-file"}, "login.kubernetesHost": {"https://[fd00::1]:6443"},
	"job.timeout": {"1h30m0.5s"}, "job.activeDeadlineSeconds": {1000000}, "job.backoffLimit": {1000000}, "job.ttlSecondsAfterFinished": {0, 1000000},
	"job.annotations": {map[string]any{"123": "456", "a/b": "x: {}"}}, "serviceAccount.annotations": {map[string]any{"123": "456"}}, "podAnnotations": {map[string]any{"123": "{ }", "linkerd.io/inject": "no"}},
	"hook.events": {"post-upgrade"}, "hook.deletePolicy": {"before-hook-creation,hook-succeeded"}, "hook.weight": {-1000000}, "argocd.wave": {-1000000},
	"cronJob.schedule": {"@daily", "*/5 0-4,6 1 jan mon"}, "cronJob.timeZone": {"Europe/Berlin", "Etc/GMT+5"}, "cronJob.timeout": {"90s"},
	"cronJob.activeDeadlineSeconds": {1000000}, "cronJob.startingDeadlineSeconds": {0, 1000000},
	"watch.replicas": {3, 1000}, "watch.port": {65535}, "watch.interval": {"1.5h"}, "watch.healthInterval": {"200ms"}, "watch.extraArgs": {[]any{"123"}},
	"watch.podDisruptionBudget.maxUnavailable": {1000000}, "watch.podDisruptionBudget.minAvailable": {0, 1},
	"serviceAccount.name": {"123"}, "rbac.extraServiceAccounts": {[]any{"123", "1e3"}}, "rbac.unsealers": {[]any{"123"}},
	"rbac.waiters":               {[]any{map[string]any{"namespace": "123"}, map[string]any{"namespace": "1e3", "serviceAccount": "0123"}}},
	"tokenReview.serviceAccount": {"123"}, "tokenReview.namespace": {"123"},
	"networkPolicy.vaultPodSelector":       {map[string]any{"matchExpressions": []any{map[string]any{"key": "a", "operator": "In", "values": []any{"1"}}}}},
	"networkPolicy.vaultNamespaceSelector": {map[string]any{}, map[string]any{"matchLabels": map[string]any{"123": "456"}}},
	"networkPolicy.apiServerCIDRs":         {[]any{"0.0.0.0/0", "::/0"}}, "networkPolicy.vaultCIDRs": {[]any{"fd00::/8"}}, "networkPolicy.recipientCIDRs": {[]any{"fd00::/8", "192.0.2.0/24"}},
	"networkPolicy.dnsPorts": {[]any{1053}}, "networkPolicy.apiServerPorts": {[]any{65535}}, "networkPolicy.vaultPort": {65535},
	"networkPolicy.metricsFrom": {[]any{map[string]any{"ipBlock": map[string]any{"cidr": "10.0.0.0/8", "except": []any{"10.1.0.0/16"}}}}},
	"networkPolicy.extraEgress": {[]any{map[string]any{}, map[string]any{"ports": []any{map[string]any{"port": 1, "endPort": 65535}}, "to": []any{map[string]any{"podSelector": map[string]any{}}}}}},
	"mesh.sidecar":              {"off", "native", "none"}, "mesh.quitURL": {"http://127.0.0.1:4191/shutdown"},
	"monitoring.podSelector":    {map[string]any{}, map[string]any{"matchLabels": map[string]any{"a": "1"}}},
	"monitoring.labels":         {map[string]any{"release": "123"}},
	"resources":                 {map[string]any{"limits": map[string]any{"memory": "1Gi", "cpu": 2, "example.com/thing": 1}}},
	"spool.sizeLimit":           {"0.5Gi"},
	"podSecurityContext":        {map[string]any{"fsGroup": 0, "runAsUser": 4000000000 / 2, "supplementalGroups": []any{1000000}}},
	"securityContext":           {map[string]any{"privileged": false}},
	"extraEnv":                  {[]any{map[string]any{"name": "123", "value": "1e3"}, map[string]any{"name": "B", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "spec.nodeName"}}}}},
	"extraEnvFrom":              {[]any{map[string]any{"configMapRef": map[string]any{"name": "123"}, "prefix": "P_"}}},
	"extraVolumes":              {[]any{map[string]any{"name": "123", "secret": map[string]any{"secretName": "1e3", "defaultMode": 256}}}},
	"extraVolumeMounts":         {[]any{map[string]any{"name": "spool", "mountPath": "/123"}}},
	"commonLabels":              {map[string]any{"123": "456", "a": ""}},
	"podLabels":                 {map[string]any{"123": "456", "sidecar.istio.io/inject": "true"}},
	"nodeSelector":              {map[string]any{"123": "1e3"}},
	"tolerations":               {[]any{map[string]any{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1000000}}},
	"affinity":                  {map[string]any{"podAntiAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"topologyKey": "kubernetes.io/hostname"}}}}},
	"topologySpreadConstraints": {[]any{}, []any{map[string]any{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}}},
	"priorityClassName":         {"system-cluster-critical"},

	"terminationGracePeriodSeconds": {1000000},
}

// odd returns legal values for a path, by its type unless oddities has some.
func odd(path string, preset any) []any {
	if given, found := oddities[path]; found {
		return given
	}
	switch preset := preset.(type) {
	case bool:
		return []any{!preset}
	case float64:
		return []any{preset + 1}
	default:
		return []any{"- {x}: 'y' \"z\" #1", "123"}
	}
}

// empty returns the empty value of a type.
func empty(preset any) any {
	switch preset.(type) {
	case bool:
		return false
	case float64:
		return 0
	case map[string]any:
		return map[string]any{}
	case []any:
		return []any{}
	default:
		return ""
	}
}

// whole are objects that are one value.
var whole = []string{"resources", "podSecurityContext", "securityContext", "networkPolicy.vaultPodSelector"}

// combination is one way to render the chart.
type combination struct {
	mode, path, kind string
	values           map[string]any
}

func (c *combination) String() string { return fmt.Sprintf("mode %s, %s %s", c.mode, c.path, c.kind) }

// combinations are every value at its default, null, empty and odd, in every mode; objects with
// values in them are null as a whole, too.
func combinations(t *testing.T) []*combination {
	t.Helper()
	var presets, base map[string]any
	load(t, chartDir+"/values.yaml", &presets)
	if err := yaml.Unmarshal([]byte(on), &base); err != nil {
		t.Fatal(err)
	}
	var found []*combination
	add := func(path, kind string, value any, over map[string]any) {
		for mode := range modes {
			values := clone(t, over)
			if path != "mode" {
				values["mode"] = mode
			}
			if path != "" {
				set(values, strings.Split(path, "."), value)
			}
			found = append(found, &combination{mode, path, kind, values})
		}
	}
	add("", "defaults", nil, map[string]any{})
	add("", "all on", nil, base)
	var look func(prefix string, node map[string]any)
	look = func(prefix string, node map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(node)) {
			path := strings.TrimPrefix(prefix+"."+key, ".")
			add(path, "null", nil, base)
			if below, deeper := node[key].(map[string]any); deeper && len(below) > 0 && !slices.Contains(whole, path) {
				look(path, below)
				continue
			}
			if node[key] != nil { // of those that are null, oddities has the empty ones
				add(path, "empty", empty(node[key]), base)
			}
			for i, value := range odd(path, node[key]) {
				add(path, fmt.Sprintf("odd %d", i), value, base)
			}
		}
	}
	look("", presets)
	return found
}

func clone(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	var copied map[string]any
	if err := json.Unmarshal(text, &copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

func set(values map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		below, found := values[key].(map[string]any)
		if !found {
			below = map[string]any{}
			values[key] = below
		}
		values = below
	}
	// What does not go with the value that is tried.
	switch key := path[len(path)-1]; key {
	case "addresses":
		values["replicas"] = 3
	case "configMap":
		if path[0] == "vault" {
			values["secret"] = ""
		}
	}
	values[path[len(path)-1]] = value
}

// matrix renders many combinations in one helm: each is a dependency of one chart, by an alias.
type matrix struct {
	t   *testing.T
	dir string
}

var (
	refusedBySchema   = regexp.MustCompile(`(?m)^(c\d+):\n((?:- .*\n?)+)`)
	refusedByTemplate = regexp.MustCompile(`execution error at \([^)]*charts/(c\d+)/[^)]*\): (.*)`)
	ofSource          = regexp.MustCompile(`(?m)^# Source: .*\n`)
	rendered          = regexp.MustCompile(`(?m)^# Source: [^/]+/charts/(c\d+)/`)
)

// render returns what each combination becomes, and why those are refused that are.
func (m *matrix) render(all map[string]*combination) (documents map[string][]string, refusals map[string]string) {
	m.t.Helper()
	refusals = map[string]string{}
	left := maps.Clone(all)
	for {
		out, err := m.helm(left)
		if err == nil {
			documents = map[string][]string{}
			for document := range strings.SplitSeq(out, "\n---\n") {
				if source := rendered.FindStringSubmatch(document); source != nil {
					// What only the alias makes different is the same object.
					document = strings.ReplaceAll(document, source[1]+"-0.1.0", "vault-bootstrap-0.1.0")
					document = ofSource.ReplaceAllString(document, "")
					documents[source[1]] = append(documents[source[1]], document)
				}
			}
			return documents, refusals
		}
		before := len(left)
		for _, found := range append(refusedBySchema.FindAllStringSubmatch(err.Error(), -1), refusedByTemplate.FindAllStringSubmatch(err.Error(), -1)...) {
			refusals[found[1]] = strings.TrimSpace(found[2])
			delete(left, found[1])
		}
		if len(left) == before {
			m.t.Fatalf("helm ends with an error that is no refusal of ours: %v", err)
		}
	}
}

func (m *matrix) helm(all map[string]*combination) (string, error) {
	m.t.Helper()
	chart := "apiVersion: v2\nname: matrix\nversion: 0.1.0\ndependencies:\n"
	values := map[string]any{}
	for alias, each := range all {
		chart += "  - {name: vault-bootstrap, version: 0.1.0, alias: " + alias + "}\n"
		values[alias] = each.values
	}
	if err := os.WriteFile(filepath.Join(m.dir, "Chart.yaml"), []byte(chart), 0o600); err != nil {
		m.t.Fatal(err)
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := command(m.t.Context(), m.t, os.DevNull, "template", "rel", m.dir, "--namespace=vault", "--values=-")
	cmd.Stdin = strings.NewReader(string(text))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(out), err
}

// mayBeRefused are the ways of a value that the chart need not take.
func mayBeRefused(c *combination) bool { return c.kind == "null" || c.kind == "empty" }

// TestMatrix renders every value at its default, null, empty and odd, in every mode, and has the
// API server judge each object that comes of it.
func TestMatrix(t *testing.T) {
	began := time.Now()
	m := &matrix{t, t.TempDir()}
	if err := os.CopyFS(filepath.Join(m.dir, "charts", "vault-bootstrap"), os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	all := combinations(t)
	// distinct are the objects, and one combination that makes each.
	distinct := map[string]*combination{}
	count, turned := 0, map[string]string{}
	for batch := range slices.Chunk(all, 200) {
		aliases := map[string]*combination{}
		for i, each := range batch {
			aliases[fmt.Sprintf("c%d", i)] = each
		}
		documents, refusals := m.render(aliases)
		for alias, each := range aliases {
			if why, is := refusals[alias]; is {
				turned[each.path+" "+each.kind] = why
				if !mayBeRefused(each) {
					t.Errorf("%s: refused: %s", each, why)
				}
				continue
			}
			if len(documents[alias]) == 0 {
				t.Errorf("%s: nothing was rendered", each)
			}
			count++
			for _, document := range documents[alias] {
				distinct[document] = each
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(turned)) {
		t.Logf("refused: %s: %s", what, turned[what])
	}
	t.Logf("%d combinations: %d rendered in %s, %d refused (%d values)", len(all), count, time.Since(began).Round(time.Second), len(all)-count, len(turned))
	began = time.Now()
	requests := newJudge(t).all(distinct)
	t.Logf("%d distinct objects of %d combinations were judged by the API server in %s", requests, count, time.Since(began).Round(time.Second))
}

// resources are where the kinds of the chart are.
var resources = map[string]schema.GroupVersionResource{
	"Job": {Group: "batch", Version: "v1", Resource: "jobs"}, "CronJob": {Group: "batch", Version: "v1", Resource: "cronjobs"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"}, "Pod": {Version: "v1", Resource: "pods"},
	"ConfigMap": {Version: "v1", Resource: "configmaps"}, "ServiceAccount": {Version: "v1", Resource: "serviceaccounts"},
	"Role": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, "RoleBinding": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"ClusterRoleBinding":  {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"NetworkPolicy":       {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	"PodDisruptionBudget": {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	"PodMonitor":          {Group: "monitoring.coreos.com", Version: "v1", Resource: "podmonitors"},
	"PrometheusRule":      {Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheusrules"},
}

// judge has an API server look at objects without making them, in a namespace that admits any pod:
// some of the security contexts are odd on purpose.
type judge struct {
	t         *testing.T
	namespace string
	client    dynamic.Interface
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	plane := kubernetes(t)
	config := plane.AdminConfig()
	config.QPS = -1 // it is our own server
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{t, "chart-matrix", client}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: j.namespace}}
	if _, err := plane.Client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	j.define("PodMonitor")
	j.define("PrometheusRule")
	return j
}

// define makes the operator's kind known, with any content: its schema is not ours.
func (j *judge) define(kind string) {
	j.t.Helper()
	at := resources[kind]
	crd := &unstructured.Unstructured{}
	text := fmt.Sprintf(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %[2]s.%[3]s},
		spec: {group: %[3]s, scope: Namespaced, names: {kind: %[1]s, plural: %[2]s}, versions: [{name: v1, served: true, storage: true,
		schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`, kind, at.Resource, at.Group)
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "\t", " ")), &crd.Object); err != nil {
		j.t.Fatal(err)
	}
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err := j.client.Resource(definitions).Create(j.t.Context(), crd, metav1.CreateOptions{}); err != nil {
		j.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(j.t.Context(), helmTimeout)
	defer cancel()
	err := testbed.Poll(ctx, 50*time.Millisecond, "the kind "+kind, func(ctx context.Context) error {
		_, err := j.client.Resource(at).Namespace(j.namespace).List(ctx, metav1.ListOptions{})
		return err
	})
	if err != nil {
		j.t.Fatal(err)
	}
}

// all judges every document, some at a time, and returns how many there were.
func (j *judge) all(documents map[string]*combination) int {
	j.t.Helper()
	type one struct {
		object *unstructured.Unstructured
		of     *combination
	}
	queue := make(chan one)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for each := range queue {
				if err := j.one(each.object); err != nil {
					j.t.Errorf("%s: %s %s: %v", each.of, each.object.GetKind(), each.object.GetName(), err)
				}
			}
		})
	}
	judged := 0
	accounts := map[string]bool{}
	for document, of := range documents {
		o := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &o.Object); err != nil {
			j.t.Errorf("%s: %v in\n%s", of, err, document)
			continue
		}
		if len(o.Object) == 0 {
			continue
		}
		if account, found, _ := unstructured.NestedString(o.Object, "spec", "serviceAccountName"); found && !accounts[account] {
			accounts[account] = true
			j.account(account)
		}
		judged++
		queue <- one{o, of}
	}
	close(queue)
	wait.Wait()
	return judged
}

// account makes a service account, without which no pod is admitted.
func (j *judge) account(name string) {
	j.t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": name}}}
	if _, err := j.client.Resource(resources["ServiceAccount"]).Namespace(j.namespace).Create(j.t.Context(), o, metav1.CreateOptions{}); err != nil {
		j.t.Fatal(err)
	}
}

// one asks the API server to take an object, with every field known to it, and to forget it.
func (j *judge) one(o *unstructured.Unstructured) error {
	at, known := resources[o.GetKind()]
	if !known {
		return fmt.Errorf("the test knows no kind %q", o.GetKind())
	}
	client := dynamic.ResourceInterface(j.client.Resource(at))
	if o.GetKind() != "ClusterRoleBinding" {
		client = j.client.Resource(at).Namespace(j.namespace)
	}
	_, err := client.Create(j.t.Context(), o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	if apierrors.IsAlreadyExists(err) {
		return nil // a service account that a pod needed
	}
	return err
}
