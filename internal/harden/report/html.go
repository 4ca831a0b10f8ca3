package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// page is the whole page: styles inside, no script, nothing to load. The filters are
// checkboxes that style sheets look at.
//
//go:embed page.html.tmpl
var page string

func (r Report) html(w io.Writer) error {
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"status": statusText, "fix": fixText, "class": class, "severities": harden.Severities,
		"day":  func(e harden.Exception) string { return e.LastDay() },
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"of":   r.of,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	if err := parsed.Execute(w, r); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// class is a status as a class name.
func class(result harden.Result) string {
	switch {
	case result.Failed() && !result.Required:
		return "advice"
	case result.Status == harden.Inapplicable:
		return "inapplicable"
	default:
		return strings.ToLower(string(result.Status))
	}
}

// of counts the controls of a severity.
func (r Report) of(severity harden.Severity) int {
	n := 0
	for _, result := range r.Results {
		if result.Severity == severity {
			n++
		}
	}
	return n
}
