package store

import "context"

// leadSuffix makes the name of the Lease of those who lead from that of the records.
const leadSuffix = "-watch"

// Lead waits for the lead among those who watch the same records, until ctx ends. It
// is a Lease of its own, held for as long as the watch runs, and says nothing about
// who may act: the Lease of the records does.
func Lead(ctx context.Context, records Store, options LeaseOptions) (Held, error) {
	switch records := records.(type) {
	case *Kube:
		lead := *records
		lead.name += leadSuffix
		return lead.Acquire(ctx, options)
	case *File:
		lead := *records
		lead.name += leadSuffix
		return lead.Acquire(ctx, options)
	default:
		return records.Acquire(ctx, options)
	}
}
