package chart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// site is a namespace of one test that admits restricted pods only.
type site struct {
	t         *testing.T
	plane     *testbed.ControlPlane
	namespace string
}

func newSite(t *testing.T) *site {
	t.Helper()
	plane := kubernetes(t)
	name := "chart-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-", " ", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	s := &site{t: t, plane: plane, namespace: name[:min(len(name), 63)]}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
	}}}
	if _, err := plane.Client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// helm runs helm in the namespace with values, and returns all that it printed.
func (s *site) helm(values string, args ...string) (string, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), helmTimeout)
	defer cancel()
	if values != "" {
		args = append(args, "--values=-")
	}
	cmd := command(ctx, s.t, s.plane.AdminKubeconfig, append([]string{"--namespace=" + s.namespace}, args...)...)
	cmd.Stdin = strings.NewReader(values)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("helm %v: %w: %s", args, err, out)
	}
	return string(out), err
}

func (s *site) mustHelm(values string, args ...string) string {
	s.t.Helper()
	out, err := s.helm(values, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *site) kubectl(args ...string) string {
	s.t.Helper()
	out, err := s.plane.Kubectl(s.t.Context(), append([]string{"--namespace=" + s.namespace}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// jobs returns the names of the Jobs that are not ending, with their UIDs.
func (s *site) jobs() map[string]string {
	s.t.Helper()
	list, err := s.plane.Client.BatchV1().Jobs(s.namespace).List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]string{}
	for _, job := range list.Items {
		if job.DeletionTimestamp == nil {
			found[job.Name] = string(job.UID)
		}
	}
	return found
}

// job returns the name and the UID of the only Job.
func (s *site) job() (name, uid string) {
	s.t.Helper()
	found := s.jobs()
	if len(found) != 1 {
		s.t.Fatalf("the Jobs are %v, want one", found)
	}
	for name, uid = range found {
	}
	return name, uid
}

// errNoPod means that the controllers have not made one yet.
var errNoPod = errors.New("there is no pod yet")

// admitted waits until a pod with these labels is there: admission let it in.
func (s *site) admitted(selector string) corev1.Pod {
	s.t.Helper()
	var pod corev1.Pod
	ctx, cancel := context.WithTimeout(s.t.Context(), helmTimeout)
	defer cancel()
	err := testbed.Poll(ctx, 50*time.Millisecond, "a pod with the labels "+selector, func(ctx context.Context) error {
		list, err := s.plane.Client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		for _, each := range list.Items {
			if each.DeletionTimestamp == nil {
				pod = each
				return nil
			}
		}
		return errNoPod
	})
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.kubectl("get", "events"))
	}
	return pod
}

// finish does what a kubelet does when the pod's container has ended well.
func (s *site) finish(pod corev1.Pod) {
	s.t.Helper()
	pod.Status.Phase = corev1.PodSucceeded
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: pod.Spec.Containers[0].Name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.Now()}},
	}}
	if _, err := s.plane.Client.CoreV1().Pods(s.namespace).UpdateStatus(s.t.Context(), &pod, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// finishNext is finish for the pod of a Job that has taken another one's place: the former
// pod may still be there for a moment, and is passed over when it goes.
func (s *site) finishNext(selector string, former corev1.Pod) {
	s.t.Helper()
	s.eventually("a pod after "+former.Name, func() bool {
		pod := s.admitted(selector)
		return pod.UID != former.UID
	})
	s.finish(s.admitted(selector))
}

// open does what a kubelet does when a pod has become ready, as Vault's is once opened.
func (s *site) open(pod corev1.Pod) {
	s.t.Helper()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	if _, err := s.plane.Client.CoreV1().Pods(s.namespace).UpdateStatus(s.t.Context(), &pod, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// during runs helm, does something meanwhile, and returns when both are through.
func (s *site) during(do func(), values string, args ...string) string {
	s.t.Helper()
	type result struct {
		out string
		err error
	}
	ended := make(chan result, 1)
	go func() {
		out, err := s.helm(values, args...)
		ended <- result{out, err}
	}()
	do()
	r := <-ended
	if r.err != nil {
		s.t.Fatal(r.err)
	}
	return r.out
}

const (
	runPods   = "app.kubernetes.io/component=run"
	watchPods = "app.kubernetes.io/component=watch"
	testPods  = "app.kubernetes.io/component=test"
)

// onlyHook returns the hook's Job, among those that were made from the CronJob.
func (s *site) onlyHook() (name, uid string) {
	s.t.Helper()
	name = "vault-bootstrap"
	uid, found := s.jobs()[name]
	if !found {
		s.t.Fatalf("there is no Job %s, only %v", name, s.jobs())
	}
	return name, uid
}

// gone waits until the Job with this UID is no more, or ends.
func (s *site) gone(uid string) {
	s.t.Helper()
	s.eventually("the end of the Job "+uid, func() bool {
		for _, each := range s.jobs() {
			if each == uid {
				return false
			}
		}
		return true
	})
}

// errNotYet is what a condition that does not hold is retried for.
var errNotYet = errors.New("not yet")

// eventually waits for a condition.
func (s *site) eventually(name string, holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), helmTimeout)
	defer cancel()
	err := testbed.Poll(ctx, 50*time.Millisecond, name, func(context.Context) error {
		if holds() {
			return nil
		}
		return errNotYet
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
