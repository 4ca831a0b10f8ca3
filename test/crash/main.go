// Command crash does violence to the real program, to real Vaults and to what lies
// between them, and checks after each case that nothing was lost.
//
// A case is a Vault, records in files or in Kubernetes, a verb that users run, and one
// kind of violence at one point. The verbs are run, watch (alone, leading, standing by, as
// a sidecar), post-start, adopt, keys rotate and retire, break-glass run and exec; each
// begins in a scene of its own. Which points a verb passes is learned at the start, from
// an undisturbed process of a build that shows them. SIGKILL, SIGTERM and SIGSTOP past the
// Lease come at each of them, and the first two at random as well.
//
// What runs next is drawn from run, watch, and both at once; a watch beside the verb comes
// first. Then either Vault is hardened and its stored keys really open it, or a terminal
// error was named that is allowed here, and its documented remedy leads to hardened. A loss
// is allowed only if the proxies show that Vault's answer to sys/init was not delivered.
// What is checked is read from Vault's API and from the records, not through the program
// under test.
//
// Some cases encrypt the keys record, and have the KMS that opens it be away. Such a record is read by
// a decoder that shares no code with the program, at every step.
//
// Other cases spoil the network, the store, the spool's disk or Vault itself, cut a holder
// off while it initializes, put older records back, have Vault or an admission policy refuse
// for a while, or have the records' objects or their namespace be deleted.
//
// The cases follow from a number, which is printed: the same number and the same
// count give the same cases, if not the same moments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &suite{}
	flag.IntVar(&s.count, "n", 24, "how many cases")
	flag.Uint64Var(&s.seed, "seed", rand.Uint64N(1_000_000), "number that the cases follow from")
	flag.IntVar(&s.workers, "parallel", 2, "cases at once")
	flag.DurationVar(&s.away, "away", 15*time.Second, "how long the API server is away")
	flag.DurationVar(&s.refuse, "refuse", 5*time.Second, "how long Vault answers 400 to sys/init")
	flag.DurationVar(&s.forbid, "forbid", 5*time.Second, "how long an admission policy refuses Secrets")
	flag.BoolVar(&s.encrypted, "encrypted", false, "encrypt the keys record of every case, to an age recipient where it has no others")
	flag.StringVar(&s.only, "only", "", "only cases whose verb, kind and point, as in the title, match this regular expression")
	flag.Parse()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		stop()
		os.Exit(1)
	}
}

// suite is one run of all cases.
type suite struct {
	count, workers int
	seed           uint64
	away           time.Duration
	refuse, forbid time.Duration
	only           string
	encrypted      bool

	dir               string
	root              string // of the repository
	binary, stoppable string
	points            []string
	kube              *kubernetes
	remote            *kms
	// clean is how long a verb takes that nothing disturbs, by its name and the storage.
	clean map[string]time.Duration
	// whole is whether there is room for every case that is not at random.
	whole bool
	// passed are the points that each verb passes.
	passed map[*verb][]string
	board  *board
}

func (s *suite) run(ctx context.Context) (err error) {
	fmt.Printf("crash: N=%d SEED=%d, %d at once, the API server is away for %s\n", s.count, s.seed, s.workers, s.away)
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.kube = &kubernetes{dir: filepath.Join(s.dir, "kubernetes"), rules: filepath.Join(s.root, "manifests", "rbac.yaml")}
	s.remote = &kms{dir: filepath.Join(s.dir, "kms")}
	defer func() {
		err = errors.Join(err, s.kube.close(), s.remote.close())
		if os.Getenv(dirVariable) == "" {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if err := s.calibrate(ctx); err != nil {
		return err
	}
	trials := plan(s)
	s.board = newBoard(len(trials))
	s.all(ctx, trials)
	return s.board.summary(s.points, s.whole)
}

// dirVariable names a directory that keeps what the servers write, for the search
// for secrets.
const dirVariable = "TESTBED_DIR"

// prepare builds the two binaries and looks for the points in their source.
func (s *suite) prepare(ctx context.Context) (err error) {
	server, err := testbed.LookServer()
	if err != nil {
		return err
	}
	fmt.Printf("crash: against %s (%s)\n", server, server.Binary)
	if s.root, err = driver.Repository(); err != nil {
		return err
	}
	if s.points, err = pointsIn(s.root); err != nil {
		return err
	}
	fmt.Printf("crash: %d points in the source: %s\n", len(s.points), strings.Join(s.points, " "))
	if s.dir, err = os.MkdirTemp(os.Getenv(dirVariable), "crash-"); err != nil {
		return err
	}
	s.binary, s.stoppable = filepath.Join(s.dir, "vault-bootstrap"), filepath.Join(s.dir, "vault-bootstrap-stoppable")
	if err := driver.Build(ctx, s.binary, driver.Program{}); err != nil {
		return err
	}
	return driver.Build(ctx, s.stoppable, driver.Program{Tags: "crashpoints"})
}
