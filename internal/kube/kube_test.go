package kube_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
)

func in(t *testing.T, server *kubetest.Server, rules ...kube.Rule) kube.Namespace {
	t.Helper()
	client, err := kube.New(server.Config())
	check(t, err)
	return kube.Namespace{Client: client, Name: kubetest.Namespace, Rules: rules}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func secretCalled(name string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"a": name}},
	}
}

func TestVerbs(t *testing.T) {
	server := kubetest.Start(t)
	secrets := in(t, server).Secrets()
	made := &corev1.Secret{}
	check(t, secrets.Apply(t.Context(), secretCalled("x"), made, true))
	if err := secrets.Get(t.Context(), "x", &corev1.Secret{}); !apierrors.IsNotFound(err) || made.ResourceVersion != "" {
		t.Errorf("a rehearsal stored %+v, %v", made, err)
	}
	made = &corev1.Secret{}
	check(t, secrets.Apply(t.Context(), secretCalled("x"), made, false))
	merged := &corev1.Secret{}
	check(t, secrets.Merge(t.Context(), "x", map[string]any{"data": map[string][]byte{"k": []byte("v")}}, merged, false))
	if string(merged.Data["k"]) != "v" || merged.Labels["a"] != "x" || merged.ResourceVersion == made.ResourceVersion {
		t.Errorf("merged is %+v", merged)
	}
	made.Data = map[string][]byte{"k": []byte("late")}
	if err := secrets.Update(t.Context(), made, &corev1.Secret{}); !apierrors.IsConflict(err) {
		t.Errorf("at an earlier revision: %v", err)
	}
	merged.Data["k"] = []byte("w")
	updated := &corev1.Secret{}
	check(t, secrets.Update(t.Context(), merged, updated))
	if err := secrets.Delete(t.Context(), "x", "another"); !apierrors.IsConflict(err) {
		t.Errorf("another one was deleted: %v", err)
	}
	check(t, secrets.Delete(t.Context(), "x", updated.UID))
	check(t, in(t, server).Events().Create(t.Context(), &corev1.Event{ObjectMeta: metav1.ObjectMeta{GenerateName: "e-"}}, false))
	if names := server.Names("events"); len(names) != 1 || !strings.HasPrefix(names[0], "e-") {
		t.Errorf("the events are %q", names)
	}
	server.Put("pods", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: map[string]string{"app": "vault"}}})
	pods := &corev1.PodList{}
	check(t, in(t, server).Pods().List(t.Context(), "app=vault", pods))
	other := &corev1.PodList{}
	check(t, in(t, server).Pods().List(t.Context(), "app=other", other))
	if len(pods.Items) != 1 || len(other.Items) != 0 {
		t.Errorf("listed are %d and %d pods", len(pods.Items), len(other.Items))
	}
	if _, err := kube.New(&rest.Config{Host: "://"}); err == nil {
		t.Error("a host that is none was taken")
	}
}

func TestMissing(t *testing.T) {
	server := kubetest.Start(t)
	rules := []kube.Rule{
		{Resource: "secrets", Name: "x", Verbs: []string{"get", "patch"}},
		{Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get"}},
		{Resource: "events", Verbs: []string{"create"}, Optional: true},
	}
	namespace := in(t, server, rules...)
	if missing, err := namespace.Missing(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("missing are %v, %v", missing, err)
	}
	server.Allow(func(_, verb, _, _ string) bool { return verb == "get" })
	missing, err := namespace.Missing(t.Context())
	if err != nil || len(missing) != 1 || missing[0].String() != `patch secrets "x"` {
		t.Errorf("missing are %v, %v", missing, err)
	}
	denied := namespace.Denied(missing)
	want := "Add to the rules of a Role in the namespace \"ns\" that is bound to our service account:\n" +
		"- apiGroups: [\"\"]\n  resources: [\"secrets\"]\n  resourceNames: [\"x\"]\n  verbs: [\"patch\"]"
	if fault.KindOf(denied) != fault.Usage || fault.RemedyOf(denied) != want {
		t.Errorf("got %v, %q", denied, fault.RemedyOf(denied))
	}
	server.Refuse(kubetest.Broken)
	if _, err := namespace.Missing(t.Context()); err == nil || fault.KindOf(err) == fault.Usage {
		t.Errorf("got %v", err)
	}
	server.Refuse(kubetest.Denied)
	if _, err := namespace.Missing(t.Context()); !strings.Contains(fault.RemedyOf(err), "system:basic-user") {
		t.Errorf("got %v", err)
	}
}

func TestReviewsOfOthers(t *testing.T) {
	server := kubetest.Start(t)
	namespace := in(t, server)
	server.Allow(func(user, verb, _, _ string) bool { return user == "ada" && verb == "get" })
	for _, user := range []string{"ada", "eve"} {
		may, err := namespace.MaySubject(t.Context(), user, []string{"g"}, "", kube.Access{Verb: "get", Resource: "secrets", Name: "x"})
		if err != nil || may != (user == "ada") {
			t.Errorf("%s: %v, %v", user, may, err)
		}
	}
	if self, err := namespace.Self(t.Context()); err != nil || self != "system:serviceaccount:ns:us" {
		t.Errorf("we are %q, %v", self, err)
	}
	server.Serve("/apis/x", "text")
	var number int
	if err := namespace.ReadInto(t.Context(), &number, "/apis/x"); err == nil || !strings.Contains(err.Error(), "decoding [/apis/x]") {
		t.Errorf("got %v", err)
	}
	server.Refuse(kubetest.Broken)
	if _, err := namespace.MaySubject(t.Context(), "ada", nil, "", kube.Access{}); err == nil {
		t.Error("an outage is an answer")
	}
	if _, err := namespace.Self(t.Context()); err == nil {
		t.Error("an outage is an answer")
	}
	if err := namespace.ReadInto(t.Context(), &number, "/apis/x"); err == nil {
		t.Error("an outage is an answer")
	}
}

func TestFollow(t *testing.T) {
	server := kubetest.Start(t)
	secrets := in(t, server).Secrets()
	server.Put("secrets", secretCalled("x"))
	ctx, cancel := context.WithCancelCause(t.Context())
	seen, end := make(chan kube.Object), make(chan error, 1)
	go func() { end <- secrets.Follow(ctx, "x", func(o kube.Object) { seen <- o }) }()
	first := <-seen
	server.Put("secrets", secretCalled("other"))
	server.Put("secrets", secretCalled("x"))
	if second := <-seen; second.GetName() != "x" || second.GetResourceVersion() == first.GetResourceVersion() {
		t.Errorf("seen is %+v", second)
	}
	server.Remove("secrets", "x")
	if gone := <-seen; gone != nil {
		t.Errorf("seen is %+v", gone)
	}
	cause := errors.New("enough")
	cancel(cause)
	if err := <-end; !errors.Is(err, cause) {
		t.Errorf("it ended with %v", err)
	}
}

// Each refusal has its kind, and says what to do about it.
func TestExplain(t *testing.T) {
	server := kubetest.Start(t)
	namespace := in(t, server, kube.Rule{Resource: "secrets", Name: "x", Verbs: []string{"get"}})
	status := func(code int32, reason metav1.StatusReason) func(kubetest.Request) *metav1.Status {
		return func(kubetest.Request) *metav1.Status {
			return &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: "no"}
		}
	}
	for name, test := range map[string]struct {
		refuse func(kubetest.Request) *metav1.Status
		kind   fault.Kind
		remedy string
	}{
		"denied":       {kubetest.Denied, fault.Transient, `resourceNames: ["x"]`},
		"quota":        {func(r kubetest.Request) *metav1.Status { return kubetest.Forbidden(r, "quota") }, fault.Transient, "admission"},
		"unauthorized": {status(401, metav1.StatusReasonUnauthorized), fault.Transient, "token has expired"},
		"invalid":      {status(422, metav1.StatusReasonInvalid), fault.Terminal, "Secret holds 1 MiB"},
		"too large":    {status(413, metav1.StatusReasonRequestEntityTooLarge), fault.Terminal, "Secret holds 1 MiB"},
		"not found":    {status(404, metav1.StatusReasonNotFound), fault.Transient, "kubectl get namespace ns"},
		"broken":       {kubetest.Broken, fault.KindOf(errors.New("")), ""},
	} {
		server.Refuse(test.refuse)
		err := namespace.Secrets().Get(t.Context(), "x", &corev1.Secret{})
		explained := namespace.Explain(kube.Access{Verb: "get", Resource: "secrets", Name: "x"}, err)
		if fault.KindOf(explained) != test.kind || !strings.Contains(fault.RemedyOf(explained), test.remedy) || !errors.Is(explained, err) {
			t.Errorf("%s: %v (%v), %q", name, explained, fault.KindOf(explained), fault.RemedyOf(explained))
		}
		if refused := name != "broken" && name != "unauthorized"; kube.Refused(err) != refused || kube.DeniedByRBAC(err) != (name == "denied") || kube.TooLarge(err) != (name == "too large") {
			t.Errorf("%s: refused %v, denied %v, too large %v", name, kube.Refused(err), kube.DeniedByRBAC(err), kube.TooLarge(err))
		}
		if kube.Terminating(err) || kube.Immutable(err) {
			t.Errorf("%s: terminating %v, immutable %v", name, kube.Terminating(err), kube.Immutable(err))
		}
	}
	server.Stop()
	err := namespace.Secrets().Get(t.Context(), "x", &corev1.Secret{})
	if explained := namespace.Explain(kube.Access{Verb: "get", Resource: "secrets"}, err); !strings.Contains(fault.RemedyOf(explained), "does not answer") {
		t.Errorf("got %v, %q", explained, fault.RemedyOf(explained))
	}
	if kube.TooLarge(nil) || !kube.TooLarge(errors.New("etcdserver: request is too large")) {
		t.Error("etcd's limit is not known")
	}
}
