package ceremony

import (
	"context"
	"fmt"
	"time"
)

// toTheAnswer is for a request that must not be given up once it is sent: who then looks
// what came of it may look before the server has begun. A run that was told to end sends
// it no more; one that is told to end while it waits hears the answer first.
func toTheAnswer(ctx context.Context, doing string) (context.Context, context.CancelFunc, error) {
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mendTime)
	return ctx, cancel, nil
}

// mendTime is how long the end of a root token may take, after everything else is over.
const mendTime = 30 * time.Second
