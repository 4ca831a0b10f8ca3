package kubestore

import (
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// LabelState is the label with the state's name, for 'kubectl get -L' and selectors.
const LabelState = AnnotationState

// mark writes a mirror into the annotations and labels of an object, and leaves all others alone.
func mark(m store.Mirror, meta *metav1.ObjectMeta) {
	if meta.Annotations == nil {
		meta.Annotations = make(map[string]string, 3)
	}
	if meta.Labels == nil {
		meta.Labels = make(map[string]string, 1)
	}
	meta.Annotations[AnnotationState] = m.State
	meta.Annotations[AnnotationSince] = wire.UTC(m.Since).Format(time.RFC3339Nano)
	meta.Annotations[AnnotationSeedDigest] = m.SeedDigest
	meta.Labels[LabelState] = m.State
}

// mirrorOf is the inverse of mark. A time that cannot be parsed, perhaps because somebody edited
// it, counts as none.
func mirrorOf(annotations map[string]string) store.Mirror {
	since, err := time.Parse(time.RFC3339Nano, annotations[AnnotationSince])
	if err != nil {
		since = time.Time{}
	}
	return store.Mirror{State: annotations[AnnotationState], Since: since, SeedDigest: annotations[AnnotationSeedDigest]}
}
