package watch

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// TestFingerprintOfALargeSeed holds that a change is noticed wherever a seed may have it.
func TestFingerprintOfALargeSeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.yaml")
	content := bytes.Repeat([]byte("# padding\n"), seed.SizeLimit/10)
	write := func() string {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return fingerprint([]string{path})
	}
	before := write()
	content[len(content)-2] = 'G'
	if write() == before {
		t.Error("a change at the end of the largest seed is not noticed")
	}
}
