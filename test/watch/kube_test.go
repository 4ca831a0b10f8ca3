package watch

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// namespaces counts what the tests of this package have made.
var namespaces atomic.Int32

func kubernetes(t *testing.T) *testbed.ControlPlane {
	t.Helper()
	return suite.Kubernetes(t)
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubernetes(t).Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// account returns a kubeconfig of a service account.
func account(t *testing.T, namespace, name string) string {
	t.Helper()
	token, err := kubernetes(t).ServiceAccountToken(t.Context(), namespace, name, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, token)
	kubeconfig, err := kubernetes(t).KubeconfigFor(token, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// installInKubernetes keeps the records in a namespace of its own, with nothing but the
// shipped rules, and a Job and a Pod that the program takes for its own.
func installInKubernetes(t *testing.T, cluster *testbed.VaultCluster) (in *installation, namespace string) {
	t.Helper()
	in = install(t, cluster)
	namespace = fmt.Sprintf("watch-%s-%d", strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(t.Name(), "Test"))), namespaces.Add(1))
	kubectl(t, "create", "namespace", namespace)
	kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
	in.flags[0] = "--kubeconfig=" + account(t, namespace, "vault-bootstrap")
	// Logging in by Kubernetes is the e2e suite's matter.
	in.walk = append(in.walk, "--login=approle")
	in.env = []string{"POD_NAME=bootstrap"}
	in.makePod(namespace)
	return in, namespace
}

// keysOf returns the record of the keys in a namespace.
func keysOf(t *testing.T, namespace string) []byte {
	t.Helper()
	out := kubectl(t, "get", "secret", "vault-bootstrap-keys", "-n", namespace, `-o=jsonpath={.data.keys\.json}`)
	record, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, testbed.SecretsIn(record)...)
	return record
}

// makePod makes a Job, and a Pod of it: no kubelet runs it. The controller of Jobs, which
// would soon take a Pod away from its Job that it has not made, is told to keep out.
func (in *installation) makePod(namespace string) {
	in.t.Helper()
	job := filepath.Join(in.t.TempDir(), "job.yaml")
	write := func(text string) {
		if err := os.WriteFile(job, []byte(text), 0o600); err != nil {
			in.t.Fatal(err)
		}
		kubectl(in.t, "apply", "-n", namespace, "-f", job)
	}
	write(`{apiVersion: batch/v1, kind: Job, metadata: {name: bootstrap}, spec: {suspend: true, managedBy: example.com/nobody, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}`)
	uid := kubectl(in.t, "get", "job", "bootstrap", "-n", namespace, "-o=jsonpath={.metadata.uid}")
	write(fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: bootstrap, ownerReferences: [{apiVersion: batch/v1, kind: Job, name: bootstrap, uid: %s, controller: true}]}, spec: {containers: [{name: a, image: a}]}}`, uid))
}

// told returns the Events about an object, as "type reason", oldest first.
func told(t *testing.T, namespace, kind string) []string {
	t.Helper()
	out := kubectl(t, "get", "events", "-n", namespace, "--sort-by=.firstTimestamp", "--field-selector=involvedObject.kind="+kind+",source=vault-bootstrap",
		`-o=jsonpath={range .items[*]}{.type} {.reason}{"\n"}{end}`)
	return strings.Split(strings.TrimSpace(out), "\n")
}
