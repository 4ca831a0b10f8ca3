package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// result is what a run of tests has come to.
type result struct{ passed, failed []string }

// testTime is for one run of tests, of which the suites on real servers take longest.
const testTime = "10m"

// goTest runs tests, with an overlay if there is one. A failed build, or tests that have to
// be ended because they take too long, are errors: only a test that fails has noticed
// anything.
func goTest(ctx context.Context, root, overlay, pattern string, packages ...string) (result, error) {
	dir := root
	for i, name := range packages {
		if rest, inside := strings.CutPrefix(name, "./test/"); inside { // a module of its own
			dir, packages[i] = filepath.Join(root, "test"), "./"+rest
		}
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-count=1", "-timeout", testTime, "-run", pattern}, packages...)...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	if overlay != "" {
		// By the environment, so that suites that build the program build it with the fault.
		cmd.Env = append(cmd.Env, "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	err := cmd.Run()
	if ctx.Err() != nil {
		return result{}, context.Cause(ctx)
	}
	found, readErr := readEvents(&out)
	if readErr != nil {
		return found, errors.Join(readErr, err, errors.New(failure.String()))
	}
	if err != nil && len(found.failed) == 0 {
		return found, fmt.Errorf("running the tests: %w\n%s", err, failure.Bytes())
	}
	return found, nil
}

// event is a line that 'go test -json' prints (go doc test2json, Go 1.26).
type event struct{ Action, Test, Output, Package, ImportPath string }

func readEvents(out io.Reader) (result, error) {
	var found result
	var built strings.Builder
	decoder := json.NewDecoder(out)
	for {
		var e event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, fmt.Errorf("reading what the tests have shown: %w", err)
		}
		switch {
		case e.Action == "build-output":
			built.WriteString(e.Output)
		case e.Action == "build-fail":
			return found, fmt.Errorf("%s does not compile:\n%s", e.ImportPath, built.String())
		case strings.HasPrefix(e.Output, "panic: test timed out"):
			return found, fmt.Errorf("the tests of %s did not end", e.Package)
		case e.Test != "" && e.Action == "fail":
			found.failed = append(found.failed, e.Test)
		case e.Test != "" && e.Action == "pass":
			found.passed = append(found.passed, e.Test)
		}
	}
}
