package watch

import (
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// renewal has what was made of files at the start made again when they change, so that a rotation
// of certificates takes no restart.
type renewal struct {
	files  func() []string
	renew  func() error
	log    *slog.Logger
	known  string // the fingerprint of the files that are in use
	failed string // the one of files that could not be used
}

func newRenewal(files func() []string, renew func() error, log *slog.Logger) *renewal {
	return &renewal{files: files, renew: renew, log: log, known: fingerprint(files())}
}

// check looks at the files, and reports whether others are in use now. It comes before each look,
// so that none is made with certificates of yesterday. Files that cannot be used change nothing:
// they may be in the middle of being replaced, and are tried again by the next look.
func (r *renewal) check() bool {
	now := fingerprint(r.files())
	if now == r.known {
		r.failed = ""
		return false
	}
	if err := r.renew(); err != nil {
		if now != r.failed {
			r.failed = now
			r.log.Warn("files of certificates and passwords have changed and cannot be used: the former certificates stay in use", "error", err.Error(), "remedy", fault.RemedyOf(err))
		}
		return false
	}
	r.known, r.failed = now, ""
	r.log.Info("the files of certificates and passwords have changed")
	return true
}
