package main

import (
	"context"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// verb is a way in which users start the program.
type verb struct {
	name string
	// stage brings a Vault that nobody has touched to where the verb begins; nil leaves it.
	stage func(ctx context.Context, sc *scene) error
	// arguments are the verb's own. Where the records and the servers are is added, and
	// for a verb that walks what walks have.
	arguments func(sc *scene) []string
	// command follows '--'.
	command []string
	walks   bool
	// endless verbs go on when everything is done: SIGTERM ends them, with 0.
	endless bool
	company company
	// mends is whether it begins with what another verb has left.
	mends bool
	// exchanges is whether it makes keys or root tokens of a hardened Vault: cut off in the
	// orderly way, it leaves nothing half made.
	exchanges bool
	// rotates is whether it exchanges the key shares.
	rotates bool
	// offline verbs ask no server.
	offline bool
	// recipients are those of the verb's records.
	recipients recipients
	// unfinished reports whether a user has to start the same verb again: 'run' and 'watch'
	// cannot go on from what it has left.
	unfinished func(keys driver.KeysRecord) bool
	// code is what an undisturbed process exits with.
	code int
	// proves checks what else the verb's work is, with a token that may read it.
	proves func(ctx context.Context, sc *scene, node *testbed.VaultNode, token string) error
}

func (v *verb) String() string { return v.name }

// company is another watch beside the verb.
type company int

const (
	alone      company = iota
	underneath         // it stands by while the verb's process leads
	above              // it leads while the verb's process stands by
	frozen             // it leads and is stopped, so that the verb's process stays a follower
)

// The verbs, each with the scene that it begins in.
var (
	verbRun    = &verb{name: "run", arguments: runs, walks: true}
	verbWatch  = &verb{name: "watch", arguments: watches, walks: true, endless: true}
	verbLeader = &verb{name: "watch, leading", arguments: watches, walks: true, endless: true, company: underneath}
	verbStands = &verb{name: "watch, standing by", arguments: watches, walks: true, endless: true, company: above}
	// A sidecar stands by for a leader that does nothing, and opens its own replica.
	verbSidecar   = &verb{name: "sidecar", arguments: besides, walks: true, endless: true, company: frozen, stage: sealed}
	verbPostStart = &verb{name: "post-start", arguments: words("post-start"), stage: sealed}
	verbAdopt     = &verb{name: "adopt", arguments: adopts, walks: true, stage: initialized, unfinished: noKeys}
	verbRotate    = &verb{name: "keys rotate", arguments: words("keys rotate --timeout=100s"), stage: hardened, exchanges: true, rotates: true}
	verbRetire    = &verb{name: "keys retire", arguments: words("keys retire"), stage: emptied, unfinished: someKeys}
	verbGlassRun  = &verb{name: "break-glass run", arguments: glass("run"), walks: true, stage: hardened, exchanges: true}
	verbGlassExec = &verb{name: "break-glass exec", arguments: glass("exec"), command: []string{"/bin/sleep", "0.2"}, stage: hardened, exchanges: true}
	// Those that mend what another has left come to points of their own.
	verbRunSpooled   = &verb{name: "run after " + pointSpooled, arguments: runs, walks: true, mends: true, stage: killedBefore(verbRun, pointSpooled)}
	verbWatchSpooled = &verb{name: "watch after " + pointSpooled, arguments: watches, walks: true, endless: true, mends: true, stage: killedBefore(verbRun, pointSpooled)}
	// These change the seed of a hardened Vault, for which our login's policy has to follow it.
	verbRunGrown  = &verb{name: "run, seed grown", arguments: runs, walks: true, stage: seedGrows, proves: grown}
	verbRunBack   = &verb{name: "run, seed grown, then rolled back", arguments: runs, walks: true, stage: seedGrowsAndReturns, proves: notGrown}
	verbRunShrunk = &verb{name: "run, seed shrunk", arguments: runs, walks: true, stage: seedShrinks, proves: notGrown}
	// The first run of this one leaves an object that Vault refuses.
	verbRunRefused = &verb{name: "run, an object refused", arguments: runs, walks: true, stage: objectRefused, code: exitTransient, proves: notGrown}
	verbRunGlass   = &verb{name: "run after " + pointGlass, arguments: runs, walks: true, mends: true, stage: killedBefore(verbGlassExec, pointGlass)}
)

// verbs are all of them.
func verbs() []*verb {
	return append([]*verb{
		verbRun, verbWatch, verbLeader, verbStands, verbSidecar, verbPostStart, verbAdopt, verbRotate, verbRetire, verbGlassRun, verbGlassExec,
		verbRunGrown, verbRunBack, verbRunShrunk, verbRunRefused, verbRunSpooled, verbWatchSpooled, verbRunGlass,
	}, encryptingVerbs()...)
}

// pointGlass is where a break-glass has a root token on record.
const pointGlass = "breakglass.stored"

// words returns fixed arguments.
func words(text string) func(*scene) []string {
	return func(*scene) []string { return strings.Fields(text) }
}

func runs(sc *scene) []string { return []string{"run", "--spool-dir=" + sc.spool} }

func watches(sc *scene) []string {
	return []string{"watch", "--spool-dir=" + sc.spool, "--interval=5s", "--health-interval=500ms"}
}

func besides(sc *scene) []string { return append(watches(sc), "--own-replica="+sc.lines[0].url()) }

func adopts(sc *scene) []string {
	return []string{"adopt", "--keys-file=" + sc.offer, "--revoke-token"}
}

func glass(kind string) func(*scene) []string {
	return func(*scene) []string { return []string{"break-glass", kind, "--reason=CRASH-1: the suite"} }
}

// lease is how long the Lease of the verb's process lives.
func (v *verb) lease() time.Duration {
	if v.walks {
		return leaseDuration
	}
	return 15 * time.Second // it takes no flag for that
}

func noKeys(keys driver.KeysRecord) bool   { return keys.Set == nil }
func someKeys(keys driver.KeysRecord) bool { return keys.Set != nil }
