package kube

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// The length of one watch: long enough to be cheap, and random, so that a thousand followers do not
// all start again at once.
const (
	minFollow = 5 * time.Minute
	maxFollow = 10 * time.Minute
)

// Follow passes the object called name to seen, at first and after each change, until ctx ends or
// the server ends the watch after some minutes, which is not an error. seen gets nil when the
// object is deleted. It is one request, and can be permitted for a single name: the verb is watch,
// and list is not needed.
func (r Resource) Follow(ctx context.Context, name string, seen func(Object)) error {
	length := minFollow + rand.N(maxFollow-minFollow) //nolint:gosec // no secret depends on it
	changes, err := r.client.Get().Namespace(r.namespace).Resource(r.plural).
		Param("watch", "true").Param("fieldSelector", "metadata.name="+name).
		Param("timeoutSeconds", fmt.Sprint(int(length.Seconds()))).Watch(ctx)
	if err != nil {
		return err
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case change, more := <-changes.ResultChan():
			if !more {
				return nil
			}
			switch object, ours := change.Object.(Object); {
			case change.Type == watch.Error:
				return apierrors.FromObject(change.Object)
			case change.Type == watch.Deleted:
				seen(nil)
			case ours:
				seen(object)
			}
		}
	}
}
