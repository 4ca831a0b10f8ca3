// Package help prints the pages of help: flags in groups, lines of at most 80 columns.
//
// It must not know what a verb does. Which group a flag is in stands in a table; what the table does not have
// belongs to the verb.
package help

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Width is that of a page, in columns.
const Width = 80

// The column at which the text of a flag begins, and how many flags need no heading of their own.
const (
	textColumn = 30
	verbColumn = 15
	fewFlags   = 12
)

// group is a heading with the flags below it, by name.
type group struct {
	heading string
	flags   string
}

// groups are those that several verbs share, in the order of the page.
func groups() []group {
	return []group{
		{"Vault", "vault-addr ca-cert ca-path client-cert client-key tls-server-name tls-skip-verify require-tls vault-namespace vault-service vault-selector vault-statefulset vault-scheme replicas vault-pod-labels"},
		{"Records", "name store namespace kubeconfig context keys lease-duration lease-renew-deadline lease-retry-period"},
		{"Encryption of the keys record", "keys-to keys-identity keys-token-file keys-ca"},
		{"Login of later runs", "login login-path login-token-file login-audience kubernetes-host login-principal login-password-file login-ca login-region policy"},
		{"Seed", "seed parallelism"},
		{"Initializing and unsealing", "key-shares key-threshold recovery-shares recovery-threshold pgp-keys recovery-pgp-keys wait-for-unseal spool-dir termination-log on-keys-lost storage-volume respect-seal ceremonies ceremony-credential"},
		{"Output", "output output-file log-format log-level detailed-exitcode exit-code fail-on"},
	}
}

// Flag is a flag of a command.
type Flag struct {
	Name, Shorthand string
	// Kind is that of its value, empty for a truth.
	Kind string
	// Usage is its text, and Default what its value is without it.
	Usage, Default string
}

// Command is what a page says of a command.
type Command struct {
	// Path is the command as it is written, and Usage that with its arguments; empty if it only groups.
	Path, Usage    string
	About, Example string
	// Verbs are those below it, each with its text.
	Verbs [][2]string
	Flags []Flag
}

// Page returns the page of help of a command.
func Page(cmd Command) string {
	var b strings.Builder
	b.WriteString(fill(cmd.About) + "\nUsage:\n")
	if cmd.Usage != "" {
		fmt.Fprintf(&b, "  %s\n", cmd.Usage)
	}
	if len(cmd.Verbs) > 0 {
		fmt.Fprintf(&b, "  %s VERB\n\nVerbs:\n", cmd.Path)
		for _, below := range cmd.Verbs {
			entry(&b, "  "+below[0], below[1], verbColumn)
		}
	}
	if cmd.Example != "" {
		b.WriteString("\nExamples:\n")
		for line := range strings.Lines(cmd.Example) {
			b.WriteString(example(strings.TrimRight(line, "\n")))
		}
	}
	flags(&b, cmd.Flags)
	if len(cmd.Verbs) > 0 {
		fmt.Fprintf(&b, "\n'%s VERB --help' has the flags of a verb.\n", cmd.Path)
	}
	return b.String()
}

// flags writes the flags of a command, in groups.
func flags(b *strings.Builder, all []Flag) {
	shared := map[string]string{}
	for _, each := range groups() {
		for _, name := range strings.Fields(each.flags) {
			shared[name] = each.heading
		}
	}
	write := func(heading string, belongs func(name string) bool) {
		begun := false
		for _, flag := range all {
			if !belongs(flag.Name) {
				continue
			}
			if !begun {
				fmt.Fprintf(b, "\n%s:\n", heading)
				begun = true
			}
			name, usage := describe(flag)
			entry(b, name, usage, textColumn)
		}
	}
	own := "Flags"
	if len(all) > fewFlags {
		own = "Flags of this verb"
	}
	write(own, func(name string) bool { return shared[name] == "" })
	for _, each := range groups() {
		write(each.heading, func(name string) bool { return shared[name] == each.heading })
	}
}

// describe returns the name of a flag with the type of its value, and its text with the default.
func describe(flag Flag) (name, usage string) {
	name, usage = "      --"+flag.Name, flag.Usage
	if flag.Shorthand != "" {
		name = "  -" + flag.Shorthand + ", --" + flag.Name
	}
	if flag.Kind != "" {
		name += " " + flag.Kind
	}
	switch flag.Default {
	case "", "false", "[]", "0", "0s":
	default:
		if !strings.Contains(usage, "(default") {
			usage += fmt.Sprintf(" (default %s)", flag.Default)
		}
	}
	return name, usage
}

// entry writes a name and, from a column on, its text.
func entry(b *strings.Builder, name, text string, column int) {
	lines := wrap(text, Width-column)
	if utf8.RuneCountInString(name) > column-2 {
		b.WriteString(name + "\n")
		name = ""
	}
	for _, line := range lines {
		fmt.Fprintf(b, "%-*s%s\n", column, name, line)
		name = ""
	}
}

// wrap breaks a text into lines of at most width columns, between words.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// fill fills the paragraphs of a text anew. Indented lines stay as they are.
func fill(text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if strings.HasPrefix(paragraph, "  ") {
			b.WriteString(paragraph + "\n")
			continue
		}
		b.WriteString(strings.Join(wrap(paragraph, Width), "\n") + "\n")
	}
	return b.String()
}

// example breaks a command that is too long where a shell goes on reading.
func example(line string) string {
	if utf8.RuneCountInString(line) <= Width {
		return line + "\n"
	}
	var b strings.Builder
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	current := indent
	for i, word := range strings.Split(strings.TrimLeft(line, " "), " ") {
		if i > 0 && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > Width-2 {
			b.WriteString(current + " \\\n")
			current = indent + "    " + word
			continue
		}
		if i > 0 {
			current += " "
		}
		current += word
	}
	return b.String() + current + "\n"
}

// Grouped returns the names of the flags that are in a group.
func Grouped() []string {
	var names []string
	for _, each := range groups() {
		names = append(names, strings.Fields(each.flags)...)
	}
	return names
}
