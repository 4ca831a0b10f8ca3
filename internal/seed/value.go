package seed

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// saving is where Vault's answer to a write is kept in KV.
type saving struct {
	path string
	// wrapped is whether the engine is of version 2, which takes values under "data".
	wrapped bool
}

// mounts returns the engines that can hold the path in the namespace ns.
func (s saving) mounts(ns string) (ids []ID) {
	path := strings.TrimPrefix(s.path, ns)
	for i, letter := range path {
		if letter == '/' {
			ids = append(ids, ID(ns+"sys/mounts/"+path[:i]))
		}
	}
	return ids
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
	o := Object{ID: ID(path), Stage: StageValues, Mount: mount, Type: "kv", Data: values, endpoint: "kv/startup", how: traits{hushed: true, exact: true, whole: !wrapped}}
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
			n, err := strconv.Atoi(text)
			if err != nil || n < leastLength || n > mostLength {
				return g, fmt.Errorf("length must be from %d to %d", leastLength, mostLength)
			}
			g.length = n
		case name == "alphabet":
			g.alphabet = text
			if known, isName := alphabets[text]; isName {
				g.alphabet = known
			}
			letters := []rune(g.alphabet)
			slices.Sort(letters)
			if different := slices.Compact(slices.Clone(letters)); len(different) < 2 || len(different) < len(letters) {
				return g, fmt.Errorf("alphabet needs two characters at least, each once, or one of the names alphanumeric, hex, digits")
			}
		case name == "policy":
			if err := checkPasswordPolicy(text); err != nil {
				return g, fmt.Errorf("the name %q of the password policy cannot be used: %w", text, err)
			}
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
	if _, isMapping := values["generate"].(map[string]any); isMapping {
		problems.add(at, "generate stands where a name is expected: write NAME: {generate: {length: 32}}")
	}
	out := make(map[string]any, len(values))
	for name, value := range values {
		out[name] = withGenerator(name, value, at, problems)
	}
	return out
}

// withGenerator returns value with every 'generate' mapping in it read. What is nearly one
// would be written as it stands, which nobody means; a text or number called 'generate'
// beside others is a value like any other.
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
			return withGenerators(value, at, problems)
		}
		if !isMapping || len(value) > 1 {
			problems.add(at, "%q: write {generate: {length: 32}}, with nothing beside generate", name)
			return value
		}
		g, err := newGenerator(fields)
		if err != nil {
			problems.add(at, "%q: %s", name, err)
		}
		return g
	}
	return value
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
