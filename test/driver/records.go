package driver

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// KeysRecord is what the suites read of the keys record, without the program's own code.
type KeysRecord struct {
	Epoch   int64
	Attempt *Attempt
	Past    []Attempt
	Set     *KeySet
	Root    *RootToken
	// Rotation and BreakGlass are what an exchange of keys and a break-glass are on record
	// with.
	Rotation   *struct{ Set *KeySet }
	BreakGlass *RootToken `json:"break_glass"`
}

// Attempt is one attempt to initialize.
type Attempt struct {
	ID, Status string
	// Answer is nil until Vault's answer is on record.
	Answer json.RawMessage
}

// KeySet are the shares of one set.
type KeySet struct {
	Kind      string
	Shares    []string
	Threshold int
}

// RootToken is a root token on record.
type RootToken struct{ Token string }

// ParseKeys parses a keys record.
func ParseKeys(content []byte) (KeysRecord, error) {
	var keys KeysRecord
	if err := json.Unmarshal(content, &keys); err != nil {
		return keys, fmt.Errorf("reading the keys record: %w", err)
	}
	return keys, nil
}

// Attempts returns all attempts on record, the latest last.
func (k KeysRecord) Attempts() []Attempt {
	all := slices.Clone(k.Past)
	if k.Attempt != nil {
		all = append(all, *k.Attempt)
	}
	return all
}

// Vault returns the set as a server takes it; nothing if there is none.
func (s *KeySet) Vault() testbed.VaultKeys {
	if s == nil {
		return testbed.VaultKeys{}
	}
	return testbed.VaultKeys{Shares: s.Shares, Threshold: s.Threshold}
}

// RecordFile is where a store of files keeps a record, "keys" or "state".
func RecordFile(dir, record string) string {
	return filepath.Join(dir, "vault-bootstrap-"+record+".json")
}

// VaultFlags name the servers of a cluster to the program.
func VaultFlags(cluster *testbed.VaultCluster) []string {
	var flags []string
	for _, node := range cluster.Nodes {
		flags = append(flags, "--vault-addr="+node.Front)
	}
	if cluster.CAFile != "" {
		flags = append(flags, "--ca-cert="+cluster.CAFile)
	}
	return flags
}
