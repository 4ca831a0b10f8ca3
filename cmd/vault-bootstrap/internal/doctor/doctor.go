// Package doctor looks at what a run needs, one thing after another, and finds out which of them is
// wrong first: the records and the rights to them, the way to Vault, its clock and its seal, our
// login and its policy.
//
// It judges by what the other packages find: the store's own checks, the health of the replicas and
// the state machine. It changes nothing, and knows neither flags nor how its report is shown.
package doctor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// Doctor looks at what a run with its options would need.
type Doctor struct {
	Options *job.RunOptions
	Env     job.Lookup
	Now     func() time.Time
}

// checkTime is how long one check may take.
const checkTime = 15 * time.Second

// Examine makes all checks.
func (d *Doctor) Examine(ctx context.Context) report.Diagnosis {
	e := &examination{Doctor: d}
	var found report.Diagnosis
	for _, step := range e.steps() {
		found.Add(e.take(ctx, found, step))
	}
	e.close(ctx)
	return found
}

// step is one check. What it needs has to be right before it is made.
type step struct {
	name  string
	needs []string
	look  func(ctx context.Context) finding
}

// finding is what a check has found: nothing wrong, with a text; an error; or why it was not made.
type finding struct {
	text string
	err  error
	// partly is whether what is wrong keeps no other check from being made.
	partly  bool
	skipped bool
}

func ok(text string) finding         { return finding{text: text} }
func wrong(err error) finding        { return finding{err: err} }
func wrongInPart(err error) finding  { return finding{err: err, partly: true} }
func notChecked(text string) finding { return finding{text: text, skipped: true} }

// examination is what the checks so far have found.
type examination struct {
	*Doctor
	records store.Store
	kind    job.StoreKind
	// refused is why the records are no good to a run although they can be read.
	refused    error
	checkpoint store.Checkpoint
	way        way
	inside     inside
}

// way is what was found on the way to Vault.
type way struct {
	servers  *job.Servers
	unusable error // why the certificates that are given are no good
	answers  []answer
	// skew is by how much the clock of a server is ahead of ours, and skewed its address.
	skew   time.Duration
	skewed string
}

// inside is what was found in Vault.
type inside struct {
	job      *job.Job
	look     *states.Look
	outside  fsm.Observation // without what only a login shows
	login    error           // why our login cannot be made
	seed     error           // why the seed cannot be read
	prepared bool
}

// answer is what a server has answered to the question for its health.
type answer struct {
	address string
	health  vault.Health
	err     error
}

func (e *examination) steps() []step {
	return []step{
		{"store", nil, e.lookAtStore},
		{"rights", []string{"store"}, e.lookAtRights},
		{"lease", []string{"store", "rights"}, e.lookAtLease},
		{"dns", nil, e.lookAtNames},
		{"network", []string{"dns"}, e.lookAtNetwork},
		{"tls", []string{"network"}, e.lookAtTLS},
		{"clock", []string{"network"}, e.lookAtClocks},
		{"seal", []string{"store", "rights", "tls", "clock"}, e.lookAtSeal},
		{"seed", nil, e.lookAtSeed},
		{"login", []string{"seal", "seed"}, e.lookAtLogin},
		{"policy", []string{"login"}, e.lookAtPolicy},
		{"run", []string{"policy"}, e.lookAhead},
	}
}

// take makes a check, unless what it needs is wrong.
func (e *examination) take(ctx context.Context, before report.Diagnosis, s step) report.Check {
	if first := before.Keeps(s.needs); first != "" {
		return report.Check{Name: s.name, Status: report.NotChecked, Text: "because of '" + first + "'"}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	f := s.look(ctx)
	switch {
	case f.err != nil:
		return report.NewWrong(s.name, f.err, f.partly)
	case f.skipped:
		return report.Check{Name: s.name, Status: report.NotChecked, Text: "because " + f.text}
	default:
		return report.Check{Name: s.name, Status: report.OK, Text: f.text}
	}
}

// close ends our login, if there is one.
func (e *examination) close(ctx context.Context) {
	if e.inside.job != nil {
		e.inside.job.Bootstrap.Close(context.WithoutCancel(ctx))
	}
}

// proxied returns which proxy requests to an address go through; empty if they go through none.
func (e *examination) proxied(address string) string {
	for _, name := range []string{"VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY"} { // the API client reads them
		if proxy, _ := e.Env(name); proxy != "" {
			return hostOf(proxy)
		}
	}
	request, err := http.NewRequest(http.MethodGet, address, nil) //nolint:noctx // it is not sent
	if err != nil {
		return ""
	}
	proxy, err := http.ProxyFromEnvironment(request)
	if err != nil || proxy == nil {
		return ""
	}
	return hostOf(proxy.String())
}

// errNoAnswer stands in for an error that says nothing.
var errNoAnswer = errors.New("no answer")
