package fields

import (
	"encoding/json"
	"strconv"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// misfit says what a field takes if v is nothing that a server can turn into it; wanted is empty if
// v may fit. refused is set where no server is expected ever to take v: a text that is no number is
// none for later versions either, while a text may become a list.
//
// Servers convert what they are given (Vault 1.21 and OpenBao 2.6: framework.FieldData), so a number
// fits where a text is expected, and one text where a list is.
func (f Field) misfit(v any) (wanted string, refused bool) {
	if undecided(v) {
		return "", false
	}
	for _, column := range f.Columns {
		kind := column.Kind
		if kind == None {
			continue
		}
		if kind.fits(v) {
			return "", false
		}
		wanted, refused = kind.form(), kind.scalar()
	}
	return wanted, refused
}

// undecided reports whether what v is can be judged only later, or not without looking at a secret.
func undecided(v any) bool {
	switch v.(type) {
	case value.Template, value.Generator, secret.Value, nil:
		return true
	}
	return false
}

// scalar reports whether the kind is one of which the text itself is judged.
func (k Kind) scalar() bool { return k == Bool || k == Integer || k == Number || k == Duration }

// open reports whether nothing is known of what the kind takes.
func (k Kind) open() bool { return k == Name || k == Other }

// form says what the kind takes, for messages.
func (k Kind) form() string {
	switch k {
	case Bool:
		return "true or false"
	case Integer:
		return "a whole number"
	case Number:
		return "a number"
	case Duration:
		return "a duration, such as 90, 30m, 1h30m or 7d"
	case Texts, Integers, Items:
		return "a list"
	case Mapping, Pairs:
		return "a mapping"
	}
	return "a text"
}

// fits reports whether a server may turn v into the kind.
func (k Kind) fits(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return k == Mapping || k == Pairs || k == Items || k.open() || len(v) == 0 && (k == Texts || k == Integers)
	case []any:
		return k.fitsList(v)
	case bool:
		return k != Duration && k != Mapping && k != Pairs
	case json.Number:
		return k.fitsText(v.String()) && k != Mapping && k != Pairs
	case string:
		return v == "" || k.fitsText(v)
	}
	return true
}

func (k Kind) fitsList(list []any) bool {
	switch k {
	case Texts:
		for _, item := range list {
			if _, scalar := value.ScalarText(item); !scalar && !undecided(item) {
				return false
			}
		}
		return true
	case Integers, Items, Pairs, Name, Other:
		return true
	case Mapping: // lists of mappings are merged
		return len(list) == 0 || !isScalar(list[0])
	}
	return false
}

func isScalar(v any) bool {
	_, scalar := value.ScalarText(v)
	return scalar
}

func (k Kind) fitsText(text string) bool {
	var err error
	switch k {
	case Bool:
		_, err = strconv.ParseBool(text)
	case Integer:
		_, err = strconv.ParseInt(text, 0, 64)
	case Number:
		_, err = strconv.ParseFloat(text, 64)
	case Duration:
		_, known := value.Seconds(text)
		return known
	case Mapping:
		return false
	}
	return err == nil
}

// describe names what v is without showing it.
func describe(v any) string {
	switch v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "such a list"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	}
	return "a text"
}
