package doccheck

import (
	"slices"
	"strings"
)

// Verbs are the commands of the program, each with its flags: 'break-glass run' → '--reason',
// '-n'. That of the program itself is "".
type Verbs map[string][]string

// below returns the verbs right below one, by their last word.
func (v Verbs) below(verb string) []string {
	var found []string
	for name := range v {
		rest, below := strings.CutPrefix(name, strings.TrimLeft(verb+" ", " "))
		if below && rest != "" && !strings.Contains(rest, " ") {
			found = append(found, rest)
		}
	}
	slices.Sort(found)
	return found
}

// with returns the verbs that have a flag.
func (v Verbs) with(flag string) []string {
	var found []string
	for verb, flags := range v {
		if slices.Contains(flags, flag) {
			found = append(found, "'"+strings.TrimSpace(program+" "+verb)+"'")
		}
	}
	slices.Sort(found)
	return found
}

// whoHas is the remedy for a flag that one verb has not.
func (v Verbs) whoHas(flag string) string {
	found := v.with(flag)
	if len(found) == 0 {
		return "No verb has it: name one that '--help' shows."
	}
	return "It is a flag of " + strings.Join(found, ", ") + "."
}
