package report

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// style is the page's CSS. The filters are checkboxes that it reacts to: the page has no script,
// and loads nothing.
//
//go:embed page.css
var style string

// html writes the page. It does not use html/template, which looks methods up by name at run time,
// so that the linker must keep every method of every type: 6 MB of the binary.
func (r Report) html(w io.Writer) error {
	p := &page{}
	p.head(r)
	p.summary(r)
	p.text("<main>\n")
	for _, result := range r.Sorted() {
		p.control(result)
	}
	p.text("</main>\n")
	p.byHand(r.ByHand)
	p.text("</body>\n</html>\n")
	if _, err := io.WriteString(w, p.String()); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// page is HTML that is being written. Every value goes through put, which escapes it.
type page struct{ strings.Builder }

func (p *page) text(markup string) { _, _ = p.WriteString(markup) }

// put writes markup in which each %s is a value, to be shown as it is.
func (p *page) put(markup string, values ...any) {
	for i, value := range values {
		values[i] = html.EscapeString(fmt.Sprint(value))
	}
	_, _ = fmt.Fprintf(p, markup, values...) // a Builder takes everything
}

func (p *page) head(r Report) {
	p.text("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n" +
		"<link rel=\"icon\" href=\"data:,\">\n")
	p.put("<title>Hardening of %s</title>\n", r.Address)
	p.text("<style>\n" + style)
	for _, severity := range harden.Severities() {
		p.put("body:has(#show-%s:not(:checked)) article.%s { display: none; }\n", severity, severity)
	}
	p.text("</style>\n</head>\n<body>\n")
}

func (p *page) summary(r Report) {
	deep, no := "", ""
	if r.Deep {
		deep = ", tokens checked"
	}
	if !r.Passed() {
		no = " no"
	}
	p.put("<header>\n<h1>Hardening report</h1>\n<p class=\"facts\"><code>%s</code> · %s · cluster <code>%s</code><br>\n", r.Address, r.Product.String(), r.Cluster)
	p.put("profile %s%s · %s · vault-bootstrap %s</p>\n</header>\n", r.Profile, deep, r.At.UTC().Format("2006-01-02 15:04:05 UTC"), r.Tool)
	p.put("<p class=\"verdict%s\">%s</p>\n", no, r.Verdict())
	count := r.Count()
	p.put("<ul class=\"counts\"><li><b>%s</b> hold</li><li><b>%s</b> fail</li><li><b>%s</b> unknown</li><li><b>%s</b> accepted</li><li><b>%s</b> declared in the seed</li><li><b>%s</b> do not apply</li></ul>\n",
		strconv.Itoa(count.Holds), strconv.Itoa(count.Fails), strconv.Itoa(count.Unknown), strconv.Itoa(count.Accepted), strconv.Itoa(count.Declared), strconv.Itoa(count.Inapplicable))
	p.text("<form aria-label=\"Filter\">\n")
	for _, severity := range harden.Severities() {
		p.put("<label><input type=\"checkbox\" id=\"show-%s\" checked> %s (%s)</label>\n", severity, severity, strconv.Itoa(r.of(severity)))
	}
	p.text("<label><input type=\"checkbox\" id=\"show-well\" checked> what is well</label>\n</form>\n")
}

func (p *page) control(result harden.Result) {
	tag := fmt.Sprint(result.Severity)
	if result.Required {
		tag += " · required"
	}
	if result.ActiveOnly {
		tag += " · active node only"
	}
	p.put("<article id=\"%s\" class=\"%s %s\">\n<span class=\"tag\">%s</span>\n", result.ID, result.Severity, class(result), tag)
	p.put("<h3>%s</h3> <code class=\"dim\">%s</code>\n<p><span class=\"state\">%s</span>: %s</p>\n", result.Name, result.ID, statusText(result), result.String())
	if len(result.Objects) > 0 {
		p.text("<ul class=\"objects\">")
		for _, object := range result.Objects {
			p.put("<li><code>%s</code></li>", object)
		}
		p.text("</ul>\n")
	}
	p.text("<dl>\n")
	p.exceptions("accepted", result.Exceptions)
	p.exceptions("expired", result.Expired)
	for _, waiver := range result.Declared {
		p.row("declared", waiverText(waiver))
	}
	p.row("why", result.Why)
	p.row("how", result.How)
	if result.Failed() {
		p.row("remedy", result.Remedy)
		if fix := fixText(result); fix != "" {
			p.row("fix", fix)
		}
	}
	p.put("<dt>source</dt><dd><a href=\"%s\" rel=\"noreferrer\">%s</a></dd>\n</dl>\n</article>\n", result.Source, result.Source)
}

func (p *page) row(name, value string) { p.put("<dt>%s</dt><dd>%s</dd>\n", name, value) }

func (p *page) exceptions(name string, exceptions []harden.Exception) {
	for _, each := range exceptions {
		p.put("<dt>%s</dt><dd>", name)
		if each.Object != "" {
			p.put("<code>%s</code>: ", each.Object)
		}
		p.put("%s (until %s)</dd>\n", each.Reason, each.LastDay())
	}
}

func (p *page) byHand(points []harden.Manual) {
	p.text("<section>\n<h2>Not checkable here</h2>\n<p class=\"dim\">No API shows these points. How to check them by hand:</p>\n<table><tbody>\n")
	for _, point := range points {
		p.put("<tr><td>%s</td><td>%s</td></tr>\n", point.Name, point.How)
	}
	p.text("</tbody></table>\n</section>\n")
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
