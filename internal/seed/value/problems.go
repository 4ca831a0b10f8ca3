package value

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

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

// CheckPath says what is wrong with a path of one or more names.
func CheckPath(path string) error {
	for name := range strings.SplitSeq(path, "/") {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// CheckWritten returns the path of a write as the seed gives it, without a leading slash, and says
// what is wrong with it. Vault refuses to write to a path that ends with a slash (1.21.5 and later;
// OpenBao since 2.5.3), or cuts the slash off (earlier).
func CheckWritten(given string) (path string, err error) {
	path = strings.TrimPrefix(given, "/")
	if path != "" && strings.HasSuffix(path, "/") {
		return path, fmt.Errorf("it ends with a slash")
	}
	return path, CheckPath(path)
}

// CheckName says what is wrong with a name. A valid name cannot redirect an API path.
func CheckName(name string) error {
	if strings.ContainsAny(name, "/*+?#") {
		return fmt.Errorf(`it holds "/", "*", "+", "?" or "#"`)
	}
	return checkPart(name)
}

// reservedNamespaces are the words that Vault reserves for its own paths and its root.
var reservedNamespaces = []string{"audit", "auth", "cubbyhole", "identity", "root", "sys"}

// ReservedNamespace returns the word in the path of a namespace that Vault reserves, "" for none.
func ReservedNamespace(path string) string {
	for name := range strings.SplitSeq(path, "/") {
		if slices.Contains(reservedNamespaces, name) {
			return name
		}
	}
	return ""
}

// CheckWholeName says what is wrong with a name that may contain slashes, because Vault uses the
// rest of the path as the name: those of policies, entities and groups, and those from a directory.
func CheckWholeName(name string) error {
	switch {
	case strings.Contains(name, "?"): // what follows is a query
		return fmt.Errorf(`it holds "?"`)
	case strings.Contains(name, "+*"):
		return fmt.Errorf(`it holds "+*", which no policy of Vault can name`)
	}
	for part := range strings.SplitSeq(name, "/") {
		if err := checkPart(part); err != nil {
			return err
		}
	}
	return nil
}

// CheckPasswordPolicy says what is wrong with the name of a password policy.
func CheckPasswordPolicy(name string) error {
	if strings.HasSuffix(name, "/generate") {
		return fmt.Errorf("passwords are generated there")
	}
	return CheckWholeName(name)
}

func checkPart(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("it is empty")
	case name == "." || name == "..":
		return fmt.Errorf("it is a relative path")
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("it begins or ends with a space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("it holds a control character")
	}
	return nil
}
