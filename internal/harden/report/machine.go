package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// controlJSON is a control in the JSON report.
type controlJSON struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Severity   string          `json:"severity"`
	Status     harden.Status   `json:"status"`
	Required   bool            `json:"required"`
	Seen       string          `json:"seen"`
	Value      string          `json:"value,omitempty"`
	Objects    []string        `json:"objects,omitempty"`
	ActiveOnly bool            `json:"active_node_only,omitempty"`
	Fixable    bool            `json:"fixable,omitempty"`
	FixedByRun bool            `json:"fixed_by_run,omitempty"`
	Exceptions []exceptionJSON `json:"exceptions,omitempty"`
	Expired    []exceptionJSON `json:"expired_exceptions,omitempty"`
	Declared   []waiverJSON    `json:"declared,omitempty"`
	Why        string          `json:"why"`
	How        string          `json:"how"`
	Remedy     string          `json:"remedy"`
	Source     string          `json:"source"`
}

type exceptionJSON struct {
	Object  string `json:"object,omitempty"`
	Reason  string `json:"reason"`
	Expires string `json:"expires"`
}

// waiverJSON is what the seed declares, and where: FILE:LINE:COLUMN.
type waiverJSON struct {
	Object string `json:"object,omitempty"`
	At     string `json:"at"`
}

type manualJSON struct {
	Name string `json:"name"`
	How  string `json:"how"`
}

func (r Report) json(w io.Writer) error {
	report := struct {
		Tool     string        `json:"tool"`
		At       time.Time     `json:"at"`
		Address  string        `json:"address"`
		Cluster  string        `json:"cluster_id"`
		Product  string        `json:"product"`
		Version  string        `json:"vault_version"`
		Profile  string        `json:"profile"`
		Deep     bool          `json:"deep"`
		Passed   bool          `json:"passed"`
		Count    Count         `json:"count"`
		Controls []controlJSON `json:"controls"`
		ByHand   []manualJSON  `json:"not_checkable_here"`
	}{
		Tool: r.Tool, At: r.At.UTC(), Address: r.Address, Cluster: r.Cluster, Product: string(r.Product.Kind), Version: r.Product.Version.String(), Profile: r.Profile.String(),
		Deep: r.Deep, Passed: r.Passed(), Count: r.Count(), Controls: []controlJSON{}, ByHand: []manualJSON{},
	}
	for _, result := range r.Sorted() {
		report.Controls = append(report.Controls, controlJSON{
			ID: result.ID, Name: result.Name, Severity: result.Severity.String(), Status: result.Status, Required: result.Required,
			Seen: result.Seen, Value: result.Value, Objects: result.Objects, ActiveOnly: result.ActiveOnly, Fixable: result.Fixable(), FixedByRun: result.Fixed,
			Exceptions: exceptions(result.Exceptions), Expired: exceptions(result.Expired), Declared: waiversJSON(result.Declared),
			Why: result.Why, How: result.How, Remedy: result.Remedy, Source: result.Source,
		})
	}
	for _, each := range r.ByHand {
		report.ByHand = append(report.ByHand, manualJSON(each))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

func exceptions(list []harden.Exception) []exceptionJSON {
	var found []exceptionJSON
	for _, each := range list {
		found = append(found, exceptionJSON{each.Object, each.Reason, each.LastDay()})
	}
	return found
}

func waiversJSON(list []harden.Waiver) []waiverJSON {
	var found []waiverJSON
	for _, each := range list {
		found = append(found, waiverJSON{each.Object, each.Position})
	}
	return found
}

// junitText is what was found in one line, and where the seed declares it.
func junitText(result harden.Result) string {
	text := foundText(result)
	if result.Value != "" {
		text += " (" + result.Value + ")"
	}
	for i, each := range result.Declared {
		if i == 0 {
			text += "; declared in the seed: "
		} else {
			text += ", "
		}
		text += waiverText(each)
	}
	return text
}

type suiteXML struct {
	XMLName  xml.Name  `xml:"testsuite"`
	Name     string    `xml:"name,attr"`
	Tests    int       `xml:"tests,attr"`
	Failures int       `xml:"failures,attr"`
	Errors   int       `xml:"errors,attr"`
	Skipped  int       `xml:"skipped,attr"`
	At       string    `xml:"timestamp,attr"`
	Cases    []caseXML `xml:"testcase"`
}

type caseXML struct {
	Class   string      `xml:"classname,attr"`
	Name    string      `xml:"name,attr"`
	Failure *problemXML `xml:"failure"`
	Error   *problemXML `xml:"error"`
	Skipped *problemXML `xml:"skipped"`
}

type problemXML struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// junit reports a required failure as a failure, an unknown one as an error, and what is advice,
// accepted, declared in the seed or does not apply as a skipped test that says why.
func (r Report) junit(w io.Writer) error {
	suite := suiteXML{Name: "vault-bootstrap verify", Tests: len(r.Results), At: r.At.UTC().Format("2006-01-02T15:04:05")}
	for _, result := range r.Sorted() {
		test := caseXML{Class: "vault." + result.Severity.String(), Name: result.ID + ": " + result.Name}
		problem := &problemXML{Message: junitText(result), Type: result.Severity.String(), Text: "Why: " + result.Why + "\nRemedy: " + result.Remedy}
		switch {
		case result.Required && result.Status == harden.Fails:
			test.Failure = problem
			suite.Failures++
		case result.Required && result.Status == harden.Unknown:
			test.Error = problem
			suite.Errors++
		case result.Status != harden.Holds:
			test.Skipped = &problemXML{Message: statusText(result) + ": " + junitText(result)}
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, test)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
