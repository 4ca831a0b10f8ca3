package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// lookAtStore reads the records, and opens that of the keys.
func (e *examination) lookAtStore(ctx context.Context) finding {
	var err error
	if e.records, e.kind, err = e.Options.Store.Open(e.Env); err != nil {
		return wrong(err)
	}
	at := e.records.Location()
	if dir := filepath.Dir(at.Keys); e.kind == job.FileStore {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			e.refused = errNothingYet
			return ok(fmt.Sprintf("nothing is stored yet: %s does not exist, and a run makes it", dir))
		}
	}
	// Of what a run finds out before it begins, the rights are a check of their own.
	e.refused = job.Permitted(ctx, e.records.Preflight)
	if e.refused != nil && !aboutRights(e.refused) {
		return wrong(e.refused)
	}
	if e.refused == nil {
		if err := e.Options.Store.RefuseKeys(ctx, e.records); err != nil {
			return wrong(err)
		}
	}
	keys, _, err := e.records.Keys(ctx)
	if err == nil {
		e.checkpoint, _, err = e.records.Checkpoint(ctx)
	}
	switch {
	case kubestore.Denied(err):
		return ok("the Kubernetes API answers")
	case err != nil:
		return wrong(err)
	case e.Options.Store.Keyless():
		return ok(at.Checkpoint + ": the keys are not ours (--keys=none)" + recorded(e.checkpoint))
	case keys.Set == nil:
		return ok(at.Keys + ": no keys are stored" + recorded(e.checkpoint))
	}
	return ok(at.Keys + ": keys are stored" + recorded(e.checkpoint))
}

// recorded says which state is on record.
func recorded(c store.Checkpoint) string {
	if c.State == "" {
		return ""
	}
	return fmt.Sprintf("; on record as %s since %s", c.State, c.Since.Format(time.RFC3339))
}

// errNothingYet means that there is no place yet in which anything could be written.
var errNothingYet = errors.New("the directory does not exist yet")

// aboutRights reports whether the records are there, and what keeps a run from writing them is what we
// may do.
func aboutRights(err error) bool {
	switch {
	case errors.Is(err, store.ErrImmutable), kubestore.Denied(err), apierrors.IsForbidden(err):
		return true
	case errors.Is(err, store.ErrLocked), apierrors.IsNotFound(err):
		return false
	}
	return fault.KindOf(err) == fault.Usage && !apierrors.IsUnauthorized(err)
}

// lookAtRights says what was found out about what we may do with the records.
func (e *examination) lookAtRights(context.Context) finding {
	switch {
	case errors.Is(e.refused, errNothingYet):
		return notChecked(e.refused.Error())
	case e.refused != nil:
		return wrong(e.refused)
	case e.kind == job.FileStore:
		return ok("the records can be written")
	}
	return ok("every permission in Kubernetes is there, and the records can be written")
}

// claimed is a store whose Lease is an object that names its holder.
type claimed interface {
	Claim(ctx context.Context) (store.Claim, error)
}

var _ claimed = (*kubestore.Store)(nil)

// longClaim is for how long a holder that is gone may keep others waiting before that counts as wrong:
// several times what client-go's users set.
const longClaim = time.Minute

// lookAtLease looks for a holder that keeps others out without being there.
func (e *examination) lookAtLease(ctx context.Context) finding {
	in, can := e.records.(claimed)
	if !can {
		return ok("it is a lock, which ends with its process")
	}
	claim, err := in.Claim(ctx)
	since := e.Now().Sub(claim.Renewed).Round(time.Second)
	switch {
	case err != nil:
		return wrong(err)
	case claim.Holder == "":
		return ok("nobody holds it")
	case since < max(claim.Duration, longClaim) && since < longClaim:
		return ok(fmt.Sprintf("%q is at work, and has renewed it %s ago: others wait for it", claim.Holder, since))
	case claim.Duration > longClaim:
		at := e.records.Location().Lease
		return wrongInPart(fault.Held(fmt.Errorf("%s is held by %q, which has not renewed it for %s, and keeps others out for %s", at, claim.Holder, since, claim.Duration),
			"If that process is gone, delete the Lease: nothing is lost with it. If it is there, look at its log."))
	}
	return ok(fmt.Sprintf("%q has not renewed it for %s: the next run takes it over after %s", claim.Holder, since, claim.Duration))
}
