package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// board shows the cases as they end, and counts.
type board struct {
	total int

	mu       sync.Mutex
	running  map[int]trial
	since    map[int]time.Time
	outcomes []outcome
	points   map[string]int // how often a run stopped at each
	began    time.Time
	stop     chan struct{}
}

// silence is the longest time without a line.
const silence = 20 * time.Second

func newBoard(total int) *board {
	b := &board{total: total, running: map[int]trial{}, since: map[int]time.Time{}, points: map[string]int{}, began: time.Now(), stop: make(chan struct{})}
	if total > 0 {
		go b.beat()
	}
	return b
}

// beat says what is going on when nothing has ended for a while.
func (b *board) beat() {
	ticker := time.NewTicker(silence)
	defer ticker.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-ticker.C:
		}
		b.mu.Lock()
		var titles []string
		for number, t := range b.running {
			titles = append(titles, fmt.Sprintf("%s (%s)", t.title(), time.Since(b.since[number]).Round(time.Second)))
		}
		fmt.Printf("crash: … %d of %d done; at work: %s\n", len(b.outcomes), b.total, strings.Join(titles, "; "))
		b.mu.Unlock()
	}
}

func (b *board) close() { close(b.stop) }

func (b *board) begin(t trial) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[t.number], b.since[t.number] = t, time.Now()
}

func (b *board) reached(point string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.points[point]++
}

// shownLines is how much of a violation is printed.
const shownLines = 40

func (b *board) done(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, o.number)
	b.outcomes = append(b.outcomes, o)
	fmt.Printf("%4.0fs %3d/%d #%-3d %-20s %-28s %-22s %-22s %s  %d runs, %.1f s%s\n", time.Since(b.began).Seconds(), len(b.outcomes), b.total,
		o.number, o.verb, o.kind, o.point, o.place(), o.word(), o.runs, o.took.Seconds(), o.remarks())
	o.explain()
}

// explain prints what is wrong with a case, if anything is.
func (o outcome) explain() {
	if o.err != nil {
		lines := strings.Split(strings.TrimSpace(o.err.Error()), "\n")
		fmt.Println("        " + strings.Join(lines[:min(len(lines), shownLines)], "\n        "))
	}
}

// word is the outcome in a word or two.
func (o outcome) word() string {
	switch {
	case o.skipped():
		return "SKIPPED"
	case o.err != nil:
		return "VIOLATION"
	case len(o.lost) > 0:
		return fmt.Sprintf("%s (%s died in the request), remedy run, hardened", o.lost[0], o.excuse)
	default:
		return "hardened"
	}
}

func (o outcome) skipped() bool {
	_, skipped := errors.AsType[*skipError](o.err)
	return skipped
}

func (o outcome) remarks() string {
	if len(o.notes) == 0 {
		return ""
	}
	return "; " + strings.Join(o.notes, "; ")
}
