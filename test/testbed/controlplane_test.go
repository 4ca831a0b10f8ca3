package testbed_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const reader = `
apiVersion: v1
kind: Namespace
metadata: {name: vault}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: vault}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: vault}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: vault}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: ServiceAccount, name: reader, namespace: vault}
`

func TestControlPlane(t *testing.T) {
	t.Parallel()
	c := testbed.ControlPlaneFor(t, testbed.ControlPlaneOptions{})
	begin := time.Now()
	if err := c.Apply(t.Context(), []byte(reader)); err != nil {
		t.Fatal(err)
	}
	t.Logf("applied manifests in %s", time.Since(begin).Round(time.Millisecond))
	token, err := c.ServiceAccountToken(t.Context(), "vault", "reader", []string{"vault"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("TokenReview", func(t *testing.T) { reviewToken(t, c, token) })
	t.Run("RBAC", func(t *testing.T) { actAsReader(t, c) })
	t.Run("AuditLog", func(t *testing.T) { readAuditLog(t, c) })
	t.Run("OutageOfAPIServer", func(t *testing.T) { takeAPIServerAway(t, c) })
}

// reviewToken asks the API server about a token as Vault's kubernetes auth does.
func reviewToken(t *testing.T, c *testbed.ControlPlane, token string) {
	for _, test := range []struct {
		audience, token string
		want            bool
	}{
		{"vault", token, true},
		{"somebody else", token, false},
		{"vault", token[:len(token)-4] + "AAAA", false},
	} {
		review := &authenticationv1.TokenReview{
			Spec: authenticationv1.TokenReviewSpec{Token: test.token, Audiences: []string{test.audience}},
		}
		answer, err := c.Client.AuthenticationV1().TokenReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Status.Authenticated; got != test.want {
			t.Errorf("audience %q: authenticated %v, want %v (%s)", test.audience, got, test.want, answer.Status.Error)
		}
		if got, want := answer.Status.User.Username, "system:serviceaccount:vault:reader"; test.want && got != want {
			t.Errorf("audience %q: user %q, want %q", test.audience, got, want)
		}
	}
}

// actAsReader does what the Role allows, and what it does not, with a kubeconfig.
func actAsReader(t *testing.T, c *testbed.ControlPlane) {
	token, err := c.ServiceAccountToken(t.Context(), "vault", "reader", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	path, err := c.KubeconfigFor(token, "vault")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode of the kubeconfig: got %v, want %v", got, want)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().ConfigMaps("vault").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("what the Role allows: %v", err)
	}
	if _, err := client.CoreV1().Secrets("vault").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("what the Role does not allow: got %v, want Forbidden", err)
	}
}

// readAuditLog looks for the Forbidden request of actAsReader.
func readAuditLog(t *testing.T, c *testbed.ControlPlane) {
	file, err := os.Open(c.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines, found := bufio.NewScanner(file), false
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb           string
			User           struct{ Username string }
			ObjectRef      struct{ Resource string }
			ResponseStatus struct{ Code int }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		found = found || event.Verb == "list" && event.ObjectRef.Resource == "secrets" &&
			event.User.Username == "system:serviceaccount:vault:reader" && event.ResponseStatus.Code == 403
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if !found {
		t.Error("the audit log lacks the forbidden request")
	}
}

func takeAPIServerAway(t *testing.T, c *testbed.ControlPlane) {
	begin := time.Now()
	if err := c.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	t.Logf("API server stopped in %s", time.Since(begin).Round(time.Millisecond))
	list := func() error {
		_, err := c.Client.CoreV1().ServiceAccounts("vault").List(t.Context(), metav1.ListOptions{})
		return err
	}
	if err := list(); err == nil {
		t.Error("the API server is stopped and answers")
	}
	begin = time.Now()
	if err := c.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("API server started again in %s", time.Since(begin).Round(time.Millisecond))
	if err := list(); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestControlPlaneStopLeavesNothing(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c, err := testbed.StartControlPlane(t.Context(), testbed.ControlPlaneOptions{WithoutControllers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started without controllers in %s", time.Since(begin).Round(time.Millisecond))
	if _, err := c.Client.CoreV1().Namespaces().Get(t.Context(), corev1.NamespaceDefault, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	pids := c.PIDs()
	if got, want := len(pids), 2; got != want {
		t.Errorf("processes: got %d, want %d", got, want)
	}
	begin = time.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped in %s", time.Since(begin).Round(time.Millisecond))
	wantGone(t, pids...)
}
