package explain

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Wrap returns a text in Markdown with its paragraphs and list items filled to lines of at most width
// columns. Code, which is indented by four spaces or fenced, stays as it is: a command that is broken
// elsewhere is another one.
func Wrap(text string, width int) string {
	var b strings.Builder
	var words []string
	first, rest := "", ""
	flush := func() {
		if len(words) > 0 {
			b.WriteString(wrapWords(first, rest, plain(strings.Join(words, " ")), " ", width))
		}
		words, first, rest = nil, "", ""
	}
	fenced := false
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		line = strings.TrimRight(line, "\n ")
		if strings.HasPrefix(line, "```") {
			flush()
			fenced = !fenced
			continue
		}
		switch item := listItem.FindString(line); {
		case fenced:
			b.WriteString("    " + line + "\n")
		case line == "":
			flush()
			b.WriteByte('\n')
		case strings.HasPrefix(line, "    ") && len(words) == 0, strings.HasPrefix(line, "|"), strings.HasPrefix(line, "#"):
			flush()
			b.WriteString(plain(line) + "\n")
		case item != "":
			flush()
			first, rest = item, strings.Repeat(" ", len(item))
			words = append(words, strings.Fields(line[len(item):])...)
		default:
			words = append(words, strings.Fields(line)...)
		}
	}
	flush()
	return b.String()
}

var (
	listItem = regexp.MustCompile(`^ *(?:-|\d+\.) +`)
	link     = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)
	markup   = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*")
)

// plain takes the markup of links and emphasis out of a line.
func plain(line string) string {
	if strings.HasPrefix(line, "    ") {
		return line
	}
	return markup.ReplaceAllString(link.ReplaceAllString(line, "$1"), "$1$2")
}

// wrapWords fills lines with the parts of a text; the first and the other lines have a beginning of their
// own.
func wrapWords(first, rest, text, between string, width int) string {
	var b strings.Builder
	line, empty := first, true
	parts := strings.Split(text, between)
	for i, word := range parts {
		if i < len(parts)-1 {
			word += strings.TrimRight(between, " ")
		}
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	b.WriteString(line + "\n")
	return b.String()
}
