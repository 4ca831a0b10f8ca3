package harden_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// TestControlsAreComplete holds every row to what a report shows.
func TestControlsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, control := range harden.Controls() {
		for what, text := range map[string]string{
			"name": control.Name, "why": control.Why, "how": control.How, "remedy": control.Remedy, "source": control.Source, "severity": control.Severity.String(),
		} {
			if text == "" {
				t.Errorf("%s has no %s", control.ID, what)
			}
		}
		switch {
		case control.Check == nil || len(control.Groups) == 0:
			t.Errorf("%s checks nothing", control.ID)
		case seen[control.ID]:
			t.Errorf("duplicate control %s", control.ID)
		case (control.Fix == nil) != (len(control.FixGrants) == 0):
			t.Errorf("%s has a fix without grants, or grants without a fix", control.ID)
		case !strings.HasPrefix(control.Source, "https://"):
			t.Errorf("%s has the source %q", control.ID, control.Source)
		}
		seen[control.ID] = true
	}
}

// TestNothingKnownHoldsNothing gives the controls no facts at all.
func TestNothingKnownHoldsNothing(t *testing.T) {
	facts := harden.Facts{Now: now, Kubernetes: &harden.Kubernetes{PodsSeen: 1}}
	results := harden.Judge(facts, harden.DefaultRules(harden.Strict), true)
	if len(results) != len(harden.Controls()) {
		t.Fatalf("%d results of %d controls", len(results), len(harden.Controls()))
	}
	for _, result := range results {
		if result.Status != harden.Unknown || !result.Failed() {
			t.Errorf("%s: %s (%s)", result.ID, result.Status, result.Seen)
		}
	}
}

func rules(t *testing.T, spec harden.Spec) harden.Rules {
	t.Helper()
	rules, err := harden.NewRules(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func find(t *testing.T, results []harden.Result, id string) harden.Result {
	t.Helper()
	i := slices.IndexFunc(results, func(r harden.Result) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no result of %s", id)
	}
	return results[i]
}

// TestExceptions accepts objects one by one, and until a day.
func TestExceptions(t *testing.T) {
	facts := harden.Facts{Now: now, Audit: harden.Known([]harden.AuditDevice{{Path: "a", Raw: true}, {Path: "b", Raw: true}, {Path: "c"}})}
	exception := func(object, expires string) harden.ExceptionSpec {
		return harden.ExceptionSpec{Control: "audit-raw", Object: object, Reason: "r", Expires: expires}
	}
	for name, test := range map[string]struct {
		exceptions []harden.ExceptionSpec
		want       harden.Status
		objects    int
		expired    int
	}{
		"none":               {nil, harden.Fails, 2, 0},
		"one of two":         {[]harden.ExceptionSpec{exception("a", "2026-11-25")}, harden.Fails, 1, 0},
		"both":               {[]harden.ExceptionSpec{exception("a", "2026-11-25"), exception("b", "2027-01-01")}, harden.Accepted, 2, 0},
		"all":                {[]harden.ExceptionSpec{exception("", "2026-11-25")}, harden.Accepted, 2, 0},
		"another":            {[]harden.ExceptionSpec{exception("c", "2026-11-25")}, harden.Fails, 2, 0},
		"over since a day":   {[]harden.ExceptionSpec{exception("", "2026-11-24")}, harden.Fails, 2, 1},
		"one of two is over": {[]harden.ExceptionSpec{exception("a", "2026-11-24"), exception("b", "2027-01-01")}, harden.Fails, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := find(t, harden.Judge(facts, rules(t, harden.Spec{Exceptions: test.exceptions}), false), "audit-raw")
			if got.Status != test.want || len(got.Objects) != test.objects || len(got.Expired) != test.expired {
				t.Errorf("%s, objects %v, expired %v", got.Status, got.Objects, got.Expired)
			}
		})
	}
}

// TestProfiles holds that a stricter profile requires what a milder one does.
func TestProfiles(t *testing.T) {
	count := func(profile harden.Profile) int {
		n := 0
		for _, control := range harden.Controls() {
			if harden.DefaultRules(profile).Requires(control) {
				n++
			}
		}
		return n
	}
	if got := count(harden.Base); got != 2 {
		t.Errorf("every run requires %d controls of itself", got)
	}
	for milder, stricter := range map[harden.Profile]harden.Profile{harden.Base: harden.Baseline, harden.Baseline: harden.Production, harden.Production: harden.Strict} {
		if count(milder) >= count(stricter) {
			t.Errorf("%s requires no more than %s", stricter, milder)
		}
	}
	changed := rules(t, harden.Spec{Profile: "baseline", Require: []string{"cors"}, Advise: []string{"audit-device", "own-login"}})
	for id, want := range map[string]bool{"cors": true, "audit-device": false, "own-login": true, "raw-storage-endpoint": true, "seal-type": false} {
		control, _ := harden.Find(id)
		if got := changed.Requires(control); got != want {
			t.Errorf("%s: required is %v", id, got)
		}
	}
}

func TestNewRulesRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spec harden.Spec
		says string
	}{
		"profile":       {harden.Spec{Profile: "paranoid"}, "paranoid"},
		"control":       {harden.Spec{Require: []string{"corse"}}, `no control "corse"`},
		"fix":           {harden.Spec{Fix: []string{"seal-type"}}, "no fix"},
		"limit":         {harden.Spec{Limits: map[string]string{"age": "1h"}}, `unknown limit "age"`},
		"limit's value": {harden.Spec{Limits: map[string]string{"key-age": "old"}}, `positive duration such as 720h, got "old"`},
		"limit below 1": {harden.Spec{Limits: map[string]string{"raft-voters": "0"}}, `positive number, got "0"`},
		"version":       {harden.Spec{Limits: map[string]string{"version": "new"}}, `version such as 1.21.1, got "new"`},
		"no reason":     {harden.Spec{Exceptions: []harden.ExceptionSpec{{Control: "cors", Reason: " ", Expires: "2027-01-01"}}}, "no reason"},
		"no date":       {harden.Spec{Exceptions: []harden.ExceptionSpec{{Control: "cors", Reason: "r", Expires: "never"}}}, "not a date"},
		"no control":    {harden.Spec{Exceptions: []harden.ExceptionSpec{{Control: "x", Reason: "r", Expires: "2027-01-01"}}}, "no control"},
	} {
		if _, err := harden.NewRules(test.spec); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := rules(t, harden.Spec{Fix: []string{"all"}})
	if len(all.Fix) < 5 || len(all.FixGrants()) < len(all.Fix) {
		t.Errorf("all fixes are %v", all.Fix)
	}
}

func TestParsePolicy(t *testing.T) {
	for text, want := range map[string]string{
		`path "a" { capabilities = ["read", "list"] } path "b/*" { policy = "write" }`: "a[read list] b/*[create read update delete list]",
		`{"path": {"a": {"capabilities": ["sudo"]}}}`:                                  "a[sudo]",
		`name = "x"`:                            "",
		`path "a" { capabilities = "read" `:     "broken",
		`path "a" { capabilities = { x = 1 } }`: "broken",
	} {
		policy := harden.ParsePolicy("p", text)
		got := ""
		for i, rule := range policy.Rules {
			if i > 0 {
				got += " "
			}
			got += rule.Path + "[" + strings.Join(rule.Capabilities, " ") + "]"
		}
		if policy.Broken != "" {
			got = "broken"
		}
		if got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// TestBrokenPolicyIsUnknown: a policy that cannot be read may grant anything.
func TestBrokenPolicyIsUnknown(t *testing.T) {
	facts := harden.Facts{Now: now, Policies: harden.Known([]harden.Policy{{Name: "x", Broken: "invalid HCL"}})}
	if got := find(t, harden.Judge(facts, harden.DefaultRules(harden.Strict), false), "wildcard-policies"); got.Status != harden.Unknown {
		t.Errorf("%s (%s)", got.Status, got.Seen)
	}
}

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		server product.Product
		least  string
		want   harden.Status
	}{
		{running(product.Vault, "1.21.1"), "", harden.Holds}, {running(product.Vault, "1.18.5"), "", harden.Fails},
		{running(product.Vault, "2.0.4"), "", harden.Holds}, {running(product.Vault, "nightly"), "", harden.Fails},
		{running(product.OpenBao, "2.6.2"), "", harden.Holds}, {running(product.OpenBao, "2.5.5"), "", harden.Fails},
		{running(product.Unknown, "2.6.2"), "", harden.Fails},
		{running(product.Vault, "1.21.1"), "1.21.2", harden.Fails}, {running(product.Vault, "1.21.2+ent.hsm"), "1.21.2", harden.Holds},
		{running(product.OpenBao, "2.6.2"), "2.6.3", harden.Fails},
	} {
		facts := harden.Facts{Now: now, Replicas: harden.Known([]harden.Replica{{Address: "a", Product: test.server}})}
		limits := map[string]string{}
		if test.least != "" {
			limits["version"] = test.least
		}
		if got := find(t, harden.Judge(facts, rules(t, harden.Spec{Limits: limits}), false), "version"); got.Status != test.want {
			t.Errorf("%s, at least %q: %s", test.server, test.least, got.Status)
		}
	}
}

// TestWordsOfTheProduct: what is printed about an OpenBao names it, its command, and what helps there.
func TestWordsOfTheProduct(t *testing.T) {
	facts := harden.Facts{Now: now, Product: running(product.OpenBao, "2.6.2"), Server: harden.Known(harden.Server{DisableMlock: true}), Seal: harden.Known(harden.Seal{Storage: "file"})}
	foreign := regexp.MustCompile(`\bVault\b|\bvault [a-z]`)
	for _, result := range harden.Judge(facts, harden.DefaultRules(harden.Strict), true) {
		for _, text := range []string{result.Name, result.Why, result.How, result.Remedy} {
			if foreign.MatchString(text) {
				t.Errorf("%s: %s", result.ID, text)
			}
		}
	}
	for _, each := range harden.ByHand(facts.Product) {
		if foreign.MatchString(each.Name + each.How) {
			t.Errorf("by hand: %+v", each)
		}
	}
	results := harden.Judge(facts, harden.DefaultRules(harden.Strict), false)
	if got := find(t, results, "mlock"); got.Status != harden.Inapplicable {
		t.Errorf("mlock: %s (%s)", got.Status, got.Seen)
	}
	for id, remedy := range map[string]string{"rekey-idle": "bao operator rotate-keys -cancel", "audit-device": "'audit' stanza", "key-age": "bao operator rotate"} {
		if got := find(t, results, id).Remedy; !strings.Contains(got, remedy) {
			t.Errorf("%s: %s", id, got)
		}
	}
	facts.Product = running(product.Vault, "1.21.1")
	if got := find(t, harden.Judge(facts, harden.DefaultRules(harden.Strict), false), "rekey-idle").Remedy; !strings.Contains(got, "vault operator rekey -cancel") {
		t.Errorf("on Vault: %s", got)
	}
}

// TestHeaders compares Content-Security-Policies with what Vault ships.
func TestHeaders(t *testing.T) {
	for policy, want := range map[string]harden.Status{
		"default-src 'none'; script-src 'self'; frame-ancestors 'none'": harden.Holds,
		"default-src 'self'; frame-ancestors 'self'":                    harden.Holds,
		"default-src 'self'": harden.Fails,
		"script-src 'self' 'unsafe-inline'; frame-ancestors 'none'": harden.Fails,
		"script-src 'self'; frame-ancestors https://evil.example":   harden.Fails,
		"": harden.Fails,
	} {
		facts := harden.Facts{Now: now, Headers: harden.Known([]harden.Header{{Name: "Content-Security-Policy", Value: policy}})}
		if got := find(t, harden.Judge(facts, harden.DefaultRules(harden.Strict), false), "ui-headers"); got.Status != want {
			t.Errorf("%q: %s", policy, got.Status)
		}
	}
}
