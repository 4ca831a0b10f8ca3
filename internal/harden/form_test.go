package harden_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// verb is what makes a title a demand and a finding a sentence, rather than a few words.
var verb = regexp.MustCompile(`\b(is|are|was|were|has|have|had|can|cannot|could|may|does|keeps?|holds?|hides?|grants?|gets?|lets?|logs?|works?|rotates?|unseals?|allows?|answers?|takes?|needs?|expires?|runs?|guards?|limits?|survives?|finds?|fits?|owns?|ships?)\b`)

// isSentence says what is wrong with the form of a title or a finding; "" if nothing is.
func isSentence(text string) string {
	switch first := []rune(text + " ")[0]; {
	case !unicode.IsUpper(first):
		return "does not begin with a capital"
	case !verb.MatchString(text):
		return "has no verb"
	case strings.HasSuffix(text, "."):
		return "ends with a full stop"
	case strings.Contains(text, "%!"):
		return "is badly formatted"
	}
	return ""
}

// situations are facts in which the controls come to as many findings as they have.
func situations() map[string]harden.Facts {
	all := map[string]harden.Facts{
		"hardened": hardened(), "weak": weak(), "unknown": {Now: now, Kubernetes: &harden.Kubernetes{PodsSeen: 1}}, "in a namespace": {Now: now, Namespace: "team"},
		"unreadable": {Now: now, Audit: harden.NotKnown[[]harden.AuditDevice]("our policy does not let us read sys/audit")},
	}
	change := func(name string, change func(facts *harden.Facts)) {
		facts := weak()
		change(&facts)
		all[name] = facts
	}
	change("no audit device", func(f *harden.Facts) { f.Audit = harden.Known([]harden.AuditDevice{}) })
	change("one audit device", func(f *harden.Facts) { f.Audit = harden.Known([]harden.AuditDevice{{Path: "one"}}) })
	change("no default policy", func(f *harden.Facts) { f.Policies = harden.Known([]harden.Policy{}) })
	change("broken policies", func(f *harden.Facts) {
		f.Policies = harden.Known([]harden.Policy{{Name: "default", Broken: "invalid HCL"}})
	})
	change("CORS for some", func(f *harden.Facts) {
		f.CORS = harden.Known(harden.CORS{Enabled: true, Origins: []string{"https://x"}})
	})
	change("rotation by operations", func(f *harden.Facts) { f.Key = harden.Known(harden.Key{Installed: now, Rotates: true}) })
	change("rare rotation", func(f *harden.Facts) {
		f.Key = harden.Known(harden.Key{Installed: now, Rotates: true, Interval: 1e6 * 3600e9})
	})
	change("other storage", func(f *harden.Facts) {
		f.Seal, f.Server = harden.Known(harden.Seal{Type: "shamir", Storage: "file"}), harden.Known(harden.Server{DisableMlock: true})
	})
	change("OpenBao", func(f *harden.Facts) { f.Product = running(product.OpenBao, "2.6.2") })
	change("no pods", func(f *harden.Facts) {
		f.Kubernetes = &harden.Kubernetes{Pods: harden.Known([]string{}), Uncovered: harden.Known([]string{})}
	})
	change("silent servers", func(f *harden.Facts) {
		f.Replicas = harden.Known([]harden.Replica{{Address: "https://a", Trouble: "connection refused"}})
	})
	change("no TLS", func(f *harden.Facts) { f.Replicas = harden.Known([]harden.Replica{{Address: "http://a"}}) })
	change("keyless", func(f *harden.Facts) { f.Keyless, f.RootStored = true, harden.Known(false) })
	for name, record := range records() {
		change(name, func(f *harden.Facts) { f.Record = harden.Known(record) })
	}
	change("no Kubernetes", func(f *harden.Facts) { f.Kubernetes = nil })
	return all
}

// TestTitlesAreDemands holds that a title says what is demanded, and that a finding is a sentence of
// its own that says what was found, never the title over again.
func TestTitlesAreDemands(t *testing.T) {
	titles := map[string]string{}
	for _, control := range harden.Controls() {
		if wrong := isSentence(control.Name); wrong != "" {
			t.Errorf("%s: the title %q %s", control.ID, control.Name, wrong)
		}
		if titles[control.Name] != "" {
			t.Errorf("%s and %s have one title", control.ID, titles[control.Name])
		}
		titles[control.Name] = control.ID
	}
	for _, each := range harden.ByHand(product.Product{}) {
		if wrong := isSentence(each.Name); wrong != "" {
			t.Errorf("by hand: the title %q %s", each.Name, wrong)
		}
	}
	for name, facts := range situations() {
		for _, result := range harden.Judge(facts, harden.DefaultRules(harden.Strict), true) {
			if wrong := isSentence(result.Seen); wrong != "" {
				t.Errorf("%s: %s: the finding %q %s", name, result.ID, result.Seen, wrong)
			}
			if strings.EqualFold(result.Seen, result.Name) {
				t.Errorf("%s: %s: the finding %q is the title", name, result.ID, result.Seen)
			}
			if result.Status == harden.Unknown && !strings.HasPrefix(result.Seen, "It ") {
				t.Errorf("%s: %s is unknown, and the finding says %q", name, result.ID, result.Seen)
			}
			if strings.Contains(result.Value, "%!") || strings.HasPrefix(result.Value, ", ") || isSentence(result.Value) == "" {
				t.Errorf("%s: %s: the value %q does not stand alone", name, result.ID, result.Value)
			}
			if text := result.Message(); !strings.HasPrefix(text, result.ID+": "+result.Seen) {
				t.Errorf("%s: the message is %q", name, text)
			}
		}
	}
}

// TestFindingsSayTheOpposite holds that no control says the same of a good and of a bad Vault.
func TestFindingsSayTheOpposite(t *testing.T) {
	good := map[string]string{}
	for _, result := range harden.Judge(hardened(), harden.DefaultRules(harden.Strict), true) {
		good[result.ID] = result.Seen
	}
	facts := weak()
	facts.Audit = harden.Known([]harden.AuditDevice{})
	for _, result := range harden.Judge(facts, harden.DefaultRules(harden.Strict), true) {
		if result.Status == harden.Fails && result.Seen == good[result.ID] {
			t.Errorf("%s says %q of both", result.ID, result.Seen)
		}
	}
}
