package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// calibrate has each verb run undisturbed, to know among which moments to choose, which
// points the verb passes, and that the check itself is content with a good end.
func (s *suite) calibrate(ctx context.Context) error {
	s.clean, s.passed = map[string]time.Duration{}, map[*verb][]string{}
	s.board = newBoard(0)
	for _, v := range verbs() {
		for _, storage := range []string{"file", "raft"} {
			if storage == "raft" && v != verbRun { // it is the same, and sys/init takes longer
				s.clean[v.name+storage] = s.clean[v.name+"file"]
				if v.stage == nil {
					s.clean[v.name+storage] = s.clean[verbRun.name+storage]
				}
				continue
			}
			if err := s.calibrateVerb(ctx, v, storage); err != nil {
				return fmt.Errorf("an undisturbed %q on %s storage: %w", v, storage, err)
			}
		}
	}
	return nil
}

func (s *suite) calibrateVerb(ctx context.Context, v *verb, storage string) error {
	var took time.Duration
	o := s.try(ctx, trial{verb: v, kind: "undisturbed", storage: storage, nodes: 1, rng: rand.New(rand.NewPCG(s.seed, 0)),
		act: func(ctx context.Context, sc *scene) error {
			began := time.Now()
			o := sc.victim()
			o.showPoints = true
			p, err := sc.together(ctx, o)
			if err != nil {
				return err
			}
			end, err := sc.undisturbed(ctx, p)
			took = time.Since(began)
			s.passed[v] = pointsPassed(s.passed[v], end.Stderr)
			return err
		}})
	if o.err != nil {
		return o.err
	}
	s.clean[v.name+storage] = took
	fmt.Printf("crash: an undisturbed %s on %s storage takes %s (with Vault and the check %s) and passes %d points: %s\n", v, storage,
		took.Round(time.Millisecond), o.took.Round(time.Millisecond), len(s.passed[v]), strings.Join(s.passed[v], " "))
	return nil
}

// undisturbed waits until a process has done its work.
func (sc *scene) undisturbed(ctx context.Context, p *driver.Process) (driver.Result, error) {
	if !sc.verb.endless {
		end := p.Wait()
		if end.Code != sc.verb.code {
			return end, fmt.Errorf("it exited with %d, want %d\n%s", end.Code, sc.verb.code, end.Stderr)
		}
		return end, nil
	}
	if sc.verb.company != above && sc.verb.company != frozen {
		return sc.watched(ctx, p)
	}
	if err := p.Until(ctx, standingBy, 1); err != nil {
		return driver.Result{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, hardenTime)
	defer cancel()
	if err := sc.untilDone(bounded); err != nil {
		return driver.Result{}, fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	err := sc.terminate(p)
	return p.Wait(), err
}

// pointsPassed adds the points that a process has shown, in their order.
func pointsPassed(points []string, stderr string) []string {
	for line := range strings.Lines(stderr) {
		if name, is := strings.CutPrefix(strings.TrimSpace(line), "passed "); is && !slices.Contains(points, name) {
			points = append(points, name)
		}
	}
	return points
}
