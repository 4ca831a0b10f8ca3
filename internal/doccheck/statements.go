package doccheck

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	terminal = regexp.MustCompile("\\bterminal `([^`]+)`")
	ended    = regexp.MustCompile("`([^`]+)` \\((?:exit )?(\\d+)\\)")
	codes    = []*regexp.Regexp{
		regexp.MustCompile(`(?i)\bexit(?:s|ed)?(?: codes?| with)?(?: code)? (\d+(?:, \d+)*(?:,? (?:and|or) \d+)?)\b`),
		regexp.MustCompile(`\b(?:ends?|ended|end) with (\d+)\b`),
		regexp.MustCompile(`\bwith (\d+) (?:after|for|as|when|if)\b`),
		regexp.MustCompile(`\((6\d|7\d)\)`),
	}
	digits  = regexp.MustCompile(`\d+`)
	numbers = strings.Fields("no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty")
)

// names looks for the terminal errors that are called so, and judges the exit code that stands
// behind a name.
func (c *checker) names() {
	for _, b := range c.page.blocks {
		for _, at := range ended.FindAllStringSubmatchIndex(b.flat(), -1) {
			code, err := strconv.Atoi(b.text[at[4]:at[5]])
			if fits := c.facts.Exit[code]; err == nil && fits != nil && c.facts.Terminal[b.text[at[2]:at[3]]] && !fits.MatchString("terminal") {
				c.report(b.at(at[0]), "The README has the table of exit codes.", "%q is a terminal error, and does not end with %d", b.text[at[2]:at[3]], code)
			}
		}
		for _, at := range terminal.FindAllStringSubmatchIndex(b.flat(), -1) {
			if name := b.text[at[2]:at[3]]; !c.facts.Terminal[name] {
				c.report(b.at(at[2]), "The headings of docs/runbook.md are the names.", "there is no terminal error %q", name)
			}
		}
	}
}

// codes judges the exit codes: each has to be one, and where a table says what each means, it has
// all of them, with their meaning.
func (c *checker) codes() {
	code, meaning := -1, -1 // columns of the table that is being read
	var seen []int
	header := 0
	end := func() {
		if meaning < 0 {
			return
		}
		for n := range c.facts.Exit {
			if !slices.Contains(seen, n) {
				c.report(header, "Add its row.", "the table of exit codes lacks %d", n)
			}
		}
	}
	for _, b := range c.page.blocks {
		cells := b.cells()
		if cells == nil {
			end()
			code, meaning, seen = -1, -1, nil
		} else if at := slices.IndexFunc(cells, func(cell string) bool { return cell == "code" || cell == "exit" || cell == "exit code" }); at >= 0 {
			code, meaning, header = at, slices.Index(cells, "meaning"), b.line
		} else if code >= 0 && code < len(cells) {
			if n, err := strconv.Atoi(cells[code]); err == nil {
				seen = append(seen, n)
				c.code(b.line, n)
				if fits := c.facts.Exit[n]; fits != nil && meaning >= 0 && !fits.MatchString(cells[meaning]) {
					c.report(b.line, "Its meaning holds one of: "+fits.String()+".", "exit code %d does not mean %q", n, cells[meaning])
				}
			}
		}
		for _, pattern := range codes {
			for _, at := range pattern.FindAllStringSubmatchIndex(b.flat(), -1) {
				if strings.HasPrefix(b.flat()[at[1]:], " second") {
					continue
				}
				for _, digit := range digits.FindAllString(b.text[at[2]:at[3]], -1) {
					n, err := strconv.Atoi(digit)
					if err == nil {
						c.code(b.at(at[2]), n)
					}
				}
			}
		}
	}
	end()
}

func (c *checker) code(line, n int) {
	if c.facts.Exit[n] == nil {
		c.report(line, "The README has the table of exit codes.", "there is no exit code %d", n)
	}
}

// counts compares the numbers that the page states.
func (c *checker) counts() {
	for _, b := range c.page.blocks {
		text := []byte(b.flat())
		for _, count := range c.facts.Counts {
			for _, at := range count.Of.FindAllSubmatchIndex(text, -1) {
				word := strings.ToLower(string(text[at[2]:at[3]]))
				got, err := strconv.Atoi(word)
				if err != nil {
					got = slices.Index(numbers, word)
				}
				if got >= 0 && got != count.Want {
					c.report(b.at(at[0]), "It is counted in "+count.From+".", "%q: there are %d", string(text[at[0]:at[1]]), count.Want)
				}
				for i := at[0]; i < at[1]; i++ {
					text[i] = ' '
				}
			}
		}
	}
}
