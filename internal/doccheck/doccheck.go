// Package doccheck holds documents to what they are about: the links, files, flags, verbs, exit
// codes, counts and names that a page in Markdown names have to exist.
//
// It judges text by facts that are handed to it. It must not know the program, the chart or the
// disk; who knows those (a test of the command) collects the facts.
package doccheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Facts is what the pages are held to.
type Facts struct {
	// Files are the files of the repository, relative to its root, with '/'.
	Files []string
	// Built are paths of the repository that are not in it until they are made.
	Built []string
	// Read returns the text of a file in Files.
	Read func(file string) (string, error)
	// Verbs are the commands of the program.
	Verbs Verbs
	// Foreign are flags of other programs that pages name outside of a command line, each with
	// the program that has it.
	Foreign map[string]string
	// Values are the paths of the chart's values: 'vault.scheme', 'vault'.
	Values map[string]bool
	// Targets are those of the Makefile.
	Targets map[string]bool
	// Tests are the names of the Go tests and benchmarks.
	Tests map[string]bool
	// Terminal are the names of the terminal errors.
	Terminal map[string]bool
	// Exit are the exit codes, each with words of which its meaning must hold one.
	Exit map[int]*regexp.Regexp
	// Counts are numbers that pages state. Of several that fit the same words the first counts.
	Counts []Count
}

// Count is a number of things.
type Count struct {
	// Of finds the statement; its first group is the number, in digits or as a word.
	Of *regexp.Regexp
	// Want is how many there are.
	Want int
	// From says where they are counted.
	From string
}

// Problem is a statement of a page that does not hold.
type Problem struct {
	File   string
	Line   int
	What   string
	Remedy string
}

// String returns the problem as compilers print theirs, with the remedy.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s. %s", p.File, p.Line, p.What, p.Remedy)
}

// Check returns what does not hold of the page in a file, in the order of its lines.
func (f *Facts) Check(file, text string) []Problem {
	c := f.checker(file, text)
	c.links()
	c.paths()
	c.commands()
	c.variables()
	c.values()
	c.names()
	c.codes()
	c.counts()
	return c.sorted()
}

// CheckLinks returns which links of a page lead nowhere. It is for records of their time, whose
// other statements were true then.
func (f *Facts) CheckLinks(file, text string) []Problem {
	c := f.checker(file, text)
	c.links()
	return c.sorted()
}

// checker judges one page.
type checker struct {
	facts    *Facts
	file     string
	page     page
	problems []Problem
}

func (f *Facts) checker(file, text string) *checker {
	return &checker{facts: f, file: file, page: parse(text)}
}

func (c *checker) report(line int, remedy, format string, args ...any) {
	problem := Problem{File: c.file, Line: line, What: fmt.Sprintf(format, args...), Remedy: remedy}
	if !slices.Contains(c.problems, problem) {
		c.problems = append(c.problems, problem)
	}
}

func (c *checker) sorted() []Problem {
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return a.Line - b.Line })
	return c.problems
}

// exists says whether a path, in which '*' stands for any text without '/', is a file or a
// directory of the repository.
func (f *Facts) exists(name string) bool {
	name = path.Clean(name)
	if name == "." || slices.Contains(f.Built, name) {
		return true
	}
	if !strings.Contains(name, "*") { // as nearly all are
		return slices.ContainsFunc(f.Files, func(file string) bool {
			return file == name || strings.HasPrefix(file, name+"/")
		})
	}
	for _, file := range f.Files {
		for at := file; at != "."; at = path.Dir(at) {
			if matched, err := path.Match(name, at); err == nil && matched {
				return true
			}
		}
	}
	return false
}

// called returns a file with the base name of a path, "" if there is none.
func (f *Facts) called(name string) string {
	for _, file := range f.Files {
		if path.Base(file) == path.Base(name) {
			return file
		}
	}
	return ""
}
