package value

import "fmt"

// Nearest returns the name closest to word, or "" when none is close enough to
// be what the writer meant.
func Nearest(word string, names []string) string {
	best, distance := "", len(word)/3+2
	for _, name := range names {
		if len(name)-len(word) >= distance || len(word)-len(name) >= distance {
			continue // each letter more or less is an edit
		}
		if d := Edits(word, name); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// Edits returns how many insertions, deletions and substitutions turn a into b.
func Edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// Suggestion returns a question that names the known word closest to word, and "" when none
// is close enough.
func Suggestion(word string, known []string) string {
	if meant := Nearest(word, known); meant != "" {
		return fmt.Sprintf("; did you mean %q?", meant)
	}
	return ""
}
