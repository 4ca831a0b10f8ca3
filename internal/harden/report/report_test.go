package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

var update = flag.Bool("update", false, "write the golden files and docs/controls.md")

// sample is a Vault with something of everything, at a fixed time.
func sample(t *testing.T) report.Report {
	t.Helper()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	rules, err := harden.NewRules(harden.Spec{Fix: []string{"cors"}, Exceptions: []harden.ExceptionSpec{
		{Control: "audit-raw", Object: "readable", Reason: "people must see <who>", Expires: "2027-01-31"},
		{Control: "generate-root-idle", Reason: "a drill", Expires: "2026-01-31"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	facts := harden.Facts{
		Now: now, OwnPolicies: []string{"vault-bootstrap"}, Login: harden.Known(true), RootStored: harden.Known(false),
		Audit: harden.Known([]harden.AuditDevice{{Path: "readable", Raw: true}}),
		CORS:  harden.Known(harden.CORS{Enabled: true, Origins: []string{"*"}}),
		Server: harden.Known(harden.Server{RawStorage: true, Listeners: []harden.Listener{
			{Type: "tcp", Address: "0.0.0.0:8200", NoTLS: true}, {Type: "tcp", Address: "<script>alert(1)</script>", NoTLS: true}}}),
		Seal:         harden.Known(harden.Seal{Type: "shamir", Storage: "file"}),
		GenerateRoot: harden.Known(true), Rekey: harden.NotKnown[bool]("our policy does not let us read sys/rekey/init"),
	}
	return report.Report{
		Tool: "v1", At: now, Address: "https://vault:8200", Cluster: "c", Product: vault1(), Profile: harden.Production,
		Results: harden.Judge(facts, rules, false), ByHand: harden.ByHand(vault1()),
	}
}

func vault1() product.Product {
	version, _ := product.ParseVersion("1.21.1")
	return product.Product{Kind: product.Vault, Version: version}
}

func written(t *testing.T, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := sample(t).Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares with a file, and writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current; go test ./internal/harden/report -update writes it. Got:\n%s", file, got)
	}
}

func TestTable(t *testing.T) { golden(t, "testdata/report.txt", written(t, "table")) }

func TestJSON(t *testing.T) {
	var said struct {
		Passed   bool
		Count    report.Count
		Controls []struct {
			ID, Status string
			Fixable    bool
			FixedByRun bool `json:"fixed_by_run"`
			Exceptions []struct{ Object, Reason, Expires string }
			Expired    []struct{ Reason string } `json:"expired_exceptions"`
		}
		ByHand []struct{ Name, How string } `json:"not_checkable_here"`
	}
	if err := json.Unmarshal([]byte(written(t, "json")), &said); err != nil {
		t.Fatal(err)
	}
	if said.Passed || said.Count.Required == 0 || len(said.ByHand) == 0 {
		t.Errorf("%+v", said)
	}
	seen := 0
	for _, control := range said.Controls {
		switch control.ID {
		case "audit-raw":
			seen++
			if control.Status != "accepted" || control.Exceptions[0].Object != "readable" || control.Exceptions[0].Expires != "2027-01-31" {
				t.Errorf("%+v", control)
			}
		case "generate-root-idle":
			seen++
			if control.Status != "fails" || len(control.Expired) != 1 {
				t.Errorf("%+v", control)
			}
		case "cors":
			seen++
			if !control.Fixable || !control.FixedByRun {
				t.Errorf("%+v", control)
			}
		}
	}
	if seen != 3 || said.Controls[0].Status == "holds" {
		t.Errorf("%d seen, the first is %+v", seen, said.Controls[0])
	}
}

// TestJUnit reads the report as a build server would.
func TestJUnit(t *testing.T) {
	var suite struct {
		XMLName                          xml.Name `xml:"testsuite"`
		Tests, Failures, Errors, Skipped int      `xml:",attr"`
		Cases                            []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	text := written(t, "junit")
	for _, attribute := range []string{"tests", "failures", "errors", "skipped"} { // Go's names are capitals
		text = strings.Replace(text, attribute+"=", strings.ToUpper(attribute[:1])+attribute[1:]+"=", 1)
	}
	if err := xml.Unmarshal([]byte(text), &suite); err != nil {
		t.Fatal(err)
	}
	failures, errs, skipped := 0, 0, 0
	for _, each := range suite.Cases {
		if each.Failure != nil {
			failures++
		}
		if each.Error != nil {
			errs++
		}
		if each.Skipped != nil {
			skipped++
		}
	}
	if len(suite.Cases) != suite.Tests || failures != suite.Failures || errs != suite.Errors || skipped != suite.Skipped || failures == 0 || errs == 0 || skipped == 0 {
		t.Errorf("tests %d/%d, failures %d/%d, errors %d/%d, skipped %d/%d", len(suite.Cases), suite.Tests, failures, suite.Failures, errs, suite.Errors, skipped, suite.Skipped)
	}
}

// TestHTML: the page loads nothing, runs nothing, and shows texts as texts. What it
// looks like in a browser is for the suite 'verify'.
func TestHTML(t *testing.T) {
	page := written(t, "html")
	for _, forbidden := range []string{"<script", "src=", "@import", "url(", "alert(1)</script>"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page holds %q", forbidden)
		}
	}
	for _, wanted := range []string{"&lt;script&gt;", "people must see &lt;who&gt;", "2027-01-31", "a drill", "Not checkable here", "run fixes it", "active node only"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("the page lacks %q", wanted)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := sample(t).Write(&bytes.Buffer{}, "pdf"); err == nil {
		t.Error("no error")
	}
}

// TestReference holds docs/controls.md to the table of controls.
func TestReference(t *testing.T) {
	const file, mark = "../../../docs/controls.md", "<!-- from here on made by: go test ./internal/harden/report -update -->\n"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(content), mark)
	if !found {
		t.Fatalf("%s lacks the mark", file)
	}
	var b bytes.Buffer
	b.WriteString(before + mark + "\n")
	if err := report.Reference(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, file, b.String())
}
