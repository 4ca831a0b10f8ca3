package doccheck

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// program is the name of ours.
const program = "vault-bootstrap"

// tools are programs of others: what they take is theirs to say.
var tools = strings.Fields("aliyun apt-get awk aws az bank-vaults base64 buildah cat chmod cp curl docker echo gcloud git go " +
	"gpg grep helm install jq kubectl mkdir mv oci openssl pkcs11-tool printf ps rm sed swapon terraform ulimit umask vault xargs")

var (
	flag     = regexp.MustCompile(`(?:^|[\s(\[,'"|/])(--[a-z][a-z0-9-]*)`)
	variable = regexp.MustCompile(`\bVAULT_BOOTSTRAP_([A-Z][A-Z_]*[A-Z])\b`)
	assigned = regexp.MustCompile(`^[A-Z_]+=`)
	phrase   = regexp.MustCompile(`^[A-Za-z][A-Za-z-]*( [A-Za-z-]+)+$`)
)

// commands judges every flag and verb, by the command line in which it stands.
func (c *checker) commands() {
	for _, b := range c.page.blocks {
		if b.code {
			lines := strings.Split(b.text, "\n")
			for i := 0; i < len(lines); i++ {
				first, text := i, lines[i]
				for strings.HasSuffix(text, "\\") && i+1 < len(lines) {
					i++
					text = strings.TrimSuffix(text, "\\") + lines[i]
				}
				c.line(b.line+first, text, false)
			}
			continue
		}
		for _, s := range b.spans() {
			c.line(s.line, s.text, true)
		}
		plain := b.plain()
		for _, at := range flag.FindAllStringSubmatchIndex(plain, -1) {
			c.anywhere(b.at(at[2]), plain[at[2]:at[3]])
		}
	}
}

// line judges a line of code. In a sentence it may begin with a verb of ours.
func (c *checker) line(line int, text string, inText bool) {
	if inText && c.facts.Terminal[text] { // such as 'keys lost', where 'keys' is a verb
		return
	}
	for _, words := range split(text) {
		for len(words) > 0 && assigned.MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		first := path.Base(words[0])
		_, verb := c.facts.Verbs[words[0]]
		switch {
		case first == program:
			c.ours(line, words[1:])
		case first == "kubectl" && len(words) > 1 && words[1] == program:
			c.ours(line, words[2:])
		case first == "make":
			c.make(line, words[1:])
		case inText && verb:
			c.ours(line, words)
		case strings.Contains(words[0], "/") && c.facts.exists(words[0]):
			c.script(line, words)
		case first == "helm":
			c.helm(line, words)
		case slices.Contains(tools, first):
			if at := slices.Index(words, "--"); at >= 0 {
				c.line(line, strings.Join(words[at+1:], " "), false)
			}
		case inText && phrase.MatchString(text):
			c.report(line, "A terminal error has the name of a section of docs/runbook.md; other words need no backquotes.", "no command and no terminal error is called %q", text)
		default:
			for _, at := range flag.FindAllStringSubmatch(strings.Join(words, " "), -1) {
				c.anywhere(line, at[1])
			}
		}
	}
}

// ours judges the arguments of our program.
func (c *checker) ours(line int, words []string) {
	verbs, rest := []string{""}, words
	for len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		var below []string
		for _, verb := range verbs {
			for _, name := range strings.Split(rest[0], "|") {
				next := strings.TrimSpace(verb + " " + name)
				if _, known := c.facts.Verbs[next]; known {
					below = append(below, next)
				}
			}
		}
		if len(below) == 0 {
			if len(c.facts.Verbs.below(verbs[0])) > 0 && !placeholder.MatchString(rest[0]) && rest[0] != "..." {
				c.report(line, "Name one of: "+strings.Join(c.facts.Verbs.below(verbs[0]), ", ")+".",
					"there is no verb %q", strings.TrimSpace(program+" "+verbs[0])+" "+rest[0])
				return
			}
			break
		}
		verbs, rest = below, rest[1:]
	}
	for _, word := range rest {
		if word == "--" {
			return // a command of somebody else's
		}
		name, _, _ := strings.Cut(strings.TrimLeft(word, "[("), "=")
		name = strings.TrimRight(name, "]),")
		if !strings.HasPrefix(name, "-") || len(name) < 2 {
			continue
		}
		for _, verb := range verbs {
			if !slices.Contains(c.facts.Verbs[verb], name) {
				c.report(line, c.facts.Verbs.whoHas(name), "%s has no flag %s", strings.TrimSpace(program+" "+verb), name)
			}
		}
	}
}

// anywhere judges a flag that stands in no command line.
func (c *checker) anywhere(line int, name string) {
	if c.facts.Foreign[name] != "" || len(c.facts.Verbs.with(name)) > 0 {
		return
	}
	c.report(line, "Name a flag that '--help' shows; one of another program goes into the list of foreign flags in the test.",
		"no verb has the flag %s", name)
}

// make judges the targets of make.
func (c *checker) make(line int, words []string) {
	for _, word := range words {
		if strings.HasPrefix(word, "-") || strings.Contains(word, "=") || placeholder.MatchString(word) {
			continue
		}
		if word = strings.TrimRight(word, ".,;"); !c.facts.Targets[word] {
			c.report(line, "Name a target that 'make help' lists.", "the Makefile has no target %s", word)
		}
	}
}

// script judges the flags of a script of the repository: its text has to hold them.
func (c *checker) script(line int, words []string) {
	text, err := c.facts.Read(path.Clean(words[0]))
	if err != nil {
		return // a directory
	}
	for _, word := range words[1:] {
		if name, _, _ := strings.Cut(word, "="); strings.HasPrefix(name, "--") && !strings.Contains(text, name) {
			c.report(line, "Look into the script for what it takes.", "%s has no flag %s", words[0], name)
		}
	}
}

// helm judges the values that are set of our chart.
func (c *checker) helm(line int, words []string) {
	if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, program) }) {
		return // of another chart
	}
	for i, word := range words {
		settings, joined := strings.CutPrefix(word, "--set=")
		if !joined && (word != "--set" || i+1 == len(words)) {
			continue
		}
		if !joined {
			settings = words[i+1]
		}
		for _, setting := range strings.Split(settings, ",") {
			name, _, _ := strings.Cut(setting, "=")
			c.value(line, name)
		}
	}
}

func (c *checker) value(line int, name string) {
	if name, _, _ = strings.Cut(name, "["); !c.facts.Values[name] {
		c.report(line, "The table in the chart's README has all values.", "the chart has no value %s", name)
	}
}

var dotted = regexp.MustCompile(`^([a-z][A-Za-z]*)(\.[A-Za-z][A-Za-z]*)+(=.*)?$`)

// values judges what a sentence names by its path in the chart's values: the first part of it is
// a value of ours, and it is no file.
func (c *checker) values() {
	for _, b := range c.page.blocks {
		if b.code {
			continue
		}
		for _, s := range b.spans() {
			parts := dotted.FindStringSubmatch(s.text)
			if parts == nil || !c.facts.Values[parts[1]] {
				continue
			}
			name, _, _ := strings.Cut(s.text, "=")
			switch path.Ext(name) {
			case ".yaml", ".yml", ".json", ".txt", ".go", ".md", ".hcl", ".pem":
				continue
			}
			c.value(s.line, name)
		}
	}
}

// variables looks for the flag of each variable.
func (c *checker) variables() {
	for _, b := range c.page.blocks {
		for _, at := range variable.FindAllStringSubmatchIndex(b.text, -1) {
			name := b.text[at[2]:at[3]]
			c.anywhere(b.at(at[2]), "--"+strings.ToLower(strings.ReplaceAll(name, "_", "-")))
		}
	}
}
