package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// tally are the counts that the promise is about.
type tally struct {
	cases, runs, skipped, violations          int
	lostOutside, lostInFlight, doubles, roots int
	remedies                                  int
	unopened, underway                        int
}

func (b *board) count() tally {
	t := tally{cases: len(b.outcomes)}
	for _, o := range b.outcomes {
		t.runs += o.runs
		if o.skipped() {
			t.skipped++
			continue
		}
		t.lostInFlight += len(o.lost)
		if o.err == nil {
			t.remedies += len(o.lost)
			continue
		}
		t.violations++
		if _, is := errors.AsType[*lossError](o.err); is {
			t.lostOutside++
		}
		if _, is := errors.AsType[*doubleError](o.err); is {
			t.doubles++
		}
		if _, is := errors.AsType[*rootError](o.err); is {
			t.roots++
		}
		if _, is := errors.AsType[*unopenedError](o.err); is {
			t.unopened++
		}
		if _, is := errors.AsType[*underwayError](o.err); is {
			t.underway++
		}
	}
	return t
}

// summary prints the counts, and fails if there was any violation, or if a run that has room
// for every verb at every point did not come to a point in the source.
func (b *board) summary(points []string, whole bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kills()
	b.losses()
	t := b.count()
	fmt.Printf("\n%d cases in %s, %d runs of the program\n", t.cases, time.Since(b.began).Round(time.Second), t.runs)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		what  string
		count int
		want  string
	}{
		{"keys lost outside the request", t.lostOutside, "must be 0"},
		{"keys lost in the request", t.lostInFlight, fmt.Sprintf("each by its name; remedies that led to hardened: %d", t.remedies)},
		{"double initializations", t.doubles, "must be 0"},
		{"root tokens left", t.roots, "must be 0"},
		{"stored keys that do not open Vault", t.unopened, "must be 0"},
		{"rekeys and root tokens in the making left", t.underway, "must be 0"},
		{"violations in all", t.violations, "must be 0"},
		{"skipped", t.skipped, ""},
	} {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\n", row.what, row.count, row.want)
	}
	_ = w.Flush()
	for _, o := range b.outcomes {
		switch {
		case o.skipped():
			fmt.Printf("SKIPPED on this machine: %s: %v\n", o.title(), o.err)
		case o.err != nil: // once more, for who reads only the end
			fmt.Printf("VIOLATION in case %d: %s (%s)\n", o.number, o.title(), o.place())
			o.explain()
		}
	}
	var missed []string
	for _, point := range points {
		if b.points[point] == 0 {
			missed = append(missed, point)
		}
	}
	if len(missed) > 0 {
		fmt.Printf("points that no case of this run was at: %s\n", strings.Join(missed, " "))
	}
	switch {
	case t.violations > 0:
		return fmt.Errorf("%d of %d cases broke the promise", t.violations, t.cases)
	case t.cases < b.total:
		return fmt.Errorf("interrupted after %d of %d cases", t.cases, b.total)
	case whole && len(missed) > 0:
		return fmt.Errorf("no run came to %v", missed)
	default:
		return nil
	}
}

// kills prints how often which violence was done to which verb, and where.
func (b *board) kills() {
	type row struct{ verb, point string }
	signals := []string{kindSIGKILL, kindSIGTERM, kindSIGSTOP}
	counts := map[row]map[string]int{}
	var rows []row
	for _, o := range b.outcomes {
		at := row{o.verb.name, cmp.Or(o.point, "(any)")}
		if counts[at] == nil {
			counts[at] = map[string]int{}
			rows = append(rows, at)
		}
		counts[at][o.kind]++
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(strings.Compare(a.verb, b.verb), strings.Compare(a.point, b.point)) })
	fmt.Println("\ncases by verb, point and kind:")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "verb\tpoint\t%s\tother\n", strings.Join(signals, "\t"))
	for _, at := range rows {
		_, _ = fmt.Fprintf(w, "%s\t%s", at.verb, at.point)
		for _, signal := range signals {
			_, _ = fmt.Fprintf(w, "\t%d", counts[at][signal])
			delete(counts[at], signal)
		}
		var others []string
		for _, kind := range slices.Sorted(maps.Keys(counts[at])) {
			others = append(others, fmt.Sprintf("%s %d", kind, counts[at][kind]))
		}
		_, _ = fmt.Fprintf(w, "\t%s\n", strings.Join(others, ", "))
	}
	_ = w.Flush()
}

// losses prints each loss with what died, its error and its remedy.
func (b *board) losses() {
	for _, o := range b.outcomes {
		for _, name := range o.lost {
			remedy := "the remedy led to hardened"
			if o.err != nil {
				remedy = "THE REMEDY FAILED"
			}
			fmt.Printf("lost in the request: case %d, %s (%s), %s died: %q, %s\n", o.number, o.title(), o.place(), o.excuse, name, remedy)
		}
	}
}
