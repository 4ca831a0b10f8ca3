package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// CheckStatus is the result of a check of 'doctor'.
type CheckStatus string

// The results.
const (
	OK         CheckStatus = "ok"
	Wrong      CheckStatus = "wrong"
	NotChecked CheckStatus = "not checked"
)

// Check is what one check of 'doctor' has found.
type Check struct {
	Name   string      `json:"check"`
	Status CheckStatus `json:"status"`
	// Text says what was found, or why nothing was looked at.
	Text string `json:"text"`
	// Error is what is wrong.
	Error *nextError `json:"error,omitempty"`

	err    error
	partly bool
}

// NewWrong returns a check that has found an error. partly is whether others can be made all the same.
func NewWrong(name string, err error, partly bool) Check {
	return Check{
		Name: name, Status: Wrong, Text: oneLine(err.Error()), err: err, partly: partly,
		Error: &nextError{fault.KindOf(err).String(), fault.NameOf(err), err.Error(), fault.RemedyOf(err)},
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Diagnosis is what 'doctor' prints.
type Diagnosis struct {
	Checks []Check `json:"checks"`
	// First is the name of the first check that has found something wrong; empty if none has.
	First string `json:"first,omitempty"`
	// ExitCode is that of the program.
	ExitCode int `json:"exit_code"`
}

// Add adds a check.
func (d *Diagnosis) Add(c Check) {
	d.Checks = append(d.Checks, c)
	if c.Status == Wrong && d.First == "" {
		d.First, d.ExitCode = c.Name, ExitCode(c.err)
	}
}

// Err returns what is wrong first; nil if nothing is.
func (d Diagnosis) Err() error {
	for _, each := range d.Checks {
		if each.Name == d.First {
			return each.err
		}
	}
	return nil
}

// Keeps returns the name of the check that keeps others from being made that need it; empty if none
// does.
func (d Diagnosis) Keeps(needs []string) string {
	for _, each := range d.Checks {
		if slices.Contains(needs, each.Name) && each.Status == Wrong && !each.partly {
			return each.Name
		}
	}
	for _, each := range d.Checks { // what was not looked at is not known to be right
		if slices.Contains(needs, each.Name) && each.Status == NotChecked && each.Name != "rights" {
			return each.Name
		}
	}
	return ""
}

// Write writes the diagnosis as JSON, or otherwise as a line for each check, with what to do about the
// first that is wrong.
func (d Diagnosis) Write(w io.Writer, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(d)
	}
	var text strings.Builder
	for _, each := range d.Checks {
		status := string(each.Status)
		if each.Status != NotChecked {
			status += ":"
		}
		fmt.Fprintf(&text, "%-8s %s %s\n", each.Name, status, each.Text)
	}
	if err := d.Err(); err != nil {
		fmt.Fprintf(&text, "\nWrong first is '%s': %s\n", d.First, oneLine(err.Error()))
		if remedy := fault.RemedyOf(err); remedy != "" {
			text.WriteString(remedy + "\n")
		}
	} else {
		text.WriteString("\nNothing is wrong, as far as could be looked.\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
