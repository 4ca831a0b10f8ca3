// Package pace returns the waits of loops that look again and again: after a failure, among many
// processes that started together, while a server is away, and between walks that lead to nothing.
// It knows time and nothing else.
package pace

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sethvargo/go-retry"
)

// Backoff returns the waits after failures: a quarter of the longest at first, twice as long each
// time, and never the same for two processes that started together.
type Backoff struct {
	Longest time.Duration
	backoff retry.Backoff // nil before the first wait
}

// jitter is how much waits vary, in percent.
const jitter = 20

// Reset starts over, after a success.
func (p *Backoff) Reset() { p.backoff = nil }

// Next returns the wait after a failure.
func (p *Backoff) Next() time.Duration {
	if p.backoff == nil {
		p.backoff = retry.WithJitterPercent(jitter, retry.WithCappedDuration(p.Longest, retry.NewExponential(p.Longest/4)))
	}
	wait, _ := p.backoff.Next() // it has no end
	return wait
}

// Pause waits for the next turn, and reports whether there is one before ctx ends.
func (p *Backoff) Pause(ctx context.Context) bool { return Pause(ctx, p.Next()) }

// Crowd returns the waits between looks of one among many processes that started together and at
// first all look at once. The second look comes anywhere between a quarter of the longest wait and
// all of it; from then on they are spread out. Doubling waits would keep the crowd together for
// several rounds.
type Crowd struct {
	Longest time.Duration
	spread  bool
}

// Reset starts over: all may look at once again.
func (p *Crowd) Reset() { p.spread = false }

// Next returns the wait before the next look.
func (p *Crowd) Next() time.Duration {
	least := p.Longest / 4
	if p.spread {
		least = p.Longest * 4 / 5
	}
	p.spread = true
	return least + time.Duration(rand.Float64()*float64(p.Longest-least)) //nolint:gosec // no secret depends on it
}

// Pause waits for the next look, and reports whether there is one before ctx ends.
func (p *Crowd) Pause(ctx context.Context) bool { return Pause(ctx, p.Next()) }

// Spread returns d, give or take a fifth, so that not all look at once.
func Spread(d time.Duration) time.Duration {
	return time.Duration((0.8 + 0.4*rand.Float64()) * float64(d)) //nolint:gosec // no secret depends on it
}

// Pause waits, and reports whether it did so before ctx ended.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
