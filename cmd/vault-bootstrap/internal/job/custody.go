package job

import (
	"fmt"
	"os"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// CustodyOptions name the operators who will hold the key shares.
type CustodyOptions struct {
	Keys, RecoveryKeys []string
	Wait               bool
	// Ceremonies say what our login may do with shares.
	Ceremonies CeremonyOptions
}

// Assign gives the splits their custodians. If a split has no number of shares, as when an answer
// is recovered, it is that of the keys.
func (o *CustodyOptions) Assign(split, recovery *ceremony.KeySplit, now time.Time) error {
	for _, each := range []struct {
		flag  string
		files []string
		split *ceremony.KeySplit
	}{{"pgp-keys", o.Keys, split}, {"recovery-pgp-keys", o.RecoveryKeys, recovery}} {
		shares := each.split.Shares
		if shares == 0 {
			shares = len(each.files)
		}
		owners, err := Custodians(each.flag, each.files, shares, now)
		if err != nil {
			return err
		}
		each.split.Custodians = owners
	}
	return nil
}

// Custodians reads the keys in files, one for each of shares; none are given if
// files is empty.
func Custodians(flag string, files []string, shares int, now time.Time) ([]pgp.Public, error) {
	if len(files) == 0 {
		return nil, nil
	}
	if len(files) != shares {
		return nil, fault.Misuse(fmt.Errorf("--%s names %d keys for %d shares", flag, len(files), shares), "Give one key for each share, in order; an operator may hold several shares.")
	}
	owners := make([]pgp.Public, len(files))
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Misuse(fmt.Errorf("reading a key of --%s: %w", flag, err), "Give files that can be read, one for each share.")
		}
		if owners[i], err = pgp.ReadPublic(content, now); err != nil {
			return nil, fault.Misuse(fmt.Errorf("the key in %s (--%s): %w", file, flag, err), "Give an armored or binary OpenPGP public key, as 'gpg --export' writes it.")
		}
	}
	return owners, nil
}
