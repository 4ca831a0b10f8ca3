package value

import (
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Position is a position in the seed. The zero Position means that the object is not from a file
// but the program's own.
type Position struct {
	File string
	// Line and Column count from 1; 0 means unknown.
	Line, Column int
}

// String returns file:line:column, as far as it is known.
func (p Position) String() string {
	switch {
	case p.File == "":
		return "built in"
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Problem is one thing that is wrong with a seed.
type Problem struct {
	Position Position
	Text     string
}

// String returns the position and the text, as compilers print them.
func (p Problem) String() string { return p.Position.String() + ": " + p.Text }

// ProblemLimit is how many problems are reported at once: enough to repair a seed in a few rounds,
// and few enough that the first one stays on the screen.
const ProblemLimit = 20

// Problems is the error of an invalid seed: every problem found, in reading order.
type Problems struct {
	List []Problem
	// More is how many were found beyond those in List.
	More int
}

// Error returns one line per problem.
func (p *Problems) Error() string {
	lines := make([]string, 0, len(p.List)+1)
	for _, problem := range p.List {
		lines = append(lines, problem.String())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", p.More))
	}
	return strings.Join(lines, "\n")
}

// Add records a problem.
func (p *Problems) Add(at Position, format string, args ...any) {
	if p.Full() {
		p.More++
		return
	}
	p.List = append(p.List, Problem{at, fmt.Sprintf(format, args...)})
}

// Join records the problems of another.
func (p *Problems) Join(other *Problems) {
	room := min(ProblemLimit-len(p.List), len(other.List))
	p.List = append(p.List, other.List[:room]...)
	p.More += other.More + len(other.List) - room
}

// Full reports whether no further problem is reported, only counted.
func (p *Problems) Full() bool { return len(p.List) == ProblemLimit }

// Err returns p as a seed fault, and nil when there is no problem.
func (p *Problems) Err(remedy string) error {
	if len(p.List) == 0 {
		return nil
	}
	return fault.BadSeed(p, remedy)
}
