package e2e

import (
	"os"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// suite has one Kubernetes for all tests of the package; each test has a namespace of
// its own.
var suite = driver.Suite{Name: "e2e"}

// The binaries under test. The second one differs in the build tag 'crashpoints'
// only: it can be stopped at named points.
var binary, stoppable string

func TestMain(m *testing.M) {
	os.Exit(suite.Run(m.Run, driver.Binary{Path: &binary}, driver.Binary{Path: &stoppable, Program: driver.Program{Tags: "crashpoints"}}))
}
