package verify_test

import (
	"encoding/xml"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestWhatWasFound has a Vault without an audit device: no output may say that there is one. What is
// wanted and what was found are two sentences, and the numbers stand alone.
func TestWhatWasFound(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	const seed = "harden:\n  profile: baseline\n"
	p := inFiles(t, cluster, seed)
	done := p.must(t, 70, "run")
	const message = "required controls do not hold: audit-device: No audit device is enabled (0 of 1 required)"
	if !strings.Contains(done.Stderr, message) {
		t.Errorf("run does not say %q:\n%s", message, done.Stderr)
	}
	found := p.verify(t)
	want(t, found, "audit-device", harden.Fails)
	if got := found["audit-device"]; got.Name != "Audit devices are enabled" || got.Seen != "No audit device is enabled" || got.Value != "0 of 1 required" {
		t.Errorf("found is %+v", got)
	}
	for id, control := range found {
		for what, text := range map[string]string{"title": control.Name, "finding": control.Seen} {
			if first := []rune(text + " ")[0]; !unicode.IsUpper(first) {
				t.Errorf("%s: the %s is %q", id, what, text)
			}
		}
		if strings.EqualFold(control.Name, control.Seen) {
			t.Errorf("%s: the finding is the title, %q", id, control.Seen)
		}
	}
	var suite struct {
		Cases []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(p.must(t, 3, "verify", "-o=junit").Stdout), &suite); err != nil {
		t.Fatal(err)
	}
	for _, each := range suite.Cases {
		if strings.HasPrefix(each.Name, "audit-device: ") && (each.Failure == nil || each.Failure.Message != "No audit device is enabled (0 of 1 required)") {
			t.Errorf("JUnit has %+v", each)
		}
	}
	table := strings.Join(strings.Fields(p.must(t, 3, "verify").Stdout), " ")
	if row := "high audit-device No audit device is enabled 0 of 1 required"; !strings.Contains(table, row) {
		t.Errorf("the table lacks %q:\n%s", row, table)
	}
	// A run that only advises says the same.
	done = p.must(t, 0, "run", "--seed="+write(t, filepath.Join(t.TempDir(), "seed.yaml"), "policies: []\n"))
	if !strings.Contains(done.Stderr, `"seen":"No audit device is enabled (0 of 1 required)"`) {
		t.Errorf("the advice does not say what was found:\n%s", done.Stderr)
	}
}
