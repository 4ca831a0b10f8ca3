package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/recipients"
)

// TestEncryptionExamples renders each example in each mode, and has the API server judge the pods: in
// a namespace for restricted pods, but those that mount a directory of the node.
func TestEncryptionExamples(t *testing.T) {
	files, err := filepath.Glob(examples + "encryption/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 6 {
		t.Errorf("there are %d examples", len(files))
	}
	s := newSite(t)
	any := &site{t: t, plane: s.plane, namespace: s.namespace + "-any"}
	if _, err := s.plane.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: any.namespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, in := range []*site{s, any} {
		in.eventually("a service account", func() bool {
			_, err := s.plane.Client.CoreV1().ServiceAccounts(in.namespace).Get(t.Context(), "default", metav1.GetOptions{})
			return err == nil
		})
	}
	for _, file := range files {
		name := filepath.Base(file)
		var values struct {
			Keys struct{ Encryption struct{ Recipients []string } }
		}
		load(t, file, &values)
		for i, text := range values.Keys.Encryption.Recipients {
			form, err := keyring.Parse(text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			// What somebody forgets to replace must not encrypt to a stranger.
			if _, err := recipients.Open(form, recipients.Means{}); form.Kind == keyring.Age && err == nil {
				t.Errorf("%s: recipient %d is somebody's", name, i)
			}
		}
		for mode := range modes {
			for key, each := range render(t, "", "--values="+file, "--set=mode="+mode) {
				if !slices.Contains([]string{"Job", "CronJob", "Deployment", "Pod"}, each.GetKind()) {
					continue
				}
				spec := podSpec(t, each)
				spec.ServiceAccountName = "default"
				if spec.RestartPolicy == "" {
					spec.RestartPolicy = corev1.RestartPolicyAlways
				}
				in := s
				if slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil }) {
					in = any
				}
				in.judge(fmt.Sprintf("%s: mode %s: %s", name, mode, key), spec)
			}
		}
	}
	// The plain manifests, as docs/kubernetes.md has it.
	plain := render(t, "", "--values=../../manifests/plain/values.yaml", "--values="+examples+"encryption/age.yaml")
	if got := args(t, plain["Job vault-bootstrap"]); !slices.Contains(got, "--keys-identity=/keys/identity/identity.txt") {
		t.Errorf("the plain Job has the arguments %v", got)
	}
}

// TestWorkloadIdentity renders what each cloud's webhook or metadata server looks at.
func TestWorkloadIdentity(t *testing.T) {
	const label = "azure.workload.identity/use"
	for file, annotation := range map[string]string{"aws": "eks.amazonaws.com/role-arn", "google": "iam.gke.io/gcp-service-account", "azure": "azure.workload.identity/client-id"} {
		for mode, kind := range modes {
			found := render(t, "", "--values="+examples+"encryption/"+file+".yaml", "--set=mode="+mode)
			if found.one(t, "ServiceAccount").GetAnnotations()[annotation] == "" {
				t.Errorf("%s: mode %s: the service account has the annotations %v", file, mode, found.one(t, "ServiceAccount").GetAnnotations())
			}
			if kind == "" {
				continue
			}
			labels := found.one(t, kind).at(t, "spec", "template", "metadata", "labels").(map[string]any)
			if (labels[label] == "true") != (file == "azure") {
				t.Errorf("%s: mode %s: the pods have the labels %v", file, mode, labels)
			}
			if selector, _ := found.one(t, kind).Object["spec"].(map[string]any)["selector"].(map[string]any); selector != nil && fmt.Sprint(selector["matchLabels"]) != fmt.Sprint(render(t, "", "--set=mode="+mode).one(t, kind).at(t, "spec", "selector", "matchLabels")) {
				t.Errorf("%s: the selector, which cannot change, is %v", file, selector)
			}
		}
	}
	// Where the service account is somebody else's, and where somebody wants it otherwise.
	for values, want := range map[string]any{
		"serviceAccount: {create: false, name: a}\npodLabels: {" + label + ": 'true'}":                               "true",
		"serviceAccount: {annotations: {azure.workload.identity/client-id: a}}\npodLabels: {" + label + ": 'false'}": "false",
		"": nil,
	} {
		if got := render(t, values).one(t, "Job").at(t, "spec", "template", "metadata", "labels").(map[string]any)[label]; got != want {
			t.Errorf("%q: the label is %v, want %v", values, got, want)
		}
	}
	env := podSpec(t, render(t, encrypted).one(t, "Job")).Containers[0].Env
	if !slices.Contains(env, corev1.EnvVar{Name: "AWS_ENDPOINT_URL_KMS", Value: "https://kms.example:8443"}) {
		t.Errorf("the environment is %v", env)
	}
}

// TestEncryptionExamplesAreListed holds the page to the examples.
func TestEncryptionExamplesAreListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/keys-at-rest.md")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(examples + "encryption/*.yaml")
	for _, file := range files {
		if name := filepath.Base(file); !strings.Contains(string(page), "manifests/examples/encryption/"+name) {
			t.Errorf("docs/keys-at-rest.md does not name %s", name)
		}
	}
}
