package seed_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

const twoDevices = `
audit:
  - type: file
    description: every "request"
    options: {file_path: /openbao/audit/audit.log, mode: "0600", log_raw: false}
  - type: socket
    path: collector/one
    local: true
    options: {address: '${ env "COLLECTOR" }', socket_type: tcp}
policies:
  - name: app
    rules: path "kv/*" { capabilities = ["read"] }
`

const fileStanza = `audit "file" "file" {
  description = "every \"request\""
  options = {
    file_path = "/openbao/audit/audit.log"
    log_raw = "false"
    mode = "0600"
  }
}
`

const socketStanza = `audit "socket" "collector/one" {
  local = true
  options = {
    # address = "…", the value that the seed refers to
    socket_type = "tcp"
  }
}
`

// guarded is what OpenBao 2.6 shows of its configuration.
func guarded(open bool, paths ...string) map[string]any {
	var audits []any
	for _, path := range paths {
		audits = append(audits, map[string]any{"path": path + "/", "type": "file", "description": ""})
	}
	return map[string]any{"unsafe_allow_api_audit_creation": open, "audits": audits}
}

func auditSeed(t *testing.T, w *world) (*reconcile.Plan, error) {
	t.Helper()
	objects := desired(t, write(t, "seed.yaml", twoDevices), env(map[string]string{"COLLECTOR": "10.1.2.3:9000"}))
	return reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: objects, Parallelism: 4})
}

func TestAuditByConfiguration(t *testing.T) {
	w := &world{data: map[string]map[string]any{"sys/config/state/sanitized": guarded(false)}}
	plan, err := auditSeed(t, w)
	if fault.KindOf(err) != fault.Terminal || fault.NameOf(err) != "audit by configuration" {
		t.Fatalf("the plan fails with %v", err)
	}
	remedy := fault.RemedyOf(err)
	for _, want := range []string{fileStanza[:len(fileStanza)-1], socketStanza[:len(socketStanza)-1], "SIGHUP"} {
		if !strings.Contains(remedy, want) {
			t.Errorf("the remedy lacks\n%s\nit is\n%s", want, remedy)
		}
	}
	if strings.Contains(err.Error()+remedy, "10.1.2.3") {
		t.Error("the value of a reference is shown")
	}
	if plan.Count(reconcile.Create) != 1 || plan.Empty() {
		t.Errorf("the plan is %s", plan.Summary())
	}
	if _, err := reconcile.Apply(t.Context(), w, plan, reconcile.Options{}); fault.KindOf(err) != fault.Terminal || len(w.writes) > 0 {
		t.Errorf("applying it fails with %v and writes %v", err, w.writes)
	}
	var text, machine strings.Builder
	if err := plan.Print(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "! sys/audit/file") || !strings.Contains(text.String(), `audit "file" "file" {`) {
		t.Errorf("the plan prints\n%s", text.String())
	}
	if err := plan.PrintJSON(&machine); err != nil {
		t.Fatal(err)
	}
	var printed struct {
		Refusals []struct{ ID, Stanza string }
	}
	if err := json.Unmarshal([]byte(machine.String()), &printed); err != nil || len(printed.Refusals) != 2 || printed.Refusals[0].Stanza != fileStanza || printed.Refusals[1].Stanza != socketStanza {
		t.Errorf("%v in\n%s", err, machine.String())
	}
}

// TestAuditByConfigurationIsThere has the devices of the seed made by configuration. What the seed
// leaves open may be as it is.
func TestAuditByConfigurationIsThere(t *testing.T) {
	w := &world{data: map[string]map[string]any{
		"sys/config/state/sanitized": guarded(false, "file", "collector/one"),
		"sys/audit": {
			"file/":          map[string]any{"type": "file", "description": `every "request"`, "options": map[string]any{"file_path": "/openbao/audit/audit.log", "mode": "0600", "log_raw": "false"}},
			"collector/one/": map[string]any{"type": "socket", "description": "to the collector", "local": true, "options": map[string]any{"address": "10.1.2.3:9000", "socket_type": "tcp", "write_timeout": "2s"}},
		},
	}}
	plan, err := auditSeed(t, w)
	if err != nil || plan.Count(reconcile.None) != 2 {
		t.Fatalf("%v, %v", plan, err)
	}
	for _, path := range w.reads {
		if path == "sys/config/state/sanitized" {
			t.Error("the configuration is read although nothing depends on it")
		}
	}
}

func TestAuditByConfigurationDiffers(t *testing.T) {
	there := map[string]any{
		"file/":          map[string]any{"type": "file", "description": `every "request"`, "options": map[string]any{"file_path": "/openbao/audit/audit.log", "mode": "0640", "log_raw": "true"}},
		"collector/one/": map[string]any{"type": "socket", "local": true, "options": map[string]any{"address": "10.1.2.3:9000", "socket_type": "tcp"}},
	}
	for _, test := range []struct {
		name         string
		settings     map[string]any
		fault        string
		want, forbid string
	}{
		{"from the configuration", guarded(false, "file", "collector/one"), "audit by configuration", "Not in one step", "audit disable"},
		{"from the configuration, API open", guarded(true, "file"), "audit by configuration", "Not in one step", "audit disable"},
		{"made by API, now closed", guarded(false), "audit by configuration", "changed to that path", "audit disable"},
		{"made by API, open", guarded(true), "cannot be changed in place", "vault audit disable file", "stanza"},
		{"another product", map[string]any{}, "cannot be changed in place", "vault audit disable file", "stanza"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{data: map[string]map[string]any{"sys/config/state/sanitized": test.settings, "sys/audit": there}}
			_, err := auditSeed(t, w)
			remedy := fault.RemedyOf(err)
			if fault.NameOf(err) != test.fault || !strings.Contains(remedy, test.want) || strings.Contains(remedy, test.forbid) {
				t.Errorf("%v\n%s", err, remedy)
			}
			if n := strings.Count(remedy, fileStanza[:len(fileStanza)-1]); test.fault == "audit by configuration" && n != 1 {
				t.Errorf("the stanza is given %d times in\n%s", n, remedy)
			}
		})
	}
}

// TestAuditRefusedUnseen has a token that may not read the settings, as with a policy of an earlier
// version: then the refusal of the first device ends the run, before anything else is written.
func TestAuditRefusedUnseen(t *testing.T) {
	refused := refusal{400, "cannot enable audit device via API; use declarative, config-based audit device management instead"}
	for name, settings := range map[string]error{"forbidden": refusal{403, "permission denied"}, "another namespace": refusal{400, "unavailable"}} {
		t.Run(name, func(t *testing.T) {
			w := &world{fail: map[string]error{"read sys/config/state/sanitized": settings, "sys/audit/file": refused, "sys/audit/collector/one": refused}}
			plan, err := auditSeed(t, w)
			if err != nil {
				t.Fatal(err)
			}
			if forbidden := name == "forbidden"; forbidden != (len(plan.Warnings) == 1) {
				t.Errorf("the warnings are %q", plan.Warnings)
			}
			_, err = reconcile.Apply(t.Context(), w, plan, reconcile.Options{Parallelism: 8})
			if fault.NameOf(err) != "audit by configuration" || !strings.Contains(fault.RemedyOf(err), fileStanza[:len(fileStanza)-1]) {
				t.Errorf("it fails with %v\n%s", err, fault.RemedyOf(err))
			}
			if len(w.writes) != 1 {
				t.Errorf("it has tried to write %v", w.writes)
			}
			// What was announced in the ledger is not there: pruning forgets it.
			p, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Prune: object.Prune{Owned: true}, Owned: []object.ID{"sys/audit/file"}, Parallelism: 1})
			if err != nil || !p.Empty() || len(p.Forget) != 1 {
				t.Errorf("pruning what was announced: %v, %+v", err, p)
			}
		})
	}
}

func TestAuditSettingsUnread(t *testing.T) {
	w := &world{fail: map[string]error{"read sys/config/state/sanitized": refusal{503, "sealed"}}}
	if _, err := auditSeed(t, w); err == nil || fault.KindOf(err) != fault.Transient {
		t.Errorf("a failure that may pass is %v", err)
	}
}
