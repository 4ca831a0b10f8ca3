package store

import "time"

// wireMirror is Mirror as a file holds it.
type wireMirror struct {
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	SeedDigest string    `json:"seed_digest"`
}

func (w wireMirror) mirror() Mirror {
	return Mirror{State: w.State, Since: utc(w.Since), SeedDigest: w.SeedDigest}
}

// annotationPrefix begins the names of our annotations.
const annotationPrefix = "vault-bootstrap.dev/"

// The annotations of the state Secret and of the Lease.
const (
	// AnnotationState holds the state's name.
	AnnotationState = annotationPrefix + "state"
	// AnnotationSince holds when it was entered, in RFC 3339.
	AnnotationSince = annotationPrefix + "since"
	// AnnotationSeedDigest holds the digest of the seed that was applied last.
	AnnotationSeedDigest = annotationPrefix + "seed-digest"
)

// annotate writes the mirror into annotations, which it makes if there are none,
// and leaves those of others alone.
func (m Mirror) annotate(annotations map[string]string) map[string]string {
	if annotations == nil {
		annotations = make(map[string]string, 3)
	}
	annotations[AnnotationState] = m.State
	annotations[AnnotationSince] = utc(m.Since).Format(time.RFC3339Nano)
	annotations[AnnotationSeedDigest] = m.SeedDigest
	return annotations
}

// mirrorOf is the inverse of annotate. A time that cannot be read, which a person
// may have edited, is shown as none.
func mirrorOf(annotations map[string]string) Mirror {
	since, err := time.Parse(time.RFC3339Nano, annotations[AnnotationSince])
	if err != nil {
		since = time.Time{}
	}
	return Mirror{State: annotations[AnnotationState], Since: since, SeedDigest: annotations[AnnotationSeedDigest]}
}
