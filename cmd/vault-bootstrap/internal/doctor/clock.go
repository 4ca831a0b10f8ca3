package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// maxSkew is how far two clocks may differ: Vault forgives a minute in tokens of others.
const maxSkew = time.Minute

// lookAtClocks compares the clocks of the servers with ours.
func (e *examination) lookAtClocks(context.Context) finding {
	for _, each := range e.way.answers {
		if each.err == nil {
			e.way.compare(each.address, each.health.ServerTime, e.Now())
		}
	}
	switch {
	case e.way.skew > maxSkew || e.way.skew < -maxSkew:
		return wrong(fault.Wait(fmt.Errorf("the clock of %s is %s ours, which says %s", e.way.skewed, apart(e.way.skew), e.Now().UTC().Format(time.RFC3339)),
			"Set both clocks by NTP: tokens and certificates are judged by them."))
	case e.way.skewed == "" && e.way.answered() == 0:
		return notChecked("no server has answered")
	}
	return ok("the servers' clocks and ours agree")
}

// answered returns how many servers have answered.
func (w *way) answered() int {
	n := 0
	for _, each := range w.answers {
		if each.err == nil {
			n++
		}
	}
	return n
}

// compare notes by how much a server's clock is ahead of ours, if it is the most so far.
func (w *way) compare(address string, its, ours time.Time) {
	ahead := its.Sub(ours).Round(time.Second)
	if ahead.Abs() > w.skew.Abs() {
		w.skew, w.skewed = ahead, address
	}
}

func apart(ahead time.Duration) string {
	if ahead < 0 {
		return ahead.Abs().String() + " behind"
	}
	return ahead.String() + " ahead of"
}

// outOfTime is about a certificate that is not valid by our clock. It asks the server for its own time,
// without any trust: if that differs, the clocks are to blame.
func (e *examination) outOfTime(ctx context.Context, a answer, certificate *x509.Certificate) (finding, bool) {
	its, err := e.way.servers.UntrustedClock(ctx, a.address)
	if err != nil {
		return finding{}, false
	}
	e.way.compare(a.address, its, e.Now())
	if e.way.skew.Abs() <= maxSkew || its.Before(certificate.NotBefore) || its.After(certificate.NotAfter) {
		return finding{}, false
	}
	return notChecked("the certificate is valid by the server's clock, and not by ours: see 'clock'"), true
}
