package ceremony

import (
	"context"
	"fmt"
	"time"
)

// untilAnswered returns a context for a request that must not be abandoned once it is sent: whoever
// checks its outcome could otherwise do so before the server has begun. A run that was asked to end
// does not send it; one that is asked to end while it waits gets the answer first.
func untilAnswered(ctx context.Context, doing string) (context.Context, context.CancelFunc, error) {
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	return ctx, cancel, nil
}

// cleanupTime is how long revoking a root token may take after everything else has ended.
const cleanupTime = 30 * time.Second
