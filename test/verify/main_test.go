// Package verify_test makes real Vaults and a real Kubernetes bad, control by control,
// and has the program find it, accept it, fix it or stop on it.
package verify_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// update has the suite write docs/report.png anew.
var update = flag.Bool("update", false, "take the screenshot in docs/ again")

// binary is the program under test.
var binary string

// ledger is in which ways each control was seen, over all tests.
var ledger = struct {
	sync.Mutex
	seen map[string]map[harden.Status]bool
}{seen: map[string]map[harden.Status]bool{}}

func TestMain(m *testing.M) {
	flag.Parse()
	suite := driver.Suite{Name: "verify"} // each test has a Kubernetes of its own
	os.Exit(suite.Run(func() int {
		code := m.Run()
		if code == 0 && flag.Lookup("test.run").Value.String() == "" {
			code = everyControl()
		}
		return code
	}, driver.Binary{Path: &binary}))
}

// everyControl holds the suite to its promise: each control was seen to hold and to
// fail, on something real. It returns the exit code.
func everyControl() int {
	server, err := testbed.LookServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		return 1
	}
	var lacking []string
	for _, control := range harden.Controls() {
		for _, status := range []harden.Status{harden.Holds, harden.Fails} {
			if control.ID == "mlock" && server.Product == testbed.OpenBao {
				status = harden.Inapplicable
			}
			if !ledger.seen[control.ID][status] {
				lacking = append(lacking, fmt.Sprintf("%s: %s", control.ID, status))
			}
		}
	}
	if len(lacking) == 0 {
		fmt.Printf("all %d controls were seen to hold and to fail\n", len(harden.Controls()))
		return 0
	}
	slices.Sort(lacking)
	fmt.Fprintln(os.Stderr, "FAIL: never seen:", strings.Join(lacking, ", "))
	return 1
}
