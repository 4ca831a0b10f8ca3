package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// required are the rules that no run can do without.
func required(name string) []kube.Rule {
	return slices.DeleteFunc(kubestore.Rules(name), func(rule kube.Rule) bool { return rule.Optional })
}

// Without the optional rules a run works: they are for Events, for being notified of changes, and
// for the lead, which only a watch takes.
func TestOptionalRulesAreOptional(t *testing.T) {
	t.Parallel()
	s := newSite(t, defaultName, func(role *rbacv1.Role) {
		for _, rule := range kubestore.Rules(defaultName) {
			for _, verb := range rule.Verbs {
				if rule.Optional {
					take(t, role, rule, verb)
				}
			}
		}
	})
	records := s.open(t)
	check(t, records.Preflight(within(t)))
	session, err := fencing.Begin(within(t), records, storetest.LeaseOptions("h"))
	check(t, err)
	check(t, session.Close())
}

// Without any one permission the preflight names exactly that one, and the rule in
// its remedy, added to the role, is all that was missing.
func TestEveryPermissionIsNeededAndNamed(t *testing.T) {
	for _, rule := range required(defaultName) {
		for _, verb := range rule.Verbs {
			t.Run(access(rule, verb), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, defaultName, func(role *rbacv1.Role) { take(t, role, rule, verb) })
				records := s.open(t)
				var err error
				want := fmt.Sprintf("permissions are missing in the namespace %q: %s", s.namespace, access(rule, verb))
				poll(t, "the preflight to name what is missing", func(ctx context.Context) error {
					if err = records.Preflight(ctx); err == nil {
						return errors.New("it passes")
					} else if err.Error() != want {
						return err
					}
					return nil
				})
				if fault.KindOf(err) != fault.Usage {
					t.Errorf("its kind is %s", fault.KindOf(err))
				}
				missing := rule
				missing.Verbs = []string{verb}
				remedy := fault.RemedyOf(err)
				if !strings.HasSuffix(remedy+"\n", ":\n"+missing.YAML()) || !strings.Contains(remedy, s.namespace) {
					t.Errorf("the remedy is %s", remedy)
				}
				s.grant(t, remedy)
				poll(t, "the preflight to pass after its remedy", records.Preflight)
			})
		}
	}
}

func TestAllThatIsMissingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "another-name", func(role *rbacv1.Role) { role.Rules = nil })
	records := s.open(t)
	err := records.Preflight(within(t))
	for _, rule := range required("another-name") {
		for _, verb := range rule.Verbs {
			if want := access(rule, verb); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %s", err, want)
			}
		}
		if !strings.Contains(fault.RemedyOf(err), strings.TrimSpace(rule.YAML())) {
			t.Errorf("the remedy lacks %s: %s", rule.YAML(), fault.RemedyOf(err))
		}
	}
	s.grant(t, fault.RemedyOf(err))
	poll(t, "the preflight to pass after its remedy", records.Preflight)
	session, err := fencing.Begin(within(t), records, storetest.LeaseOptions("h"))
	check(t, err)
	check(t, session.Close())
}

// access is how the store calls one verb of a rule.
func access(rule kube.Rule, verb string) string {
	if rule.Name == "" {
		return verb + " " + rule.Resource
	}
	return fmt.Sprintf("%s %s %q", verb, rule.Resource, rule.Name)
}

// take removes a verb from the rule for one object.
func take(t *testing.T, role *rbacv1.Role, rule kube.Rule, verb string) {
	t.Helper()
	var names []string
	if rule.Name != "" {
		names = []string{rule.Name}
	}
	for i := range role.Rules {
		if r := &role.Rules[i]; slices.Equal(r.Resources, []string{rule.Resource}) && slices.Equal(r.ResourceNames, names) {
			r.Verbs = slices.DeleteFunc(r.Verbs, func(v string) bool { return v == verb })
			if len(r.Verbs) == 0 {
				role.Rules = slices.Delete(role.Rules, i, i+1)
			}
			return
		}
	}
	t.Fatalf("the role has no rule for %s %q", rule.Resource, rule.Name)
}

// grant does what a remedy says: it adds the rules in it to the role.
func (s *site) grant(t *testing.T, remedy string) {
	t.Helper()
	_, text, found := strings.Cut(remedy, ":\n")
	if !found {
		t.Fatalf("there is no rule in %q", remedy)
	}
	var rules []rbacv1.PolicyRule
	check(t, yaml.Unmarshal([]byte(text), &rules))
	s.role.Rules = append(s.role.Rules, rules...)
	var err error
	s.role, err = controlPlane.Client.RbacV1().Roles(s.namespace).Update(within(t), s.role, metav1.UpdateOptions{})
	check(t, err)
}

// The service account can touch nothing but its three objects, and read Pods.
func TestNothingElseIsPermitted(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	client, err := kubernetes.NewForConfig(s.config)
	check(t, err)
	secrets, leases := client.CoreV1().Secrets(s.namespace), client.CoordinationV1().Leases(s.namespace)
	ctx := within(t)
	own := s.name + "-keys"
	_, err = s.open(t).SaveKeys(ctx, store.Keys{}, "")
	check(t, err)
	apply := metav1.PatchOptions{FieldManager: "test"}
	for what, try := range map[string]func() error{
		"get another Secret":    func() error { _, err := secrets.Get(ctx, "other", metav1.GetOptions{}); return err },
		"list Secrets":          func() error { _, err := secrets.List(ctx, metav1.ListOptions{}); return err },
		"watch Secrets":         func() error { _, err := secrets.Watch(ctx, metav1.ListOptions{}); return err },
		"delete its own Secret": func() error { return secrets.Delete(ctx, own, metav1.DeleteOptions{}) },
		"delete all Secrets":    func() error { return secrets.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}) },
		"apply another Secret": func() error {
			_, err := secrets.Patch(ctx, "other", types.ApplyPatchType, secretYAML("other"), apply)
			return err
		},
		"apply a similar Secret": func() error {
			_, err := secrets.Patch(ctx, own+"2", types.ApplyPatchType, secretYAML(own+"2"), apply)
			return err
		},
		"create a Secret": func() error {
			_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{})
			return err
		},
		"get its Secret's name elsewhere": func() error {
			_, err := client.CoreV1().Secrets("default").Get(ctx, own, metav1.GetOptions{})
			return err
		},
		"get another Lease": func() error { _, err := leases.Get(ctx, "other", metav1.GetOptions{}); return err },
		"create a Lease": func() error {
			_, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{})
			return err
		},
		"list Pods": func() error { _, err := client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{}); return err },
		"get a Role": func() error {
			_, err := client.RbacV1().Roles(s.namespace).Get(ctx, s.role.Name, metav1.GetOptions{})
			return err
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want 403", what, err)
		}
	}
}

func secretYAML(name string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":%q}}`, name)
}

// A permission that goes away in the middle of the work may come back: the error
// is transient, and names the rule.
func TestPermissionTakenAwayAndGivenBack(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	records := s.open(t)
	revision, err := records.SaveKeys(within(t), store.Keys{}, "")
	check(t, err)
	s.unbind(t)
	poll(t, "the permission to be gone", func(ctx context.Context) error {
		var next store.Revision
		if next, err = records.SaveKeys(ctx, store.Keys{}, revision); err == nil {
			revision = next
			return fmt.Errorf("the write went through")
		}
		return nil
	})
	want := kube.Rule{Resource: "secrets", Name: s.name + "-keys", Verbs: []string{"patch"}}
	if fault.KindOf(err) != fault.Transient || !strings.Contains(fault.RemedyOf(err), strings.TrimSpace(want.YAML())) {
		t.Errorf("the write ends with %v (%s), remedy %s", err, fault.KindOf(err), fault.RemedyOf(err))
	}
	if !strings.Contains(err.Error(), s.namespace) || !strings.Contains(err.Error(), s.name+"-keys") {
		t.Errorf("%q does not name the object", err)
	}
	s.bind(t)
	poll(t, "the write to go through", func(ctx context.Context) error {
		_, err := records.SaveKeys(ctx, store.Keys{Epoch: 1}, revision)
		return err
	})
}

// The manifest is applied as it is, by kubectl.
func TestManifestApplies(t *testing.T) {
	t.Parallel()
	namespace, err := controlPlane.Client.CoreV1().Namespaces().Create(within(t),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "store-"}}, metav1.CreateOptions{})
	check(t, err)
	_, err = controlPlane.Kubectl(within(t), "--namespace", namespace.Name, "apply", "--filename", manifest)
	check(t, err)
	token, err := controlPlane.ServiceAccountToken(within(t), namespace.Name, defaultName, nil, 3600e9)
	check(t, err)
	records, err := kubestore.New(controlPlane.TokenConfig(token), namespace.Name, defaultName)
	check(t, err)
	poll(t, "the preflight to pass", records.Preflight)
}
