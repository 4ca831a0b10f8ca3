package doccheck

import "strings"

// split takes a line of a shell apart: commands, each as its words. It knows quotes, comments,
// and what stands between commands; what it does not know it takes for words.
func split(line string) [][]string {
	var commands [][]string
	var words []string
	var word strings.Builder
	quote, quoted := rune(0), false
	endWord := func() {
		if word.Len() > 0 || quoted {
			words = append(words, word.String())
		}
		word.Reset()
		quoted = false
	}
	endCommand := func() {
		endWord()
		if len(words) > 0 {
			commands = append(commands, words)
		}
		words = nil
	}
	runes := []rune(line)
	next := func(i int) rune {
		if i+1 < len(runes) {
			return runes[i+1]
		}
		return ' '
	}
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, quoted = r, true
		case r == '#' && word.Len() == 0:
			endCommand()
			return commands
		case r == ' ' || r == '\t':
			endWord()
		case r == ';', r == '&' && next(i) == '&', r == '$' && next(i) == '(':
			endCommand()
			if r != ';' {
				i++
			}
		case r == '|' && word.Len() == 0: // not that of 'run|exec'
			endCommand()
		case (r == '(' || r == ')') && word.Len() == 0, r == ')':
			endCommand()
		default:
			word.WriteRune(r)
		}
	}
	endCommand()
	return commands
}
