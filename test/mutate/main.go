// Command mutate puts faults into the program, one at a time, and has the tests that are
// named for each find it: a test that passes with the fault in place shows nothing. It
// changes no file of the repository. It must not know what the faults are about: those are
// data, in faults.go.
//
//	cd test && go run ./mutate                  # every fault
//	cd test && go run ./mutate -only 'ledger'   # those whose name or file matches
//	cd test && go run ./mutate -wide            # all tests without servers, to see what else finds it
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// withoutServers are the tests that -wide runs.
var withoutServers = []string{"./fsm/...", "./internal/...", "./states/...", "./cmd/..."}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "only faults whose name or file matches this regular expression")
	wide := flag.Bool("wide", false, "run all tests that need no server on each fault, not only those that are named")
	flag.Parse()
	root, err := driver.Repository()
	if err != nil {
		return err
	}
	chosen, err := choose(faults, *only)
	if err != nil {
		return err
	}
	for _, f := range chosen { // all of them before the first test
		if _, err := f.applied(root); err != nil {
			return err
		}
	}
	if err := soundWithout(ctx, root, chosen); err != nil {
		return err
	}
	var missed []string
	began := time.Now()
	for _, f := range chosen {
		found, took, err := hunt(ctx, root, f, *wide)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		by := strings.Join(found, ", ")
		if len(found) == 0 {
			by = "NOTHING"
			missed = append(missed, f.Name)
		}
		fmt.Printf("%s — %s — %.1f s\n", f.Name, by, took.Seconds())
	}
	fmt.Printf("%d faults in %s, %d found\n", len(chosen), time.Since(began).Round(time.Second), len(chosen)-len(missed))
	if len(missed) > 0 {
		return fmt.Errorf("not found: %s", strings.Join(missed, "; "))
	}
	return nil
}

func choose(all []fault, only string) ([]fault, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("reading -only: %w", err)
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(f fault) bool { return !match.MatchString(f.Name) && !match.MatchString(f.File) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no fault matches %q", only)
	}
	return chosen, nil
}

// soundWithout makes sure that the tests pass as long as nothing is wrong: else they would
// find anything.
func soundWithout(ctx context.Context, root string, chosen []fault) error {
	patterns := map[string][]string{}
	for _, f := range chosen {
		if !slices.Contains(patterns[f.Package], f.Run) {
			patterns[f.Package] = append(patterns[f.Package], f.Run)
		}
	}
	began := time.Now()
	packages := make([]string, 0, len(patterns))
	for name := range patterns {
		packages = append(packages, name)
	}
	slices.Sort(packages)
	for _, name := range packages {
		result, err := goTest(ctx, root, "", strings.Join(patterns[name], "|"), name)
		switch {
		case err != nil:
			return fmt.Errorf("without a fault: %w", err)
		case len(result.failed) > 0:
			return fmt.Errorf("without a fault, %s fails in %s", strings.Join(result.failed, ", "), name)
		}
		for _, f := range chosen {
			if f.Package == name && !slices.ContainsFunc(result.passed, matches(f.Run)) {
				return fmt.Errorf("%s: no test matches %q in %s", f.Name, f.Run, name)
			}
		}
	}
	fmt.Printf("without a fault everything passes, in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// matches returns whether the name of a test is one that a pattern means. The part of a
// pattern behind a slash is about subtests.
func matches(pattern string) func(string) bool {
	top, _, _ := strings.Cut(pattern, "/")
	match := regexp.MustCompile(top)
	return match.MatchString
}

// hunt runs the tests with the fault in place, and returns the names of those that fail.
func hunt(ctx context.Context, root string, f fault, wide bool) (found []string, took time.Duration, err error) {
	began := time.Now()
	overlay, done, err := overlaid(root, f)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	pattern, packages := f.Run, []string{f.Package}
	if wide {
		pattern, packages = ".", withoutServers
	}
	result, err := goTest(ctx, root, overlay, pattern, packages...)
	if err != nil {
		return nil, 0, err
	}
	found = outermost(result.failed)
	return found, time.Since(began), nil
}

// outermost leaves out subtests: the table names whole tests.
func outermost(names []string) []string {
	var tops []string
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		tops = append(tops, top)
	}
	slices.SortFunc(tops, cmp.Compare[string])
	return slices.Compact(tops)
}
