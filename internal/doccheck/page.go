package doccheck

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// page is a document in Markdown, taken apart as far as the rules need.
type page struct {
	blocks  []block
	anchors map[string]bool
}

// block is a paragraph, a row of a table or a whole code block.
type block struct {
	line int // of its beginning
	text string
	code bool
}

// at returns the line of an offset in the block's text.
func (b block) at(offset int) int { return b.line + strings.Count(b.text[:offset], "\n") }

// flat returns the text with its lines joined by spaces: offsets stay what they are.
func (b block) flat() string { return strings.ReplaceAll(b.text, "\n", " ") }

var (
	heading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	named   = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// parse takes a text apart.
func parse(text string) page {
	p := page{anchors: map[string]bool{}}
	var open block // what is being read
	flush := func() {
		if open.text != "" {
			p.blocks = append(p.blocks, open)
		}
		open = block{}
	}
	fence, blank := "", true
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		indented := strings.HasPrefix(line, "    ") && (blank || open.code)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
				flush()
				continue
			}
			open.text += line + "\n"
			continue
		case strings.HasPrefix(trimmed, "```"):
			flush()
			fence, open = "```", block{line: i + 2, code: true}
			continue
		case trimmed == "":
			if !open.code {
				flush()
			} else {
				open.text += "\n"
			}
		case indented:
			if !open.code {
				flush()
				open = block{line: i + 1, code: true}
			}
			open.text += line + "\n"
		default:
			if open.code || strings.HasPrefix(line, "|") || strings.HasPrefix(open.text, "|") {
				flush()
			}
			if title := heading.FindStringSubmatch(line); title != nil {
				flush()
				p.anchor(title[1])
			}
			for _, name := range named.FindAllStringSubmatch(line, -1) {
				p.anchors[name[1]] = true
			}
			if open.text == "" {
				open.line = i + 1
			}
			open.text += line + "\n"
			if heading.MatchString(line) {
				flush()
			}
		}
		blank = trimmed == ""
	}
	flush()
	return p
}

// anchor enters that of a heading, as GitHub makes it.
func (p page) anchor(title string) {
	title = linked.ReplaceAllString(title, "$1")
	var slug strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			slug.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			slug.WriteRune(r)
		}
	}
	name := slug.String()
	for n := 1; p.anchors[name]; n++ {
		name = slug.String() + "-" + strconv.Itoa(n)
	}
	p.anchors[name] = true
}

// span is a piece of code in a line of text.
type span struct {
	line, from, to int // offsets in the block
	text           string
}

// spans returns the pieces of code in a block of text: what stands between as many backquotes
// on either side.
func (b block) spans() []span {
	var found []span
	for i := 0; i < len(b.text); {
		if b.text[i] != '`' {
			i++
			continue
		}
		ticks := len(b.text[i:]) - len(strings.TrimLeft(b.text[i:], "`"))
		mark := b.text[i : i+ticks]
		end := strings.Index(b.text[i+ticks:], mark)
		if end < 0 {
			return found
		}
		from, to := i+ticks, i+ticks+end
		found = append(found, span{b.at(from), from, to, strings.ReplaceAll(b.text[from:to], "\n", " ")})
		i = to + ticks
	}
	return found
}

// plain returns the block's text without its code: spaces stand in its place.
func (b block) plain() string {
	text := []byte(b.flat())
	for _, s := range b.spans() {
		for i := s.from; i < s.to; i++ {
			text[i] = ' '
		}
	}
	return string(text)
}

// cells returns the cells of a row of a table, nil for other text.
func (b block) cells() []string {
	row := strings.TrimSpace(b.text)
	if b.code || !strings.HasPrefix(row, "|") {
		return nil
	}
	var cells []string
	for _, cell := range strings.Split(strings.Trim(row, "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}
