package report

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/events"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// eventReporter also reports each transition as a Kubernetes Event.
type eventReporter struct {
	Reporter
	sender *events.Sender
}

// WithEvents adds Events to a report.
func WithEvents(report Reporter, sender *events.Sender) Reporter {
	return &eventReporter{report, sender}
}

var _ events.Records = (*kubestore.Store)(nil)

// StartEvents returns a sender of Events about the pod, or about our record if there is no pod; nil
// if the records are not in Kubernetes.
func StartEvents(records store.Store, name, pod, holder string, log *slog.Logger) *events.Sender {
	kube, ok := records.(events.Records)
	if !ok {
		return nil
	}
	in := kube.Namespace()
	in.Rules = kubestore.Rules(name)
	return events.Start(in, events.Subject{Pod: pod, Secret: kube.CheckpointName()}, holder, func(err error) {
		log.Warn("Kubernetes Events are not sent", "error", err.Error(), "remedy", fault.RemedyOf(err))
	})
}

// reasons are the events' own, as past participles.
var reasons = map[fsm.Event]string{
	fsm.Initialize: "Initialized", fsm.Unseal: "Unsealed", fsm.Seed: "Seeded", fsm.Harden: "Hardened",
	fsm.Seal: "Sealed", fsm.Drift: "Drifted", fsm.Weaken: "Weakened", "": "Found",
}

// Reasons returns the reasons of Events that are not made of the name of an error.
func Reasons() []string {
	return append(slices.Sorted(maps.Values(reasons)), changeAsked, "Changed", "Failed")
}

// ReasonOf returns the reason of an Event about an error of a name.
func ReasonOf(name string) string { return camelCase(name) }

// changeAsked is the reason of an Event about a state that fell back because somebody asked for it.
const changeAsked = "ChangeRequested"

// sentence makes a sentence of a clause.
func sentence(clause string) string {
	first, size := utf8.DecodeRuneInString(clause)
	return string(unicode.ToUpper(first)) + clause[size:] + "."
}

// Entered sends an Event about the transition.
func (r *eventReporter) Entered(t fsm.Transition) {
	r.Reporter.Entered(t)
	if t.Reason.Asked {
		r.sender.Send(false, changeAsked, sentence(t.Reason.Text))
		return
	}
	if t.Reason.Text != "" {
		r.sender.Send(true, reasons[t.Event], sentence(t.Reason.Text))
		return
	}
	text := fmt.Sprintf("Vault is %s", t.To)
	if t.From != "" {
		text += fmt.Sprintf(", it was %s", t.From)
	}
	if t.Event != "" {
		text += fmt.Sprintf(" (took %s)", t.Took.Round(time.Millisecond))
	}
	r.sender.Send(t.To.Before(t.From), reasons[t.Event], text+".")
}

// failed sends an Event about why a run has ended, or a watch cannot go on.
func (r *eventReporter) failed(err error) {
	reason := "Failed"
	if name := FailureName(err); name != "" {
		reason = camelCase(name)
	}
	r.sender.Send(true, reason, strings.TrimSpace(err.Error()+"\n"+fault.RemedyOf(err)))
}

// Close sends what is queued.
func (r *eventReporter) Close(failed bool) {
	r.sender.Close()
	r.Reporter.Close(failed)
}

// SendFailure sends an Event about a failure, if the report has Events.
func SendFailure(report Reporter, err error) {
	if events, ok := report.(*eventReporter); ok {
		events.failed(err)
	}
}

// The names of failures that are not terminal, but still need an operator.
const (
	seedInvalid   = "seed invalid"
	configuration = "configuration"
)

// FailureName returns the name under which a failure that needs an operator is reported; "" for a
// transient one.
func FailureName(err error) string {
	switch fault.KindOf(err) {
	case fault.Terminal:
		if name := fault.NameOf(err); name != "" {
			return name
		}
		return "unnamed"
	case fault.Seed:
		return seedInvalid
	case fault.Usage:
		return configuration
	default:
		return ""
	}
}

// camelCase turns a name into an Event's reason: 'keys lost' becomes KeysLost.
func camelCase(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '-' || r == ',' })
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}
