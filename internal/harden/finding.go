package harden

import (
	"fmt"
	"strings"
)

// Finding is what a control's check has found.
type Finding struct {
	Status Status
	// Seen is a sentence, without a full stop, that says what was found: of a failure the contrary of
	// the control's title.
	Seen string
	// Value is what was seen, in numbers and names, such as '0 of 1 required'; empty if the sentence
	// says it all.
	Value string
	// Objects are what is to blame, by names that exceptions can use: paths, policies, service
	// accounts. Only failures have any.
	Objects []string
	// Declared are those of the objects that the seed declares so.
	Declared []Waiver
}

func holds(seen string) Finding { return Finding{Status: Holds, Seen: seen} }

func fails(seen string) Finding { return Finding{Status: Fails, Seen: seen} }

func inapplicable(format string, args ...any) Finding {
	return Finding{Status: Inapplicable, Seen: fmt.Sprintf(format, args...)}
}

// unknown returns the finding where a fact is missing, and why it is.
func unknown(why string) Finding {
	if why == "" {
		return Finding{Status: Unknown, Seen: "It was not read"}
	}
	return Finding{Status: Unknown, Seen: "It could not be read: " + why}
}

// valued returns f with the value that was seen.
func (f Finding) valued(format string, args ...any) Finding {
	f.Value = fmt.Sprintf(format, args...)
	return f
}

// valuedIf adds a value to that of f under a condition.
func (f Finding) valuedIf(is bool, format string, args ...any) Finding {
	if is {
		f.Value = strings.TrimPrefix(f.Value+", "+fmt.Sprintf(format, args...), ", ")
	}
	return f
}

// blame fails if there are objects, and holds otherwise. bad and good say what was found, and noun
// is what the objects are, one of them.
func blame(objects []string, noun, bad, good string) Finding {
	if len(objects) == 0 {
		return holds(good)
	}
	return Finding{Status: Fails, Seen: bad, Value: count(len(objects), noun), Objects: objects}
}

// count returns a number of things, given the word for one.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	if strings.HasSuffix(noun, "ss") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// String returns the sentence with the value.
func (f Finding) String() string {
	if f.Value == "" {
		return f.Seen
	}
	return f.Seen + " (" + f.Value + ")"
}
