package harden_test

import (
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// seed is what a seed declares, by paths.
type seed map[string]harden.Declaration

func (s seed) At(path string) (harden.Declaration, bool) {
	d, there := s[path]
	return d, there
}

func (s seed) Requests(path string) []harden.Declaration {
	if d, there := s["request:"+path]; there {
		return []harden.Declaration{d}
	}
	return nil
}

func (s seed) All() iter.Seq[harden.Declaration] {
	return func(func(harden.Declaration) bool) { panic("not for these tests") }
}

// TestJudgedFields says of every control whether a seed can declare what it judges.
func TestJudgedFields(t *testing.T) {
	for _, control := range harden.Controls() {
		judged := harden.JudgedFields(control.ID)
		switch {
		case len(judged.Fields) == 0 && judged.Why == "":
			t.Errorf("%s: nothing says whether a seed can declare what it judges", control.ID)
		case len(judged.Fields) > 0 && (judged.Why != "" || judged.Where == ""):
			t.Errorf("%s: got %+v", control.ID, judged)
		}
	}
}

// mounts are a mount of the seed and one of others, both with long leases and listed.
func mounts(declared ...string) (harden.Facts, seed) {
	config := map[string]any{}
	for _, field := range declared {
		config[field] = "9000h"
	}
	in := seed{"sys/mounts/ours": {Path: "sys/mounts/ours", Position: "seed.yaml:3:5", Data: map[string]any{"config": config}}}
	facts := harden.Facts{Now: now, Declared: in, Auth: harden.Known([]harden.Mount{})}
	var fields harden.AsDeclared
	for _, field := range declared {
		fields = append(fields, "config."+field)
	}
	facts.Secrets = harden.Known([]harden.Mount{
		{Path: "ours", MaxTTL: 9000 * time.Hour, DefaultTTL: 9000 * time.Hour, Listed: true, Declared: fields},
		{Path: "theirs", MaxTTL: 9000 * time.Hour},
	})
	return facts, in
}

// TestDeclaredIsAccepted holds that what the seed declares is not to blame, that it is shown with
// its place, and that a field or an object of others is not hidden by it.
func TestDeclaredIsAccepted(t *testing.T) {
	both := []string{"max_lease_ttl", "default_lease_ttl"}
	for name, test := range map[string]struct {
		declared []string
		change   func(*harden.Facts)
		status   harden.Status
		objects  []string
	}{
		"both fields, and another mount": {both, nil, harden.Fails, []string{"theirs"}},
		"one field of two":               {both[:1], nil, harden.Fails, []string{"ours", "theirs"}},
		"nothing":                        {nil, nil, harden.Fails, []string{"ours", "theirs"}},
		"only the seed's": {both, func(f *harden.Facts) {
			mounts, _ := f.Secrets.Get()
			f.Secrets = harden.Known(mounts[:1])
		}, harden.Declared, []string{"ours"}},
		"shown otherwise than declared": {both, func(f *harden.Facts) {
			mounts, _ := f.Secrets.Get()
			mounts[0].Declared = nil
		}, harden.Fails, []string{"ours", "theirs"}},
	} {
		facts, _ := mounts(test.declared...)
		if test.change != nil {
			test.change(&facts)
		}
		got := find(t, harden.Judge(facts, harden.DefaultRules(harden.Strict), false), "mount-lease-ttl")
		if got.Status != test.status || !slices.Equal(got.Objects, test.objects) {
			t.Errorf("%s: %s %v (%s)", name, got.Status, got.Objects, got.Value)
		}
		if want := []harden.Waiver{{"ours", "seed.yaml:3:5"}}; !slices.Contains(got.Objects, "ours") && !reflect.DeepEqual(got.Declared, want) {
			t.Errorf("%s: declared are %v", name, got.Declared)
		}
		if got.Failed() == (got.Status == harden.Declared) {
			t.Errorf("%s: %s counts as failed: %v", name, got.Status, got.Failed())
		}
	}
}

// TestFixesSpare holds that a fix changes no field that the seed declares, by an object or by a
// request, and nothing that an exception accepts.
func TestFixesSpare(t *testing.T) {
	calls := func(facts harden.Facts, rules harden.Rules, id string) []harden.Call {
		got := find(t, harden.Judge(facts, rules, false), id)
		if !got.Fixable() {
			return nil
		}
		return got.Fix(facts, rules.Limits)
	}
	strict := harden.DefaultRules(harden.Strict)
	facts, _ := mounts("max_lease_ttl")
	got := calls(facts, strict, "mount-lease-ttl")
	if len(got) != 2 || got[0].Data["max_lease_ttl"] != nil || got[0].Data["default_lease_ttl"] == nil || got[1].Data["max_lease_ttl"] == nil {
		t.Errorf("one field of a mount is declared: %+v", got)
	}
	facts, _ = mounts("max_lease_ttl", "default_lease_ttl")
	if got := calls(facts, strict, "mount-lease-ttl"); len(got) != 1 || got[0].Object != "theirs" {
		t.Errorf("a mount is declared: %+v", got)
	}
	excepted := rules(t, harden.Spec{Profile: "strict", Exceptions: []harden.ExceptionSpec{{Control: "mount-lease-ttl", Object: "theirs", Reason: "r", Expires: "2999-01-01"}}})
	if got := calls(facts, excepted, "mount-lease-ttl"); got != nil {
		t.Errorf("all is declared or accepted: %+v", got)
	}

	open := harden.Facts{Now: now, CORS: harden.Known(harden.CORS{Enabled: true, Origins: []string{"*"}}), Loggers: harden.Known(map[string]string{"core": "trace"}), Declared: seed{}}
	if got := calls(open, strict, "cors"); len(got) != 1 {
		t.Errorf("CORS of others: %+v", got)
	}
	if got := calls(open, strict, "log-level"); len(got) != 1 {
		t.Errorf("loggers of others: %+v", got)
	}
	open.Declared = seed{"sys/config/cors": {Position: "seed.yaml:1:1"}, "request:sys/loggers": {Data: map[string]any{"level": "trace"}}}
	if got := calls(open, strict, "cors"); got != nil {
		t.Errorf("CORS of the seed: %+v", got)
	}
	if got := calls(open, strict, "log-level"); got != nil {
		t.Errorf("loggers that a request of the seed sets: %+v", got)
	}
	headers := harden.Facts{Now: now, Headers: harden.Known([]harden.Header{{Name: "X-Frame-Options", Value: "ALLOW"}})}
	headers.Declared = seed{"sys/config/ui/headers/x-frame-options": {Data: map[string]any{"values": []any{"DENY"}}}}
	if got := calls(headers, strict, "ui-headers"); got != nil {
		t.Errorf("a header that differs from the seed: %+v", got)
	}
	users := harden.Facts{Now: now, Auth: harden.Known([]harden.Mount{{Path: "u", Type: "userpass", NoLockout: true}}), Secrets: harden.Known([]harden.Mount{})}
	users.Declared = seed{"sys/auth/u": {Data: map[string]any{"config": map[string]any{"user_lockout_config": map[string]any{"lockout_threshold": "5"}}}}}
	if got := calls(users, strict, "user-lockout"); len(got) != 1 {
		t.Errorf("another setting of the lockout is declared: %+v", got)
	}
	users.Declared = seed{"sys/auth/u": {Data: map[string]any{"config": map[string]any{"user_lockout_config": map[string]any{"lockout_disable": nil}}}}}
	if got := calls(users, strict, "user-lockout"); got != nil {
		t.Errorf("the lockout is declared by a reference: %+v", got)
	}
}

// TestStrictWantsAnException holds that 'strict' does not accept a severe failure for its declaration,
// that it says so, and that an exception does.
func TestStrictWantsAnException(t *testing.T) {
	in := seed{"sys/audit/readable": {Position: "seed.yaml:2:5", Data: map[string]any{"options": map[string]any{"log_raw": true}}}}
	facts := harden.Facts{Now: now, Declared: in, Audit: harden.Known([]harden.AuditDevice{{Path: "readable", Raw: true, Declared: harden.AsDeclared{"options.log_raw"}}})}
	exception := harden.Spec{Profile: "strict", Exceptions: []harden.ExceptionSpec{{Control: "audit-raw", Object: "readable", Reason: "r", Expires: "2999-01-01"}}}
	for _, test := range []struct {
		rules harden.Rules
		want  harden.Status
		value string
	}{
		{harden.DefaultRules(harden.Production), harden.Declared, "1 device"},
		{harden.DefaultRules(harden.Strict), harden.Fails, "1 device, 1 declared in the seed, which the profile strict does not accept"},
		{rules(t, exception), harden.Accepted, "1 device"},
	} {
		got := find(t, harden.Judge(facts, test.rules, false), "audit-raw")
		if got.Status != test.want || got.Value != test.value {
			t.Errorf("%s: %s (%s)", test.rules.Profile, got.Status, got.Value)
		}
	}
}

// TestDeclaredInNamespaces holds that what the seed declares in a namespace is accepted there, and
// named with it.
func TestDeclaredInNamespaces(t *testing.T) {
	in := seed{"team/sys/policies/acl/app": {Position: "seed.yaml:9:5", Data: map[string]any{"policy": "x"}}}
	wild := harden.Policy{Name: "app", Rules: []harden.Rule{{Path: "*", Capabilities: []string{"read"}}}}
	declared := wild
	declared.Declared = harden.AsDeclared{"policy"}
	inner := func(path string, policy harden.Policy) harden.Inner {
		return harden.Inner{Path: path, Facts: harden.Facts{Policies: harden.Known([]harden.Policy{policy}), Declared: harden.Below(in, path)}}
	}
	facts := harden.Facts{Now: now, Declared: in, Policies: harden.Known([]harden.Policy{}), Inner: []harden.Inner{inner("team", declared)}}
	got := find(t, harden.Judge(facts, harden.DefaultRules(harden.Production), false), "wildcard-policies")
	if want := []harden.Waiver{{"team/app", "seed.yaml:9:5"}}; got.Status != harden.Declared || !reflect.DeepEqual(got.Declared, want) {
		t.Errorf("got %s, %v", got.Status, got.Declared)
	}
	facts.Inner = append(facts.Inner, inner("other", wild))
	got = find(t, harden.Judge(facts, harden.DefaultRules(harden.Production), false), "wildcard-policies")
	if got.Status != harden.Fails || !slices.Equal(got.Objects, []string{"other/app"}) {
		t.Errorf("got %s, %v", got.Status, got.Objects)
	}
}
