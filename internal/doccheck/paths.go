package doccheck

import (
	"path"
	"regexp"
	"strings"
)

var (
	// placeholder is a part of a path that stands for any: NAME, N, '…'.
	placeholder = regexp.MustCompile(`^([A-Z][A-Z0-9_]*|<[^>]*>|…)$`)
	testName    = regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z][A-Za-z0-9]+\b`)
	// document is a page that a sentence or a message refers to.
	document = regexp.MustCompile(`\bdocs/[A-Za-z0-9_./-]*[A-Za-z0-9]`)
)

// paths looks for the files of the repository that a page names as code.
func (c *checker) paths() {
	for _, b := range c.page.blocks {
		if b.code {
			for i, text := range strings.Split(b.text, "\n") {
				for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t'\"()[],;=|", r) }) {
					c.path(b.line+i, word, false)
				}
				c.tests(b.line+i, text)
			}
			continue
		}
		for _, s := range b.spans() {
			for _, word := range strings.Fields(s.text) {
				c.path(s.line, word, true)
			}
			c.tests(s.line, s.text)
		}
	}
}

func (c *checker) tests(line int, text string) {
	for _, name := range testName.FindAllString(text, -1) {
		if !c.facts.Tests[name] {
			c.report(line, "Name a test that is there, or take it out.", "there is no test %s", name)
		}
	}
}

// path judges a word that may be a path. Of those without a known first directory, only names of
// Go files and pages are taken for ours, and only in a line of text.
func (c *checker) path(line int, word string, inText bool) {
	word = strings.TrimRight(strings.TrimPrefix(word, "./"), ".,:;")
	if word == "" || strings.Contains(word, "://") || strings.HasPrefix(word, "/") || strings.ContainsAny(word, "$@{}~") {
		return
	}
	word, _, _ = strings.Cut(word, "#")
	parts := strings.Split(strings.TrimSuffix(word, "/"), "/")
	for i, part := range parts {
		if placeholder.MatchString(part) {
			parts[i] = "*"
		}
	}
	name := strings.Join(parts, "/")
	switch ext := path.Ext(name); {
	case c.facts.exists(name):
	case len(parts) > 1 && parts[0] != "*" && parts[0] != ".." && c.facts.exists(parts[0]):
		name = strings.TrimSuffix(name, "/...")
		if c.facts.exists(name) || c.facts.exists("test/"+name) {
			return
		}
		c.report(line, c.instead(name), "there is no %s", word)
	case inText && (ext == ".go" || ext == ".md") && parts[0] != "..":
		for _, file := range c.facts.Files {
			if matched, err := path.Match(name, lastOf(file, len(parts))); err == nil && matched {
				return
			}
		}
		c.report(line, c.instead(name), "there is no file %s", word)
	}
}

// lastOf returns the last n parts of a path.
func lastOf(file string, n int) string {
	parts := strings.Split(file, "/")
	return strings.Join(parts[max(0, len(parts)-n):], "/")
}

func (c *checker) instead(name string) string {
	if other := c.facts.called(name); other != "" {
		return "There is " + other + ": name that."
	}
	return "Name what is there now, or take it out."
}

// CheckMentions returns which pages of docs/ that a text of any kind refers to are not there. It is
// for sources, messages and manifests, which people read far from the repository.
func (f *Facts) CheckMentions(file, text string) []Problem {
	c := f.checker(file, "")
	for i, line := range strings.Split(text, "\n") {
		for _, name := range document.FindAllString(line, -1) {
			if !f.exists(name) && !f.exists(name+"-*.md") { // 'docs/decisions/0007' is enough
				c.report(i+1, c.instead(name), "there is no %s", name)
			}
		}
	}
	return c.sorted()
}
