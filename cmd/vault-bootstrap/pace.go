package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sethvargo/go-retry"
)

// pace makes the waits of one who has failed: a quarter of the longest at first, twice
// as long each time, and never the same for two who started together.
type pace struct {
	longest time.Duration
	backoff retry.Backoff // nil before the first wait
}

func (p *pace) reset() { p.backoff = nil }

func (p *pace) next() time.Duration {
	if p.backoff == nil {
		p.backoff = retry.WithJitterPercent(waitJitter, retry.WithCappedDuration(p.longest, retry.NewExponential(p.longest/4)))
	}
	wait, _ := p.backoff.Next() // it has no end
	return wait
}

// pause waits for the next turn, and reports whether there is one before ctx ends.
func (p *pace) pause(ctx context.Context) bool { return pause(ctx, p.next()) }

// crowdPace makes the waits between the looks of one among many who started together,
// and all look at once at first. The second look comes anywhere between a quarter of the
// longest wait and all of it; from then on they are apart, and each looks at its own
// time. Doubling waits would keep the crowd together for several rounds.
type crowdPace struct {
	longest time.Duration
	apart   bool
}

func (p *crowdPace) reset() { p.apart = false }

func (p *crowdPace) next() time.Duration {
	least := p.longest / 4
	if p.apart {
		least = p.longest * 4 / 5
	}
	p.apart = true
	return least + time.Duration(rand.Float64()*float64(p.longest-least)) //nolint:gosec // no secret depends on it
}

func (p *crowdPace) pause(ctx context.Context) bool { return pause(ctx, p.next()) }

// spread returns d, give or take a fifth, so that not all look at once.
func spread(d time.Duration) time.Duration {
	return time.Duration((0.8 + 0.4*rand.Float64()) * float64(d)) //nolint:gosec // no secret depends on it
}

// pause waits, and reports whether that was over before ctx was.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
