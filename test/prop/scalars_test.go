package prop_test

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var bareWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// meant reports whether YAML reads a bare word as something else than a text.
func meant(word string) bool {
	return slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(word))
}

func (s *spelling) key(name, place string) string {
	if bareWord.MatchString(name) && !meant(name) && !s.once(place+"#key", 10) {
		return name
	}
	return quoted(name)
}

func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, char := range text {
		switch char {
		case '"', '\\':
			b.WriteString(`\` + string(char))
		case '\n':
			b.WriteString(`\n`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteRune(char)
		}
	}
	return b.String() + `"`
}

// flow writes a value on one line.
func (s *spelling) flow(v value, place string) string {
	switch v.kind {
	case nothing:
		return []string{"~", "null"}[s.pick(place+"#nothing", 2)]
	case mapping:
		parts := make([]string, len(v.fields))
		for i, f := range v.fields {
			parts[i] = s.key(f.name, place+"/"+f.name) + ": " + s.flow(f.value, place+"/"+f.name)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case words:
		if joined, ok := commas(v); ok && v.loose && s.once(place+"#commas", 4) {
			return s.scalar(joined, place)
		}
		fallthrough
	case list:
		parts := make([]string, len(v.items))
		for i, each := range v.items {
			parts[i] = s.flow(each, place+"/"+label(each, i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case duration:
		return s.duration(v, place)
	case number:
		if v.loose && s.once(place+"#text", 4) {
			return quoted(v.text)
		}
		return v.text
	case truth:
		if v.loose && s.once(place+"#text", 4) {
			return quoted(v.text)
		}
		return []string{strings.ToUpper(v.text[:1]) + v.text[1:], strings.ToUpper(v.text), v.text, v.text}[s.pick(place+"#truth", 4)]
	}
	return s.scalar(s.referring(v, place), place)
}

// commas writes a list of texts as one text, if that says the same.
func commas(v value) (string, bool) {
	texts := make([]string, len(v.items))
	for i, each := range v.items {
		if each.source || strings.ContainsAny(each.text, ", ${") || each.text == "" {
			return "", false
		}
		texts[i] = each.text
	}
	return strings.Join(texts, ","), len(texts) > 0
}

// duration writes seconds in one of the ways that Vault reads.
func (s *spelling) duration(v value, place string) string {
	n, err := strconv.Atoi(v.text)
	if err != nil {
		panic(err) // the generator makes numbers
	}
	forms := []string{v.text, quoted(v.text), v.text + "s"}
	if n > 0 && n%60 == 0 {
		forms = append(forms, fmt.Sprintf("%dm", n/60))
	}
	if n > 3600 {
		forms = append(forms, quoted(fmt.Sprintf("%dh%dm%ds", n/3600, n/60%60, n%60)))
	}
	if n > 0 && n%86400 == 0 {
		forms = append(forms, fmt.Sprintf("%dd", n/86400))
	}
	return forms[s.pick(place+"#duration", len(forms))]
}

// scalar writes a text as a scalar of one line.
func (s *spelling) scalar(text, place string) string {
	single := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.ContainsAny(text, "\n\t") {
		single = quoted(text)
	}
	if bareWord.MatchString(text) && !meant(text) {
		return []string{quoted(text), single, text, text}[s.pick(place+"#quotes", 4)]
	}
	return []string{quoted(text), single}[s.pick(place+"#quotes", 2)]
}

// block writes a text as a block scalar; "" where it is not.
func (s *spelling) block(v value, place string, indent int) string {
	text := s.referring(v, place)
	if text == "" || strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\n") || strings.ContainsAny(text, "\t") || strings.HasSuffix(text, "\n\n") {
		return ""
	}
	lines := strings.Contains(text, "\n")
	if s.pick(place+"#block", 3) > 0 && (!lines || !s.plain) {
		return ""
	}
	mark := "|"
	if !lines && s.once(place+"#folded", 2) {
		mark = ">"
	}
	if !strings.HasSuffix(text, "\n") {
		mark += "-"
	}
	var b strings.Builder
	b.WriteString(" " + mark + "\n")
	for line := range strings.Lines(strings.TrimSuffix(text, "\n") + "\n") {
		if line == "\n" {
			b.WriteString(line)
			continue
		}
		b.WriteString(strings.Repeat(" ", indent+2) + line)
	}
	return b.String()
}

// referring returns a text as it stands in the seed: with a reference for a part of it, or for
// the whole.
func (s *spelling) referring(v value, place string) string {
	literal := v.text
	if !v.source {
		literal = strings.ReplaceAll(v.text, "${", "$${")
	}
	if !v.refers || v.source || v.text == "" || strings.Contains(v.text, "${") || s.pick(place+"#refer", 6) > 0 || s.plain {
		return literal
	}
	head, tail := "", ""
	referred := v.text
	if letters := []rune(v.text); len(letters) > 2 && s.once(place+"#part", 3) {
		head, referred, tail = string(letters[:1]), string(letters[1:len(letters)-1]), string(letters[len(letters)-1:])
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(referred))
	quote := []string{`"`, "`"}[s.pick(place+"#argument", 2)]
	if s.once(place+"#file", 3) {
		name := fmt.Sprintf("referred-%08x.txt", sum.Sum32())
		s.files[name] = referred
		return head + "${ file " + quote + name + quote + " }" + tail
	}
	name := fmt.Sprintf("REFERRED_%08X", sum.Sum32())
	s.variables[name] = referred
	return head + "${ env " + quote + name + quote + " }" + tail
}
