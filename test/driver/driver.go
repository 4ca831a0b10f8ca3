// Package driver drives the program under test, for every suite and for the demo: a Command
// starts a Process, which ends with a Result. It also reads what the program leaves behind: its
// log, Vault's audit log, and the records. A Driven is a Process whose failures are a test's.
//
// It builds the program, too, and keeps what all tests of a suite share. It knows how the
// program is started, stopped and read, and nothing of what a suite wants of it.
package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// Suite is one package of tests, in a directory of test/. It needs a name, and is not
// to be copied.
type Suite struct {
	// Name is in the names of directories.
	Name string

	once  sync.Once
	plane *testbed.ControlPlane
	err   error
}

// Binary says how the program is to be built, and where to write its path.
type Binary struct {
	Path *string
	Program
}

// Run builds the program, runs the tests and ends what they share. It returns the exit
// code for TestMain: that of tests, or 1 for what else failed.
func (s *Suite) Run(tests func() int, binaries ...Binary) (code int) {
	dir, err := os.MkdirTemp("", "vault-bootstrap-"+s.Name+"-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, binary := range binaries {
		*binary.Path = filepath.Join(dir, "vault-bootstrap"+binary.Tags)
		if err := Build(context.Background(), *binary.Path, binary.Program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code = tests()
	if s.plane != nil {
		if err := s.plane.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// Kubernetes returns the control plane of all tests, and starts it for the first one
// that asks. Each test has namespaces of its own in it.
func (s *Suite) Kubernetes(t testbed.TB) *testbed.ControlPlane {
	t.Helper()
	s.once.Do(func() {
		began := time.Now()
		options := testbed.ControlPlaneOptions{}
		if dir := os.Getenv("TESTBED_DIR"); dir != "" {
			// Of its own: several processes may run parts of one suite at the same time.
			options.Dir, s.err = os.MkdirTemp(dir, s.Name+"-kubernetes-")
		}
		if s.err == nil {
			s.plane, s.err = testbed.StartControlPlane(t.Context(), options)
		}
		fmt.Printf("control plane: started in %s\n", time.Since(began).Round(time.Millisecond))
	})
	if s.err != nil {
		t.Fatalf("%v", s.err)
	}
	return s.plane
}
