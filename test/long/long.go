// Package long says which form of a test is wanted: the short one of 'make test', or the
// long one of 'make test-all'. It must not know what the tests are about.
//
// A test is long for a reason that its short form cannot show, such as the hundredth repetition;
// what the short form shows is said beside it.
package long

import "os"

// Variable is set by 'make test-all'.
const Variable = "LONG"

// Wanted reports whether the long form is to run.
func Wanted() bool { return os.Getenv(Variable) != "" }

// TB is what Only needs of a testing.TB.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
}

// Only leaves a test to 'make test-all'. why names what takes long, and the test that shows
// the same in short. 'make test' lists these apart from what could not run.
func Only(t TB, why string) {
	t.Helper()
	if !Wanted() {
		t.Skipf("left to 'make test-all': %s", why)
	}
}
