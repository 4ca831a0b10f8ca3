package seed

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// saving is where Vault's answer to a write is kept in KV.
type saving struct {
	path string
	// wrapped is whether the engine is of version 2, which takes values under "data".
	wrapped bool
}

// body returns what is written to keep answer.
func (s saving) body(answer map[string]any) map[string]any {
	if s.wrapped {
		return map[string]any{"data": answer}
	}
	return answer
}

// onceValue returns values that are written to a KV engine where there is nothing.
// name is the path below the mount.
func onceValue(mount string, version2 bool, name string, values map[string]any) Object {
	o := Object{
		ID: ID(mount + "/" + name), Stage: StageValues, Mount: ID("sys/mounts/" + mount), Type: "kv", Data: values,
		endpoint: "kv/once", how: traits{once: true, hushed: true},
	}
	if version2 {
		// Metadata tells whether there is anything, and holds no secret. cas 0 has
		// Vault refuse the write if somebody was quicker.
		o.ID, o.how.read = ID(mount+"/data/"+name), mount+"/metadata/"+name
		o.Data = map[string]any{"data": values, "options": map[string]any{"cas": 0}}
	}
	return o
}

// startupValue returns values that are kept as declared at an API path of a KV engine.
func startupValue(mount ID, path string, wrapped bool, values, options map[string]any) Object {
	o := Object{ID: ID(path), Stage: StageValues, Mount: mount, Type: "kv", Data: values, endpoint: "kv/startup", how: traits{hushed: true}}
	if wrapped {
		o.Data = map[string]any{"data": values}
	}
	if len(options) > 0 {
		o.how.extra = map[string]any{"options": options}
	}
	return o
}

// generator is a value that is made up when it is first written.
type generator struct {
	length   int
	alphabet string
	// policy is the name of a password policy of Vault, in the place of the others.
	policy string
}

// The alphabets that have a name.
var alphabets = map[string]string{
	"alphanumeric": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	"hex":          "0123456789abcdef",
	"digits":       "0123456789",
}

// The bounds of generated values. 32 letters and digits are 190 bits.
const (
	usualLength = 32
	leastLength = 8
	mostLength  = 4096
)

// newGenerator reads what 'generate' holds.
func newGenerator(fields map[string]any) (generator, error) {
	g := generator{length: usualLength, alphabet: alphabets["alphanumeric"]}
	for name, value := range fields {
		text, ok := scalarText(value)
		switch {
		case !ok:
			return g, fmt.Errorf("%q of generate must be a text or number", name)
		case name == "length":
			if _, err := fmt.Sscanf(text, "%d", &g.length); err != nil || g.length < leastLength || g.length > mostLength {
				return g, fmt.Errorf("length must be from %d to %d", leastLength, mostLength)
			}
		case name == "alphabet":
			g.alphabet = text
			if known, isName := alphabets[text]; isName {
				g.alphabet = known
			}
			if len([]rune(g.alphabet)) < 2 {
				return g, fmt.Errorf("alphabet needs two characters at least, or one of the names alphanumeric, hex, digits")
			}
		case name == "policy":
			g.policy = text
		default:
			return g, fmt.Errorf("generate takes length and alphabet, or policy; %q is unknown", name)
		}
	}
	if g.policy != "" && len(fields) > 1 {
		return g, fmt.Errorf("generate takes policy alone")
	}
	return g, nil
}

// withGenerators returns values with every 'generate' mapping read.
func withGenerators(values map[string]any, at Position, problems *Problems) map[string]any {
	out := make(map[string]any, len(values))
	for name, value := range values {
		out[name] = value
		inner, ok := value.(map[string]any)
		if !ok {
			continue
		}
		if how, ok := inner["generate"]; ok && len(inner) == 1 {
			fields, _ := how.(map[string]any)
			g, err := newGenerator(fields)
			if err != nil {
				problems.add(at, "%q: %s", name, err)
			}
			out[name] = g
			continue
		}
		out[name] = withGenerators(inner, at, problems)
	}
	return out
}

// make returns a new value, every character equally likely.
func (g generator) make() (secret.Value, error) {
	letters := []rune(g.alphabet)
	var b strings.Builder
	for range g.length {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return secret.Value{}, fmt.Errorf("making a random value: %w", err)
		}
		b.WriteRune(letters[i.Int64()])
	}
	return secret.New(b.String()), nil
}
