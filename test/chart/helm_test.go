package chart

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const chartDir = "../../manifests/chart/vault-bootstrap"

// controlPlane is one Kubernetes for all tests of the package; each test has a
// namespace of its own. TestMain closes it.
var controlPlane struct {
	once  sync.Once
	plane *testbed.ControlPlane
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if plane := controlPlane.plane; plane != nil {
		if err := plane.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func kubernetes(t *testing.T) *testbed.ControlPlane {
	t.Helper()
	controlPlane.once.Do(func() {
		options := testbed.ControlPlaneOptions{}
		if dir := os.Getenv("TESTBED_DIR"); dir != "" {
			options.Dir = filepath.Join(dir, "chart-kubernetes")
		}
		controlPlane.plane, controlPlane.err = testbed.StartControlPlane(t.Context(), options)
	})
	if controlPlane.err != nil {
		t.Fatal(controlPlane.err)
	}
	return controlPlane.plane
}

// command returns a call of helm that sees no cluster but the one whose kubeconfig it
// is given, and nothing of the user's.
func command(ctx context.Context, t *testing.T, kubeconfig string, args ...string) *exec.Cmd {
	t.Helper()
	helm, err := testbed.LookTool("helm")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, helm, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig}
	return cmd
}

// template renders the chart with values, YAML, and returns helm's error if it does.
func template(t *testing.T, values string, args ...string) (string, error) {
	t.Helper()
	cmd := command(t.Context(), t, os.DevNull, append([]string{"template", "rel", chartDir, "--namespace=vault", "--values=-"}, args...)...)
	cmd.Stdin = strings.NewReader(values)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("helm template: %w: %s", err, stderr.Bytes())
	}
	return stdout.String(), nil
}

// object is one of what was rendered.
type object struct{ unstructured.Unstructured }

// at returns what is at a path, and fails the test if there is nothing.
func (o *object) at(t *testing.T, path ...string) any {
	t.Helper()
	value, found, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	if err != nil || !found {
		t.Fatalf("%s %s has no %v (%v)", o.GetKind(), o.GetName(), path, err)
	}
	return value
}

// objects are what a render made, by 'Kind name'.
type objects map[string]*object

func parse(t *testing.T, rendered string) objects {
	t.Helper()
	found := objects{}
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		o := &object{}
		// Strict: a key that a template wrote twice is a mistake.
		if err := yaml.UnmarshalStrict([]byte(document), &o.Object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(o.Object) == 0 {
			continue
		}
		key := o.GetKind() + " " + o.GetName()
		if _, twice := found[key]; twice {
			t.Errorf("%s was rendered twice", key)
		}
		found[key] = o
	}
	return found
}

// render renders the chart and parses it.
func render(t *testing.T, values string, args ...string) objects {
	t.Helper()
	rendered, err := template(t, values, args...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, rendered)
}

// one returns the only object of a kind.
func (o objects) one(t *testing.T, kind string) *object {
	t.Helper()
	var found []*object
	for key, each := range o {
		if strings.HasPrefix(key, kind+" ") {
			found = append(found, each)
		}
	}
	if len(found) != 1 {
		t.Fatalf("there are %d objects of the kind %s, want 1", len(found), kind)
	}
	return found[0]
}

// args returns the arguments of the first container of an object's pod.
func args(t *testing.T, o *object) []string {
	t.Helper()
	path := map[string][]string{
		"Job":        {"spec", "template", "spec", "containers"},
		"Deployment": {"spec", "template", "spec", "containers"},
		"CronJob":    {"spec", "jobTemplate", "spec", "template", "spec", "containers"},
		"Pod":        {"spec", "containers"},
	}[o.GetKind()]
	container := o.at(t, path...).([]any)[0].(map[string]any)
	var found []string
	for _, each := range container["args"].([]any) {
		found = append(found, each.(string))
	}
	return found
}

// helmTimeout is far more than an API server without nodes takes.
const helmTimeout = time.Minute
