package node

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// site is a namespace of one test, in which a Vault and vault-bootstrap meet.
type site struct {
	t         *testing.T
	namespace string
	trust     *x509.CertPool // of Vault's certificate; nil for a Vault without TLS
}

// newSite makes a namespace that admits restricted pods only, and whose service
// account 'vault' may review tokens. The namespace goes with the test; if that fails,
// what a person would look at is in its output.
func newSite(t *testing.T) *site {
	t.Helper()
	if missing != nil {
		t.Skip(missing)
	}
	prefix := ""
	if cluster.Attached { // among the namespaces of others
		prefix = "vault-bootstrap-e2e-"
	}
	s := &site{t: t, namespace: prefix + strings.ToLower(strings.NewReplacer("/", "-", "_", "-", ".", "-", "'", "").Replace(strings.TrimPrefix(t.Name(), "Test")))}
	if err := cluster.MakeNamespace(t.Context(), s.namespace); err != nil {
		t.Fatal(err)
	}
	// The official chart makes this binding by itself, under one name for all
	// namespaces; there is one Vault a cluster then.
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "vault", Namespace: s.namespace}},
	}
	if _, err := cluster.Client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

// in returns the same site for a part of its test.
func (s *site) in(t *testing.T) *site {
	part := *s
	part.t = t
	return &part
}

// end notes what the pods have shown, for the search for secrets, and has the
// namespace removed, without waiting for it.
func (s *site) end() {
	ctx := context.Background() // the test's is over
	logs, err := cluster.PodLogs(ctx, s.namespace)
	if err != nil {
		s.t.Error(err)
	}
	testbed.NoteOutput(s.t, logs)
	secrets, err := cluster.Client.CoreV1().Secrets(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		s.t.Error(err)
	} else {
		for _, each := range secrets.Items {
			testbed.NoteSecrets(s.t, testbed.SecretsIn(each.Data["keys.json"])...)
		}
	}
	if s.t.Failed() {
		s.t.Log(cluster.Describe(ctx, s.namespace))
	}
	if _, err := cluster.Kubectl(ctx, "delete", "namespace", s.namespace, "--wait=false"); err != nil {
		s.t.Error(err)
	}
	// Nobody waits for the grace of pods that are of no use any more.
	_, _ = cluster.Kubectl(ctx, "delete", "pods", "--all", "-n", s.namespace, "--grace-period=0", "--force", "--wait=false")
}

// kubectl runs kubectl in the namespace.
func (s *site) kubectl(args ...string) string {
	s.t.Helper()
	out, err := cluster.Kubectl(s.t.Context(), append([]string{"-n", s.namespace}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// helm runs helm in the namespace.
func (s *site) helm(args ...string) string {
	s.t.Helper()
	out, err := cluster.Helm(s.t.Context(), append([]string{"-n", s.namespace}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// until polls for at most limit, and says how long it took.
func (s *site) until(limit time.Duration, name string, try func(context.Context) error) time.Duration {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	began := time.Now()
	if err := testbed.Poll(ctx, 100*time.Millisecond, name, try); err != nil {
		s.t.Fatal(err)
	}
	took := time.Since(began)
	s.t.Logf("%s: %s", name, took.Round(10*time.Millisecond))
	return took
}

// jobDone waits until a Job has completed; one that has failed is not waited for.
func (s *site) jobDone(name string) {
	s.t.Helper()
	s.until(3*time.Minute, "job "+name, func(ctx context.Context) error {
		job, err := cluster.Client.BatchV1().Jobs(s.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, each := range job.Status.Conditions {
			if each.Status != corev1.ConditionTrue {
				continue
			}
			switch each.Type {
			case "Complete":
				return nil
			case "Failed":
				return testbed.GiveUp(fmt.Errorf("it failed: %s: %s", each.Reason, each.Message))
			}
		}
		return fmt.Errorf("its status is %+v", job.Status)
	})
}

// podsOf returns the pods with a label.
func (s *site) podsOf(selector string) []corev1.Pod {
	s.t.Helper()
	pods, err := cluster.Client.CoreV1().Pods(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		s.t.Fatal(err)
	}
	return pods.Items
}

// did returns the events that the last run in these logs says it has done.
func (s *site) did(logs string) []string {
	s.t.Helper()
	var events []string
	found := false
	for _, entry := range driver.Entries(logs) {
		if entry.Msg == "done" {
			events, found = entry.Texts("did"), true
		}
	}
	if !found {
		s.t.Fatalf("no run says that it is done:\n%s", logs)
	}
	return events
}

// state returns the state that the Lease shows; nothing if there is no Lease.
func (s *site) state() string {
	s.t.Helper()
	return s.stateNow(s.t.Context())
}

func (s *site) stateNow(ctx context.Context) string {
	lease, err := cluster.Client.CoordinationV1().Leases(s.namespace).Get(ctx, "vault-bootstrap", metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return lease.Annotations["vault-bootstrap.dev/state"]
}

// checkpoint is what the suite reads of the record without secrets.
type checkpoint struct {
	State   string
	History []struct{ From, Event, To, Holder string }
}

func (s *site) checkpoint() checkpoint {
	s.t.Helper()
	secret, err := cluster.Client.CoreV1().Secrets(s.namespace).Get(s.t.Context(), "vault-bootstrap-state", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var c checkpoint
	if err := json.Unmarshal(secret.Data["state.json"], &c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// events returns the events that led from state to state, over all runs.
func (c checkpoint) events() []string {
	var events []string
	for _, each := range c.History {
		if each.Event != "" {
			events = append(events, each.Event)
		}
	}
	return events
}

// shipped is the path of a file that the project ships.
func shipped(path string) string { return filepath.Join("..", "..", path) }
