package store

import "time"

// Claim is what a Lease says of its holder.
type Claim struct {
	// Holder is the holder's identity; empty if nobody holds it.
	Holder string
	// Renewed is when the claim was last renewed, by the holder's own clock.
	Renewed time.Time
	// Duration is for how long others wait that see the claim unchanged.
	Duration time.Duration
}
