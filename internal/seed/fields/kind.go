package fields

import "slices"

// Kind is what a server turns the value of a field into.
type Kind int

// The kinds. None is that of a field which a product does not have.
const (
	None Kind = iota
	Bool
	Integer
	Number
	Duration
	Time
	Text
	Texts
	Integers
	Items
	Mapping
	Pairs
	// Name is a name in the path of the endpoint: a server accepts the field, and takes the one in
	// the path.
	Name
	// Other is what the document calls by a name that is none of these.
	Other
)

// kindNames are the names of the kinds in the table.
var kindNames = [...]string{"-", "bool", "integer", "number", "duration", "time", "text", "texts", "integers", "items", "mapping", "pairs", "name", "other"}

// String returns the kind's name in the table.
func (k Kind) String() string { return kindNames[k] }

// kindNamed returns the kind of a name.
func kindNamed(name string) (Kind, bool) {
	i := slices.Index(kindNames[:], name)
	return Kind(max(i, 0)), i > 0
}
