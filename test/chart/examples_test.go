package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const examples = "../../manifests/examples/"

// vaultValues are what the examples set of the official Vault chart's values.
type vaultValues struct {
	Server struct {
		ExtraInitContainers []corev1.Container
		PostStart           []string
		Volumes             []corev1.Volume
		VolumeMounts        []corev1.VolumeMount
		StatefulSet         struct {
			SecurityContext struct {
				Pod       *corev1.PodSecurityContext
				Container *corev1.SecurityContext
			}
		}
	}
}

func load(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestExamplesAreAdmitted makes pods as the Vault chart does from these values, and has
// them judged under Pod Security 'restricted'.
func TestExamplesAreAdmitted(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"", "sidecar", "poststart"} {
		var values vaultValues
		load(t, examples+"vault.yaml", &values)
		if name != "" {
			load(t, examples+name+"/vault.yaml", &values)
		}
		s.judge("Vault with "+name, corev1.PodSpec{
			SecurityContext: values.Server.StatefulSet.SecurityContext.Pod,
			InitContainers:  values.Server.ExtraInitContainers,
			Volumes:         values.Server.Volumes,
			Containers: []corev1.Container{{
				Name: "vault", Image: "vault", SecurityContext: values.Server.StatefulSet.SecurityContext.Container,
				VolumeMounts: values.Server.VolumeMounts,
				Lifecycle:    hook(values.Server.PostStart),
			}},
		})
	}
	var consumer appsv1.Deployment
	load(t, examples+"consumer/deployment.yaml", &consumer)
	s.judge("the consumer", consumer.Spec.Template.Spec)
}

func hook(command []string) *corev1.Lifecycle {
	if len(command) == 0 {
		return nil
	}
	return &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: command}}}
}

// judge has the API server look at a pod, without making it.
func (s *site) judge(name string, spec corev1.PodSpec) {
	s.t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "judged"}, Spec: spec}
	if _, err := s.plane.Client.CoreV1().Pods(s.namespace).Create(s.t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		s.t.Errorf("%s: %v", name, err)
	}
}

// TestAdmissionIsOn makes sure that the tests above could fail.
func TestAdmissionIsOn(t *testing.T) {
	s := newSite(t)
	s.mustHelm("mode: job\nsecurityContext: {allowPrivilegeEscalation: true}", "install", "rel", chartDir)
	name, _ := s.job()
	s.eventually("an event about the refused pod", func() bool {
		return strings.Contains(s.kubectl("get", "events", "--field-selector=involvedObject.name="+name), "violates PodSecurity")
	})
}

// TestExamplesFitTheChart holds what the examples mount to what the chart makes.
func TestExamplesFitTheChart(t *testing.T) {
	found := render(t, "", "--values="+examples+"sidecar/vault-bootstrap.yaml")
	seed := found.one(t, "ConfigMap").GetName()
	for _, each := range found.one(t, "RoleBinding").at(t, "subjects").([]any) {
		if name := each.(map[string]any)["name"]; name != "vault" {
			t.Errorf("the rights go to %v as well", name)
		}
	}
	var values vaultValues
	load(t, examples+"sidecar/vault.yaml", &values)
	if !slices.ContainsFunc(values.Server.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == seed }) {
		t.Errorf("the sidecar does not mount the ConfigMap %s", seed)
	}
	binding := render(t, "", "--values="+examples+"poststart/vault-bootstrap.yaml")["RoleBinding vault-bootstrap-unseal"]
	if subject := binding.at(t, "subjects").([]any)[0].(map[string]any); subject["name"] != "vault" {
		t.Errorf("the keys are for %v", subject)
	}
	var application struct {
		Spec struct {
			Sources []struct {
				Path string
				Helm struct{ ValuesObject map[string]any }
			}
		}
	}
	load(t, examples+"argocd/application.yaml", &application)
	ours := application.Spec.Sources[1]
	if want := "manifests/chart/vault-bootstrap"; ours.Path != want {
		t.Errorf("the application's path is %q, want %q", ours.Path, want)
	}
	ourValues, err := yaml.Marshal(ours.Helm.ValuesObject)
	if err != nil {
		t.Fatal(err)
	}
	if got := render(t, string(ourValues)).one(t, "Job").GetAnnotations()["argocd.argoproj.io/hook"]; got != "Sync" {
		t.Errorf("the application's Job is a hook of %q", got)
	}
}

// quickStart finds a quick start in the documentation: its name and its lines.
var quickStart = regexp.MustCompile("(?s)<!-- quickstart:([a-z]+) -->\n```sh\n(.*?)```")

// TestQuickStartsAreCurrent renders our chart as each quick start does, and looks for the
// files that it names. The suite with a node runs them.
func TestQuickStartsAreCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, found := range quickStart.FindAllStringSubmatch(string(page), -1) {
		names = append(names, found[1])
		lines := strings.Split(strings.TrimSpace(found[2]), "\n")
		if len(lines) > 5 {
			t.Errorf("%s has %d lines, more than five", found[1], len(lines))
		}
		for _, line := range lines {
			words := strings.Fields(line)
			for i, word := range words {
				if strings.HasPrefix(word, "manifests/") {
					words[i] = filepath.Join("../..", word)
					if _, err := os.Stat(words[i]); err != nil {
						t.Errorf("%s: %v", found[1], err)
					}
				}
			}
			if at := slices.Index(words, chartDir); at >= 0 {
				flags := slices.DeleteFunc(words[at+1:], func(word string) bool { return strings.HasPrefix(word, "--wait") })
				if _, err := template(t, "", flags...); err != nil {
					t.Errorf("%s: %v", found[1], err)
				}
			}
		}
	}
	if want := []string{"hook", "job", "watch", "sidecar", "poststart", "argocd", "plain"}; !slices.Equal(names, want) {
		t.Errorf("the quick starts are %v, want %v", names, want)
	}
}
