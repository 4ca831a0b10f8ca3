// Package events reports what happens as Kubernetes Events, for 'kubectl describe' and 'kubectl get
// events'.
//
// Sending them is best effort: in the background, each with a timeout, and never at the cost of the
// work. A missing rule is reported once. The package must not know the states: it carries reasons
// and messages.
package events

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// The limits of what is sent.
const (
	maxMessage  = 1000 // events.k8s.io takes 1024
	queueLength = 64   // events that wait to be sent; further ones are dropped
	sendTime    = 5 * time.Second
	closeTime   = 3 * time.Second
)

// component is what 'kubectl describe' shows as the source.
const component = "vault-bootstrap"

// Records are in a namespace, and include a Secret that events can be about.
type Records interface {
	Namespace() kube.Namespace
	CheckpointName() string
}

// Subject is what the events are about.
type Subject struct {
	// Pod is the name of our Pod; empty outside Kubernetes, where the events are about
	// the Secret called Secret instead.
	Pod, Secret string
}

// Sender sends events.
type Sender struct {
	in       kube.Namespace
	subject  Subject
	instance string
	trouble  func(error)

	queue chan corev1.Event
	done  chan struct{}
	stop  context.CancelFunc
	once  sync.Once
}

// Start returns a sender for a namespace. instance names this process. trouble is called once, with
// the reason, if events are refused.
func Start(in kube.Namespace, subject Subject, instance string, trouble func(error)) *Sender {
	ctx, stop := context.WithCancel(context.Background())
	s := &Sender{
		in: in, subject: subject, instance: instance, trouble: trouble,
		queue: make(chan corev1.Event, queueLength), done: make(chan struct{}), stop: stop,
	}
	go s.run(ctx)
	return s
}

// Send queues an event. reason is one CamelCase word.
func (s *Sender) Send(warning bool, reason, message string) {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " …"
	}
	kind := corev1.EventTypeNormal
	if warning {
		kind = corev1.EventTypeWarning
	}
	now := metav1.Now()
	event := corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.in.Name, GenerateName: component + "."},
		Type:       kind, Reason: reason, Message: message, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: component}, ReportingController: component, ReportingInstance: s.instance,
	}
	select {
	case s.queue <- event:
	default:
	}
}

// Close waits a few seconds for what is queued. Send must not be called after it.
func (s *Sender) Close() {
	s.once.Do(func() {
		close(s.queue)
		timer := time.NewTimer(closeTime)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
		}
		s.stop()
		<-s.done
	})
}

func (s *Sender) run(ctx context.Context) {
	defer close(s.done)
	var about []corev1.ObjectReference
	reported := false
	for event := range s.queue {
		if len(about) == 0 {
			about = s.about(ctx)
		}
		for _, object := range about {
			event.InvolvedObject = object
			if err := s.create(ctx, event); err != nil && !reported && ctx.Err() == nil {
				reported = true
				s.trouble(err)
			}
		}
	}
}

func (s *Sender) create(ctx context.Context, event corev1.Event) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := s.in.Events().Create(ctx, &event, false); err != nil {
		return fmt.Errorf("sending an event: %w", s.in.Explain(kube.Access{Verb: "create", Resource: "events"}, err))
	}
	return nil
}

// about returns the objects that the events are about: our Pod and the Job that created it, or else
// the Secret.
func (s *Sender) about(ctx context.Context) []corev1.ObjectReference {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if s.subject.Pod != "" {
		pod := &corev1.Pod{}
		if err := s.in.Pods().Get(ctx, s.subject.Pod, pod); err == nil {
			return s.withOwner(pod)
		}
	}
	reference := corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: s.in.Name, Name: s.subject.Secret}
	secret := &corev1.Secret{}
	if err := s.in.Secrets().Get(ctx, s.subject.Secret, secret); err == nil {
		reference.UID = secret.UID
	}
	return []corev1.ObjectReference{reference}
}

func (s *Sender) withOwner(pod *corev1.Pod) []corev1.ObjectReference {
	about := []corev1.ObjectReference{{APIVersion: "v1", Kind: "Pod", Namespace: s.in.Name, Name: pod.Name, UID: pod.UID}}
	owner := metav1.GetControllerOf(pod)
	if owner != nil && owner.Kind == "Job" {
		about = append(about, corev1.ObjectReference{
			APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: s.in.Name, Name: owner.Name, UID: owner.UID,
		})
	}
	return about
}
