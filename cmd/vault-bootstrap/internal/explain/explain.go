// Package explain answers what a name means: a key of the seed's language, a field of an engine, a
// control, a terminal error, the reason of an Event, an exit code, a flag.
//
// The answers are made from the tables that the program itself works with, and from the pages that are in
// it. The package must not know how the command line is built.
package explain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Topic is a name with what it means.
type Topic struct {
	Name string `json:"name"`
	// Kind is one of Kinds.
	Kind string `json:"kind"`
	// About is a sentence for lists.
	About string `json:"about"`
	// Text is Markdown.
	Text string `json:"text"`
	// inner is whether another topic names it, which is in the list of all.
	inner bool
}

// The kinds of topics.
const (
	Key       = "key"
	Engine    = "engine"
	Control   = "control"
	Terminal  = "terminal error"
	Event     = "event"
	ExitCode  = "exit code"
	Flag      = "flag"
	nearNames = 3
)

// Kinds returns the kinds in the order of lists, each with its heading.
func Kinds() [][2]string {
	return [][2]string{
		{Key, "Keys of the seed"}, {Engine, "Fields of engines"}, {Control, "Controls"}, {Terminal, "Terminal errors"},
		{Event, "Reasons of Events"}, {ExitCode, "Exit codes"}, {Flag, "Flags"},
	}
}

// Topics are all that is known.
type Topics []Topic

// UnknownError is the error of a name that nothing has.
type UnknownError struct {
	Name string
	// Near are names that are like it, the nearest first; there may be none.
	Near []string
}

// Error names the name.
func (e *UnknownError) Error() string { return fmt.Sprintf("nothing is called %q", e.Name) }

// Find returns the topics of a name, in the order of Kinds. The error is an *UnknownError.
func (t Topics) Find(name string) (Topics, error) {
	name = normal(name)
	var found Topics
	for _, kind := range Kinds() {
		for _, topic := range t {
			if topic.Kind == kind[0] && normal(topic.Name) == name {
				found = append(found, topic)
			}
		}
	}
	if len(found) == 0 {
		return nil, &UnknownError{Name: name, Near: t.near(name)}
	}
	return found, nil
}

// Names returns all names, sorted.
func (t Topics) Names() []string {
	names := make([]string, 0, len(t))
	for _, topic := range t {
		names = append(names, topic.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// normal makes names equal that people take for each other.
func normal(name string) string {
	name = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "--")
	if rest, below := strings.CutPrefix(name, "namespaces."); below && rest != "path" && rest != "custom_metadata" {
		name = rest // a namespace holds what the top level holds
	}
	return strings.TrimSuffix(name, "…")
}

// near returns the names that are most like name.
func (t Topics) near(name string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	for _, each := range t.Names() {
		other := normal(each)
		d := value.Edits(name, other)
		last := other[strings.LastIndexByte(other, '.')+1:]
		if last == name || strings.HasPrefix(other, name) {
			d = 1
		}
		if d <= max(2, len(name)/3) {
			all = append(all, candidate{each, d})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, each := range all[:min(len(all), nearNames)] {
		names = append(names, each.name)
	}
	return names
}

// Write prints the topics: of a few all that is known, in lines of at most width columns.
func (t Topics) Write(w io.Writer, output string, width int) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(t)
	}
	var b strings.Builder
	for i, topic := range t {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s (%s)\n\n", topic.Name, topic.Kind)
		b.WriteString(Wrap(topic.Text, width))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteList prints the names, by kind.
func (t Topics) WriteList(w io.Writer, output string, width int) error {
	if output == "json" {
		return t.Write(w, output, width)
	}
	var b strings.Builder
	for i, kind := range Kinds() {
		if i > 0 {
			b.WriteByte('\n')
		}
		var names []string
		for _, topic := range t {
			if topic.Kind == kind[0] && !topic.inner {
				names = append(names, topic.Name)
			}
		}
		fmt.Fprintf(&b, "%s:\n%s", kind[1], wrapWords("  ", "  ", strings.Join(names, ", "), ", ", width))
	}
	b.WriteString("\nWrite 'vault-bootstrap explain NAME'.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
