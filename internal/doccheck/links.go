package doccheck

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	link      = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)`)
	reference = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+(\S+)`)
	mention   = regexp.MustCompile(`\bdecisions? (\d+)\b`)
)

// links looks for the file and the heading that each relative link leads to.
func (c *checker) links() {
	for _, b := range c.page.blocks {
		if b.code {
			continue
		}
		plain := b.plain()
		for _, pattern := range []*regexp.Regexp{link, reference} {
			for _, at := range pattern.FindAllStringSubmatchIndex(plain, -1) {
				c.link(b.at(at[2]), plain[at[2]:at[3]])
			}
		}
		for _, at := range mention.FindAllStringSubmatchIndex(plain, -1) {
			number := plain[at[2]:at[3]]
			if name := "docs/decisions/" + strings.Repeat("0", max(0, 4-len(number))) + number + "-*.md"; !c.facts.exists(name) {
				c.report(b.at(at[2]), "Name one of docs/decisions.", "there is no decision %s", number)
			}
		}
	}
}

func (c *checker) link(line int, target string) {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return
	}
	name, anchor, _ := strings.Cut(target, "#")
	file := c.file
	if name != "" {
		file = path.Join(path.Dir(c.file), name)
	}
	if !c.facts.exists(file) {
		remedy := "Correct the path, or take the link out."
		if other := c.facts.called(file); other != "" {
			remedy = "There is " + other + ": link to that, relative to " + c.file + "."
		}
		c.report(line, remedy, "the link to %s leads nowhere: there is no %s", target, file)
		return
	}
	if anchor == "" || path.Ext(file) != ".md" {
		return
	}
	there := c.page
	if file != c.file {
		text, err := c.facts.Read(file)
		if err != nil {
			c.report(line, "Make the file readable.", "the link to %s: %v", target, err)
			return
		}
		there = parse(text)
	}
	if !there.anchors[anchor] {
		c.report(line, near(anchor, there.anchors), "the link to %s leads nowhere: %s has no heading of that name", target, file)
	}
}

// near is the remedy for an anchor that is missing: up to three that share a word with it.
func near(anchor string, there map[string]bool) string {
	var found []string
	for name := range there {
		for _, word := range strings.Split(anchor, "-") {
			if len(word) > 3 && strings.Contains(name, word) {
				found = append(found, "#"+name)
				break
			}
		}
	}
	if len(found) == 0 {
		return "Link to a heading that is there."
	}
	slices.Sort(found)
	return "Link to a heading that is there: " + strings.Join(found[:min(3, len(found))], ", ") + "."
}
