// Package watch shows, on a real Vault and a real API server, what 'watch' and 'wait'
// do over time: restarts, drift, changed seeds, rivals, and what they tell.
package watch

import (
	"os"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// suite has one Kubernetes for all tests of the package; each test has a namespace of
// its own.
var suite = driver.Suite{Name: "watch"}

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(suite.Run(m.Run, driver.Binary{Path: &binary}))
}
