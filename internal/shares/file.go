package shares

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Read reads a file: JSON of 'vault operator init', of sys/init or of our own keys
// record, or a share on each line.
func Read(content []byte) (Material, error) {
	text := strings.TrimSpace(string(content))
	if strings.HasPrefix(text, "{") {
		return readJSON([]byte(text))
	}
	// Fields, not lines: the file may have the line endings of another system.
	lines := strings.Fields(text)
	if len(lines) == 0 {
		return Material{}, errors.New("it is empty")
	}
	plain, err := normalize(lines)
	return Material{Plain: plain}, err
}

// initJSON is what 'vault operator init -format=json' prints, together with what the API answers
// and what our own record holds.
type initJSON struct {
	CLIUnseal   []string `json:"unseal_keys_b64"`
	CLIRecovery []string `json:"recovery_keys_b64"`
	APIUnseal   []string `json:"keys_base64"`
	APIRecovery []string `json:"recovery_keys_base64"`
	RootToken   string   `json:"root_token"`
	Set         *struct {
		Kind    string            `json:"kind"`
		Shares  []string          `json:"shares"`
		Custody []json.RawMessage `json:"custody"`
	} `json:"set"`
	Root *struct {
		Token string `json:"token"`
	} `json:"root"`
	// Sealing is what an encrypted keys record has.
	Sealing json.RawMessage `json:"sealing"`
}

func readJSON(content []byte) (Material, error) {
	var said initJSON
	if err := json.Unmarshal(content, &said); err != nil {
		// The decoder's error may quote what it read.
		return Material{}, errors.New("it looks like JSON, but cannot be parsed")
	}
	if said.Sealing != nil {
		return Material{}, errors.New("it is an encrypted keys record of ours, and only a process that has one of its recipients opens it")
	}
	unseal, recovery, root := append(said.CLIUnseal, said.APIUnseal...), append(said.CLIRecovery, said.APIRecovery...), said.RootToken
	if set := said.Set; set != nil {
		switch {
		case len(set.Custody) > 0:
			return Material{}, errors.New("its shares are encrypted to operators' own PGP keys: each operator must decrypt theirs")
		case set.Kind == "recovery":
			recovery = append(recovery, set.Shares...)
		default:
			unseal = append(unseal, set.Shares...)
		}
	}
	if said.Root != nil && root == "" {
		root = said.Root.Token
	}
	return labelled(unseal, recovery, root)
}

func labelled(unseal, recovery []string, root string) (Material, error) {
	var m Material
	var err error
	if m.Unseal, err = normalize(unseal); err != nil {
		return Material{}, err
	}
	if m.Recovery, err = normalize(recovery); err != nil {
		return Material{}, err
	}
	if m.Empty() {
		return Material{}, errors.New("it holds no key shares: neither what 'vault operator init -format=json' prints, nor a keys record of ours")
	}
	m.Root = secret.New(strings.TrimSpace(root))
	return m, nil
}
