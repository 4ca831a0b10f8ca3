// Package scaffold composes a first seed of parts, which are seeds of the cookbook: their text, with
// its comments, section by section. It must not know what a section means.
package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// Part is what can be chosen for a first seed.
type Part struct {
	// Name is how it is chosen, About says what it is for, in a line.
	Name, About string
	// file is the seed of the cookbook that it is.
	file string
}

// always is the part of every first seed.
const always = "baseline.yaml"

// Parts returns what can be chosen, in the order in which it is offered.
func Parts() []Part {
	return []Part{
		{"kubernetes", "an application in Kubernetes that reads KV", "kubernetes-app.yaml"},
		{"oidc", "people of an OpenID Connect provider, with rights by their groups", "oidc-groups.yaml"},
		{"userpass", "people with passwords", "userpass.yaml"},
		{"approle", "a build server without an identity of its own", "approle-ci.yaml"},
		{"jwt", "jobs of a CI system, with the tokens that it issues", "jwt.yaml"},
		{"pki", "a root, an intermediate and roles for certificates", "pki.yaml"},
		{"database", "PostgreSQL accounts that live for an hour", "database.yaml"},
		{"transit", "encryption as a service", "transit.yaml"},
		{"ssh", "SSH certificates", "ssh-ca.yaml"},
		{"quotas", "limits on requests", "quotas.yaml"},
	}
}

// ErrUnknown means that a part is not one of Parts.
var ErrUnknown = errors.New("unknown part")

// Compose returns the text of a seed of the named parts, which are taken from files, in the order of
// Parts. Without names it is what every Vault wants. It fails with ErrUnknown.
func Compose(files fs.FS, names []string) (string, error) {
	for _, name := range names {
		if !slices.ContainsFunc(Parts(), func(p Part) bool { return p.Name == name }) {
			return "", fmt.Errorf("%w: %q", ErrUnknown, name)
		}
	}
	chosen := []Part{{Name: "baseline", file: always}}
	for _, part := range Parts() {
		if slices.Contains(names, part.Name) {
			chosen = append(chosen, part)
		}
	}
	composed := &composition{}
	for _, part := range chosen {
		content, err := fs.ReadFile(files, part.file)
		if err != nil {
			return "", fmt.Errorf("reading the part %q: %w", part.Name, err)
		}
		if err := composed.add(part.Name, string(content)); err != nil {
			return "", err
		}
	}
	return composed.text(chosen), nil
}

// composition is a seed that is being composed.
type composition struct {
	sections []*section
	// about holds the head of each part, without comment signs.
	about [][]string
}

// section is a top-level key with what the parts have below it.
type section struct {
	name string
	// inline is what follows the key in its line, such as a value.
	inline string
	blocks []block
}

// block is what one part has in one section.
type block struct {
	part  string
	notes []string // comments above the key
	lines []string
}

var (
	topKey = regexp.MustCompile(`^([A-Za-z][\w-]*):(.*)$`)
	item   = regexp.MustCompile(`^  - `)
)

// add adds a part.
func (c *composition) add(part, text string) error {
	var head, notes []string
	var now *section
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		key := topKey.FindStringSubmatch(line)
		switch {
		case key != nil:
			if now == nil {
				head, notes = notes, nil
			}
			now = c.section(key[1], key[2])
			now.blocks = append(now.blocks, block{part: part, notes: notes})
			notes = nil
		case strings.HasPrefix(line, "#"):
			notes = append(notes, strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
		case now != nil:
			last := &now.blocks[len(now.blocks)-1]
			last.lines = append(last.lines, line)
		}
	}
	c.about = append(c.about, head)
	for _, each := range c.sections {
		if err := each.unite(part); err != nil {
			return err
		}
	}
	return nil
}

// section returns the section of a name, which it makes if there is none.
func (c *composition) section(name, inline string) *section {
	for _, each := range c.sections {
		if each.name == name {
			return each
		}
	}
	made := &section{name: name, inline: inline}
	c.sections = append(c.sections, made)
	return made
}

// unite drops what the latest block of a section, if it is that of a part, repeats of earlier ones.
func (s *section) unite(part string) error {
	latest := len(s.blocks) - 1
	if latest < 1 || s.blocks[latest].part != part {
		return nil
	}
	known := map[string]bool{}
	for _, earlier := range s.blocks[:latest] {
		for _, each := range earlier.items() {
			known[bare(each)] = true
		}
	}
	items := s.blocks[latest].items()
	if len(items) == 0 {
		return fmt.Errorf("the section %q of %q is not a list, and another part has one", s.name, part)
	}
	s.blocks[latest].lines = nil
	for _, each := range items {
		if !known[bare(each)] {
			s.blocks[latest].lines = append(s.blocks[latest].lines, each...)
		}
	}
	if len(s.blocks[latest].lines) == 0 {
		s.blocks = s.blocks[:latest]
	}
	return nil
}

// items returns the entries of a list, each with the comments above it.
func (b block) items() [][]string {
	var items [][]string
	var above []string
	for _, line := range b.lines {
		switch {
		case item.MatchString(line):
			items = append(items, append(above, line))
			above = nil
		case strings.HasPrefix(line, "  #"):
			above = append(above, line)
		case len(items) > 0:
			items[len(items)-1] = append(items[len(items)-1], line)
		}
	}
	return items
}

// bare returns an entry without comments and empty lines, for comparing.
func bare(lines []string) string {
	var text strings.Builder
	for _, line := range lines {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}
