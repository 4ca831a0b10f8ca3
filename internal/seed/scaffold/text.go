package scaffold

import (
	"regexp"
	"slices"
	"strings"
)

// variable is how a seed refers to one of the environment.
var variable = regexp.MustCompile(`\$\{ env "(\w+)" \}`)

// Variables returns the variables that a seed refers to, sorted.
func Variables(text string) []string {
	var names []string
	for _, found := range variable.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// text writes the seed.
func (c *composition) text(parts []Part) string {
	var body strings.Builder
	for _, each := range c.sections {
		each.write(&body)
	}
	var out strings.Builder
	comment := func(lines ...string) {
		for _, line := range lines {
			out.WriteString(strings.TrimRight("# "+line, " ") + "\n")
		}
	}
	var names []string
	for _, part := range parts[1:] {
		names = append(names, part.Name)
	}
	made := "vault-bootstrap init"
	if len(names) > 0 {
		made += " --with=" + strings.Join(names, ",")
	}
	comment("A first seed, as '"+made+"' writes it. Names in example.org, and",
		"all others that are not yours, are there to be changed.")
	if needed := Variables(body.String()); len(needed) > 0 {
		comment("", "Variables that must be set where it is applied:")
		for _, name := range needed {
			comment("  " + name)
		}
	}
	comment("", "Try it out: 'seed validate' reads it, 'plan' compares it with a Vault, 'run' applies it.")
	for i, part := range parts {
		comment("", part.Name+":")
		for _, line := range c.about[i] {
			comment(strings.TrimRight("  "+line, " "))
		}
	}
	return out.String() + body.String()
}

// write writes a section with its parts.
func (s *section) write(out *strings.Builder) {
	out.WriteString("\n")
	list := len(s.blocks[0].items()) > 0
	if !list {
		for _, note := range s.blocks[0].notes {
			out.WriteString("# " + note + "\n")
		}
	}
	out.WriteString(s.name + ":" + s.inline + "\n")
	for i, block := range s.blocks {
		if list {
			if i > 0 {
				out.WriteString("\n")
			}
			out.WriteString("  # " + block.part + "\n")
			for _, note := range block.notes {
				out.WriteString(strings.TrimRight("  # "+note, " ") + "\n")
			}
		}
		out.WriteString(strings.Trim(strings.Join(block.lines, "\n"), "\n") + "\n")
	}
}
