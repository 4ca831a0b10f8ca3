package main

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// Whoever changes code that a fault is put into learns it from 'make test', and not from the
// long form a week later.
func TestFaultsFitTheCode(t *testing.T) {
	root, err := driver.Repository()
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) < 20 {
		t.Errorf("there are %d faults", len(faults))
	}
	names := map[string]bool{}
	for _, f := range faults {
		if _, err := f.applied(root); err != nil {
			t.Error(err)
		}
		if names[f.Name] || f.Old == f.New {
			t.Errorf("%q is there twice, or changes nothing", f.Name)
		}
		names[f.Name] = true
	}
}

// A text that is there twice, or not at all, is an error: nobody would know what was tried.
func TestFaultThatDoesNotFit(t *testing.T) {
	root, err := driver.Repository()
	if err != nil {
		t.Fatal(err)
	}
	for old, times := range map[string]string{"package durable": "", "nowhere": "0 times", "return": "times"} {
		_, err := fault{Name: "x", File: "internal/durable/dirs.go", Old: old}.applied(root)
		if (err == nil) != (times == "") || err != nil && !strings.Contains(err.Error(), times) {
			t.Errorf("%q: %v", old, err)
		}
	}
}

// Only a test that fails has found anything: a build that fails, and a test that does not
// end, have not.
func TestWhatCountsAsFound(t *testing.T) {
	for name, test := range map[string]struct {
		events string
		failed int
		wrong  string
	}{
		"a failing test": {`{"Action":"fail","Test":"TestX/sub"}{"Action":"fail","Test":"TestX"}{"Action":"fail"}`, 2, ""},
		"a passing one":  {`{"Action":"pass","Test":"TestX"}`, 0, ""},
		"a build":        {`{"Action":"build-output","Output":"undefined: x"}{"Action":"build-fail","ImportPath":"p"}`, 0, "undefined: x"},
		"a time-out":     {`{"Action":"output","Test":"TestX","Output":"panic: test timed out after 10m\n"}`, 0, "did not end"},
		"no JSON":        {"# p\n", 0, "reading"},
	} {
		found, err := readEvents(strings.NewReader(test.events))
		if len(found.failed) != test.failed || (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %q, %v", name, found.failed, err)
		}
	}
	if tops := outermost([]string{"TestX/sub", "TestX", "TestA"}); strings.Join(tops, " ") != "TestA TestX" {
		t.Errorf("outermost are %q", tops)
	}
}
