package prop_test

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// spelling writes values as YAML. Which of the spellings a value has follows from the numbers and
// from where it stands, so that what is taken away elsewhere does not change it.
type spelling struct {
	seed, round uint64
	// variables and files are what references refer to.
	variables, files map[string]string
	// plain leaves out what is there for variety only: what is printed for people to read.
	plain bool

	shared map[string]int    // how often a value is in the document
	anchor map[string]string // of those that have one
}

func newSpelling(seed, round uint64) *spelling {
	return &spelling{seed: seed, round: round, variables: map[string]string{}, files: map[string]string{}}
}

// pick chooses one of n at a place.
func (s *spelling) pick(place string, n int) int {
	if s.plain {
		return n - 1
	}
	sum := fnv.New64a()
	_, _ = fmt.Fprint(sum, s.seed, "/", s.round, "/", place)
	mixed := sum.Sum64()
	mixed ^= mixed >> 29
	mixed *= 0xbf58476d1ce4e5b9
	mixed ^= mixed >> 32
	return int(mixed % uint64(n))
}

// once in n times it is true.
func (s *spelling) once(place string, n int) bool { return s.pick(place, n) == 0 && !s.plain }

// document writes a mapping as a document.
func (s *spelling) document(v value, place string) string {
	s.shared, s.anchor = map[string]int{}, map[string]string{}
	s.count(v)
	if len(v.fields) == 0 {
		return "{}\n"
	}
	head := ""
	if s.once(place+"#head", 4) {
		head = "# made up\n---\n"
	}
	if s.once(place+"#json", 12) {
		return head + s.flow(v, place) + "\n"
	}
	return head + s.entries(v, place, 0)
}

// count notes how often each value stands in the document.
func (s *spelling) count(v value) {
	if sharable(v) {
		s.shared[identity(v)]++
	}
	for _, each := range v.items {
		s.count(each)
	}
	for _, f := range v.fields {
		s.count(f.value)
	}
}

// sharable reports whether an alias may stand for the value.
func sharable(v value) bool {
	return len(v.items) > 0 || len(v.fields) > 0 && v.kind == mapping || v.kind == text && len(v.text) > 5
}

// identity is the same for values that an alias may stand for: the same value of the same kind.
func identity(v value) string {
	return fmt.Sprint(v.kind, v.refers, v.loose, v.source, v.secret, v.canonical())
}

func (s *spelling) step(place string) int {
	return 2 + 2*s.pick("indent", 2)*s.pick(place+"#indent", 2)
}

// entries writes the fields of a mapping, each on lines of its own.
func (s *spelling) entries(v value, place string, indent int) string {
	var b strings.Builder
	for _, f := range v.fields {
		at := place + "/" + f.name
		b.WriteString(strings.Repeat(" ", indent) + s.key(f.name, at) + ":" + s.after(f.value, at, indent))
		if s.once(at+"#comment", 30) {
			b.WriteString(strings.Repeat(" ", indent) + "# " + strings.Repeat("-", 8) + "\n")
		}
	}
	return b.String()
}

// after writes what follows a key or a dash, to the end of its last line.
func (s *spelling) after(v value, place string, indent int) string {
	id, mark := identity(v), ""
	if sharable(v) && s.shared[id] > 1 {
		if name := s.anchor[id]; name != "" && s.pick(place+"#alias", 3) > 0 {
			return " *" + name + "\n"
		}
		if s.anchor[id] == "" && s.once(place+"#anchor", 2) {
			s.anchor[id] = fmt.Sprintf("a%d", len(s.anchor))
			mark = " &" + s.anchor[id]
		}
	}
	switch {
	case v.kind == nothing && s.once(place+"#null", 2):
		return "\n"
	case v.kind == mapping && len(v.fields) > 0 && !s.once(place+"#flow", 4):
		return mark + "\n" + s.entries(v, place, indent+s.step(place))
	case (v.kind == list || v.kind == words && s.pick(place+"#list", 3) == 0) && len(v.items) > 0 && !s.once(place+"#flow", 4):
		// What is in a list may stand as deep as the list's key.
		return mark + "\n" + s.elements(v, place, indent+s.pick(place+"#dash", 2)*2)
	}
	if v.kind == text {
		if block := s.block(v, place, indent); block != "" {
			return mark + block
		}
	}
	return mark + " " + s.flow(v, place) + "\n"
}

// elements writes a list, each element after a dash.
func (s *spelling) elements(v value, place string, indent int) string {
	var b strings.Builder
	lead := strings.Repeat(" ", indent) + "-"
	merged := s.mergeable(v, place)
	for i, each := range v.items {
		at := place + "/" + label(each, i)
		switch {
		case merged != "" && i == 0:
			b.WriteString(lead + " &" + merged + "\n" + s.entries(each, at, indent+2))
		case merged != "" && covers(each, v.items[0]):
			rest := each
			rest.fields = slices.DeleteFunc(slices.Clone(each.fields), func(f field) bool {
				of := v.items[0].at(f.name)
				return of != nil && identity(*of) == identity(f.value)
			})
			b.WriteString(lead + " <<: *" + merged + "\n" + s.entries(rest, at, indent+2))
		case each.kind == mapping && len(each.fields) > 0 && !s.once(at+"#flow", 4):
			b.WriteString(lead + strings.TrimPrefix(s.entries(each, at, indent+2), strings.Repeat(" ", indent+1)))
		default:
			b.WriteString(lead + s.after(each, at, indent))
		}
	}
	return b.String()
}

// mergeable returns an anchor for the first of a list of mappings, where others may be written with
// a merge key; "" where they are not.
func (s *spelling) mergeable(v value, place string) string {
	if len(v.items) < 2 || len(v.items[0].fields) < 2 || !s.once(place+"#merge", 3) {
		return ""
	}
	for _, each := range v.items[1:] {
		if covers(each, v.items[0]) {
			s.anchor["<<"+place] = fmt.Sprintf("m%d", len(s.anchor))
			return s.anchor["<<"+place]
		}
	}
	return ""
}

// covers reports whether a mapping has all the keys of another.
func covers(v, other value) bool {
	return v.kind == mapping && len(other.fields) > 0 && !slices.ContainsFunc(other.fields, func(f field) bool { return v.at(f.name) == nil })
}

// label names an element of a list by its name, so that its place stays when others go.
func label(v value, i int) string {
	for _, key := range []string{"path", "name", "username", "plugin_name", "sts_account", "type", "method"} {
		if named := v.at(key); named != nil {
			return named.text
		}
	}
	return strconv.Itoa(i)
}
