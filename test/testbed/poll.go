package testbed

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Poll calls try, at once and then every interval, until it returns nil. It ends
// early when ctx does, with the last error of try, or when try returns an error
// made by GiveUp. The name says what is waited for: "waiting for NAME: …".
func Poll(ctx context.Context, interval time.Duration, name string, try func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		var final *giveUp
		if errors.As(err, &final) {
			return fmt.Errorf("waiting for %s: %w", name, err)
		}
		// A try that the context cut off says nothing; the one before it does.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", name, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}

// GiveUp marks an error after which Poll need not try again.
func GiveUp(err error) error { return &giveUp{err} }

type giveUp struct{ error }

func (g *giveUp) Unwrap() error { return g.error }
