// Package report shows the results of the controls: as a table for people, as JSON and JUnit XML
// for machines, and as one HTML page for a reviewer. It judges nothing.
package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Report is the hardening report of a Vault.
type Report struct {
	// Tool is the program's version.
	Tool string
	At   time.Time
	// Address and Cluster are the active node's URL and the cluster's ID; Product is what it runs.
	Address, Cluster string
	Product          product.Product
	Profile          harden.Profile
	Deep             bool
	Results          []harden.Result
	ByHand           []harden.Manual
}

// Count is how many controls have which status.
type Count struct {
	Holds        int `json:"hold"`
	Fails        int `json:"fail"`
	Unknown      int `json:"unknown"`
	Accepted     int `json:"accepted"`
	Declared     int `json:"declared"`
	Inapplicable int `json:"do_not_apply"`
	// Required is how many of the failing and unknown controls are required.
	Required int `json:"required_not_held"`
}

// Count counts.
func (r Report) Count() Count {
	var c Count
	for _, result := range r.Results {
		*map[harden.Status]*int{
			harden.Holds: &c.Holds, harden.Fails: &c.Fails, harden.Unknown: &c.Unknown,
			harden.Accepted: &c.Accepted, harden.Declared: &c.Declared, harden.Inapplicable: &c.Inapplicable,
		}[result.Status]++
	}
	c.Required = len(harden.Failed(r.Results, true))
	return c
}

// Passed reports whether all required controls hold.
func (r Report) Passed() bool { return len(harden.Failed(r.Results, true)) == 0 }

// Verdict says in a sentence whether all required controls hold.
func (r Report) Verdict() string {
	c := r.Count()
	if c.Required == 0 {
		return fmt.Sprintf("All required controls of the profile %s hold.", r.Profile)
	}
	return fmt.Sprintf("%d required controls of the profile %s do not hold.", c.Required, r.Profile)
}

// Sorted returns the results, what needs attention first.
func (r Report) Sorted() []harden.Result {
	sorted := slices.Clone(r.Results)
	rank := func(result harden.Result) int {
		switch {
		case result.Failed() && result.Required:
			return 0
		case result.Failed():
			return 1
		case result.Status == harden.Accepted, result.Status == harden.Declared:
			return 2
		default:
			return 3
		}
	}
	slices.SortStableFunc(sorted, func(a, b harden.Result) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Severity, a.Severity))
	})
	return sorted
}

// Formats are the names of the formats.
func Formats() []string { return []string{"table", "json", "junit", "html"} }

// Write writes the report in a format.
func (r Report) Write(w io.Writer, format string) error {
	switch format {
	case "table":
		return r.table(w)
	case "json":
		return r.json(w)
	case "junit":
		return r.junit(w)
	case "html":
		return r.html(w)
	default:
		return fmt.Errorf("unknown format %q", format)
	}
}

// waiverText says what the seed declares, and where.
func waiverText(waiver harden.Waiver) string {
	return strings.TrimSpace(waiver.Object + " at " + waiver.Position)
}

// fixText says whether a run repairs a failure.
func fixText(result harden.Result) string {
	switch {
	case !result.Fixable():
		return ""
	case result.Fixed:
		return "run fixes it"
	default:
		return "run can fix it: add it to harden.fix in the seed"
	}
}
