package shares

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// ourData is where a keys record of ours is in a Secret; the others are bank-vaults', as its key stores
// name their entries: each share is in hex.
const (
	ourData      = "keys.json"
	unsealData   = "vault-unseal-"
	recoveryData = "vault-recovery-"
	rootData     = "vault-root"
)

// theirs finds the prefix, the kind and the number in the name of an entry of bank-vaults. In a bucket or
// a Key Vault, names have a prefix.
var theirs = regexp.MustCompile(`^(.*?)(?:(vault-unseal-|vault-recovery-)(0|[1-9][0-9]{0,2})|vault-root)$`)

// IsEntry reports whether FromEntries looks at an entry of this name.
func IsEntry(name string) bool { return name == ourData || theirs.MatchString(name) }

// FromEntries reads what a Secret or a directory holds: a keys record of ours, or bank-vaults' layout.
// open decrypts an entry of the latter; nil takes all as they are.
func FromEntries(data map[string][]byte, open func(name string, content []byte) (secret.Value, error)) (Material, error) {
	if record, ok := data[ourData]; ok && open == nil {
		return readJSON(record)
	}
	prefix, err := prefixOf(data)
	if err != nil {
		return Material{}, err
	}
	take := func(name string) (text string, found bool, err error) {
		content, found := data[prefix+name]
		if !found {
			return "", false, nil
		}
		value := secret.New(string(content))
		if open != nil {
			if value, err = open(prefix+name, content); err != nil {
				return "", true, fmt.Errorf("%q: %w", prefix+name, err)
			}
		}
		return strings.TrimSpace(value.Reveal()), true, nil
	}
	unseal, err := numbered(take, unsealData)
	if err != nil {
		return Material{}, err
	}
	recovery, err := numbered(take, recoveryData)
	if err != nil {
		return Material{}, err
	}
	root, _, err := take(rootData)
	if err != nil {
		return Material{}, err
	}
	return labelled(unseal, recovery, root)
}

// prefixOf returns what the names of bank-vaults' entries begin with, which may be nothing. It refuses
// entries of several installations, and shares of which one is missing in between: they were not all
// copied.
func prefixOf(data map[string][]byte) (string, error) {
	numbers := map[string][]int{} // by prefix and kind
	var prefixes []string
	for name := range data {
		if found := theirs.FindStringSubmatch(name); found != nil && found[2] != "" {
			number, _ := strconv.Atoi(found[3])
			numbers[found[1]+found[2]] = append(numbers[found[1]+found[2]], number)
			if !slices.Contains(prefixes, found[1]) {
				prefixes = append(prefixes, found[1])
			}
		}
	}
	slices.Sort(prefixes)
	switch len(prefixes) {
	case 0:
		return "", fmt.Errorf("it holds neither %s nor %s0 or %s0", ourData, unsealData, recoveryData)
	case 1:
	default:
		return "", fmt.Errorf("it holds the keys of several Vaults: %s0 is there with the prefixes %q", unsealData, prefixes)
	}
	for kind, all := range numbers {
		slices.Sort(all)
		for i, number := range all {
			if i != number {
				return "", fmt.Errorf("%s%d is missing, and %s%d is there", kind, i, kind, number)
			}
		}
	}
	return prefixes[0], nil
}

// numbered returns what is under prefix0, prefix1 and so on.
func numbered(take func(name string) (string, bool, error), prefix string) ([]string, error) {
	var found []string
	for i := 0; ; i++ {
		value, ok, err := take(fmt.Sprintf("%s%d", prefix, i))
		if !ok || err != nil {
			return found, err
		}
		found = append(found, value)
	}
}
