package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// serverSettings is where a server shows its configuration.
const serverSettings = "sys/config/state/sanitized"

// auditSettings is what a server's configuration says about audit devices, as OpenBao shows it:
// from 2.3.2 on it takes them from its configuration, and by API only where that is allowed.
// Vault has no such setting.
type auditSettings struct {
	// guarded means that the server has the setting, and open that it takes devices by API.
	guarded, open bool
	// made holds the paths of the devices in the configuration.
	made map[string]bool
}

// auditByConfiguration refuses the audit devices that the server takes from its configuration
// alone, so that nothing is written before they are there. Only a plan that concerns one asks
// the server.
func (p *Plan) auditByConfiguration(ctx context.Context, api reader) error {
	creates := slices.ContainsFunc(p.Changes, Change.createsAudit)
	if !creates && !slices.ContainsFunc(p.Refusals, func(r Refusal) bool { return rootAudit(r.Object) }) {
		return nil
	}
	settings, err := readAuditSettings(ctx, api)
	switch code := httpstatus.Of(err); {
	case code == http.StatusForbidden && creates:
		p.Warnings = append(p.Warnings, "whether this server takes audit devices by API is not known, since the token may not read "+serverSettings)
		return nil
	case code >= http.StatusBadRequest && code < http.StatusInternalServerError:
		return nil // the refusal of the first device says so
	case err != nil:
		return fmt.Errorf("reading the server's settings for audit devices: %w", err)
	case !settings.guarded:
		return nil
	}
	for i, r := range p.Refusals {
		_, path := r.Object.Table()
		if made := settings.made[path]; rootAudit(r.Object) && (made || !settings.open) {
			p.Refusals[i] = r.replaced(made)
		}
	}
	for i, c := range p.Changes {
		if _, path := c.Object.Table(); c.createsAudit() && !settings.open {
			p.Refusals = append(p.Refusals, missingDevice(c.Object, settings.made[path]))
			p.Changes[i].Action, p.Changes[i].Fields = None, nil
		}
	}
	return nil
}

func readAuditSettings(ctx context.Context, api reader) (auditSettings, error) {
	data, _, err := api.Read(ctx, serverSettings)
	if err != nil {
		return auditSettings{}, err
	}
	s := auditSettings{made: map[string]bool{}}
	s.open, s.guarded = data["unsafe_allow_api_audit_creation"].(bool)
	devices, _ := data["audits"].([]any)
	for _, each := range devices {
		device, _ := each.(map[string]any)
		path, _ := device["path"].(string)
		s.made[value.TrimPath(path)] = true
	}
	return s, nil
}

// rootAudit reports whether o is an audit device of the root namespace: configurations have no
// other.
func rootAudit(o object.Object) bool { return o.IsAudit() && o.Namespace == "" }

// createsAudit reports whether c creates an audit device that a configuration can hold.
func (c Change) createsAudit() bool { return c.Action == Create && rootAudit(c.Object) }

// missingDevice refuses a device that is not there. configured means that the server's
// configuration has a device at its path.
func missingDevice(o object.Object, configured bool) Refusal {
	if configured {
		return Refusal{
			Object: o, Stanza: auditStanza(o),
			Reason: "the server's configuration has an audit device at this path, and it is not enabled",
			Remedy: "The log of the active server says why. Make its stanza the one below, send the server SIGHUP, and run again.",
		}
	}
	return Refusal{
		Object: o, Stanza: auditStanza(o),
		Reason: "it is not there, and this server takes audit devices from its configuration only",
		Remedy: "Add the stanza below to the configuration of every server, send each of them SIGHUP or restart it, and run again: the seed, in which it stays, then finds it there. " +
			"Or set unsafe_allow_api_audit_creation = true in the configuration.",
	}
}

// replaced returns r, which is about a device that differs, with a remedy for a server that
// takes devices from its configuration. made means that it came from there: then OpenBao 2.6
// neither disables nor changes it, and a changed stanza keeps a server that restarts from
// unsealing.
func (r Refusal) replaced(made bool) Refusal {
	r.Stanza = auditStanza(r.Object)
	if !made {
		r.Remedy = "Declare the new device under another path, in the seed and with the stanza below, changed to that path, in the configuration of every server, " +
			"send them SIGHUP, and remove the old device by hand. Or change the seed to its present settings."
		return r
	}
	r.Remedy = "Change the seed to its present settings, or remove its stanza from the configuration of every server, send each of them SIGHUP, " +
		"and only then add the stanza below and send SIGHUP again. Not in one step: OpenBao refuses a changed stanza, and a server that restarts with one does not unseal."
	return r
}

// refusesAudit reports whether a server that takes audit devices from its configuration has
// refused one.
func refusesAudit(o object.Object, err error) bool {
	return err != nil && rootAudit(o) && product.AuditByAPIRefused.In(err.Error())
}

// halt returns the error that ends the run if c has failed with err; nil if the run goes on.
// Audit devices come first and one by one, so that nothing was written when one of them ends it.
func (a *applying) halt(c Change, err error) error {
	if refusesAudit(c.Object, err) {
		a.halted = a.plan.auditRefused()
	}
	return a.halted
}

// auditRefused is for a server whose settings we may not read, and which has refused a device.
func (p *Plan) auditRefused() error {
	var refusals []Refusal
	for _, c := range p.Changes {
		if c.createsAudit() {
			refusals = append(refusals, missingDevice(c.Object, false))
		}
	}
	return refused(refusals)
}

// RefusedError is in the error of a plan that is not applied at all, or not beyond its audit devices,
// since only a person can settle what it refuses.
type RefusedError struct{ reasons []string }

// Error returns a line for each refusal.
func (e *RefusedError) Error() string { return strings.Join(e.reasons, "\n") }

// Refused reports whether err is about what a plan refuses.
func Refused(err error) bool {
	_, refused := errors.AsType[*RefusedError](err)
	return refused
}

// refused returns the error of refusals, which name what a person has to do; nil if there are
// none. It holds a *RefusedError.
func refused(refusals []Refusal) error {
	if len(refusals) == 0 {
		return nil
	}
	lines := make([]string, len(refusals))
	var ways, stanzas []string
	configured := true
	for i, r := range refusals {
		lines[i] = fmt.Sprintf("%s (%s): %s", r.Object.ID, r.Object.Position, r.Reason)
		if !slices.Contains(ways, r.Remedy) {
			ways = append(ways, r.Remedy)
		}
		if r.Stanza == "" {
			configured = false
			continue
		}
		if stanza := "\n" + r.Stanza; !slices.Contains(stanzas, stanza) { // a device may differ in several fields
			stanzas = append(stanzas, stanza)
		}
	}
	cause := &RefusedError{lines}
	remedy := strings.Join(ways, " ")
	if len(stanzas) > 0 {
		remedy += "\n" + strings.TrimSuffix(strings.Join(stanzas, ""), "\n")
	}
	if configured {
		return fault.Stop("audit by configuration", cause, remedy)
	}
	return fault.Stop("cannot be changed in place", cause, remedy)
}
