package value

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Generator is a value that is generated when it is first written.
type Generator struct {
	Length   int
	Alphabet string
	// Policy is the name of a password policy in Vault, instead of the other fields.
	Policy string
}

// The named alphabets.
var alphabets = map[string]string{
	"alphanumeric": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	"hex":          "0123456789abcdef",
	"digits":       "0123456789",
}

// The lengths of generated values. 32 letters and digits are 190 bits.
const (
	defaultLength = 32
	minLength     = 8
	maxLength     = 4096
)

// newGenerator reads what 'generate' holds.
func newGenerator(fields map[string]any) (Generator, error) {
	g := Generator{Length: defaultLength, Alphabet: alphabets["alphanumeric"]}
	for name, value := range fields {
		text, ok := ScalarText(value)
		switch {
		case !ok:
			return g, fmt.Errorf("%q of generate must be a text or number", name)
		case name == "length":
			n, err := strconv.Atoi(text)
			if err != nil || n < minLength || n > maxLength {
				return g, fmt.Errorf("length must be from %d to %d", minLength, maxLength)
			}
			g.Length = n
		case name == "alphabet":
			g.Alphabet = text
			if known, isName := alphabets[text]; isName {
				g.Alphabet = known
			}
			letters := []rune(g.Alphabet)
			slices.Sort(letters)
			if different := slices.Compact(slices.Clone(letters)); len(different) < 2 || len(different) < len(letters) {
				return g, fmt.Errorf("alphabet must have at least two characters, each once, or be alphanumeric, hex or digits")
			}
		case name == "policy":
			if err := CheckPasswordPolicy(text); err != nil {
				return g, fmt.Errorf("the name %q of the password policy cannot be used: %w", text, err)
			}
			g.Policy = text
		default:
			return g, fmt.Errorf("generate takes length and alphabet, or policy; %q is unknown", name)
		}
	}
	if g.Policy != "" && len(fields) > 1 {
		return g, fmt.Errorf("generate takes policy alone")
	}
	return g, nil
}

// WithGenerators returns values with every 'generate' mapping read.
func WithGenerators(values map[string]any, at Position, problems *Problems) map[string]any {
	if _, isMapping := values["generate"].(map[string]any); isMapping {
		problems.Add(at, "generate is used where a name is expected: write NAME: {generate: {length: 32}}")
	}
	out := make(map[string]any, len(values))
	for name, value := range values {
		out[name] = withGenerator(name, value, at, problems)
	}
	return out
}

// withGenerator returns value with every 'generate' mapping in it read. It reports what is nearly
// one, since nobody means that as a value; a text or number called 'generate' among others is a
// value like any other.
func withGenerator(name string, value any, at Position, problems *Problems) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, each := range value {
			list[i] = withGenerator(name, each, at, problems)
		}
		return list
	case map[string]any:
		how, generates := value["generate"]
		fields, isMapping := how.(map[string]any)
		if !generates || !isMapping && len(value) > 1 {
			return WithGenerators(value, at, problems)
		}
		if !isMapping || len(value) > 1 {
			problems.Add(at, "%q: write {generate: {length: 32}}, with nothing else beside generate", name)
			return value
		}
		g, err := newGenerator(fields)
		if err != nil {
			problems.Add(at, "%q: %s", name, err)
		}
		return g
	}
	return value
}

// Make returns a new value, with uniformly random characters.
func (g Generator) Make() (secret.Value, error) {
	letters := []rune(g.Alphabet)
	var b strings.Builder
	for range g.Length {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return secret.Value{}, fmt.Errorf("making a random value: %w", err)
		}
		b.WriteRune(letters[i.Int64()])
	}
	return secret.New(b.String()), nil
}

// EachGenerator calls visit for every value that is to be generated.
func EachGenerator(value any, visit func(Generator)) {
	switch value := value.(type) {
	case Generator:
		visit(value)
	case map[string]any:
		for _, inner := range value {
			EachGenerator(inner, visit)
		}
	case []any:
		for _, inner := range value {
			EachGenerator(inner, visit)
		}
	}
}
