package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// The bounds of 'plan' on ten times the reference seed.
const (
	mostGrowth  = 11.0
	mostPlanRSS = 96 << 20
	planRounds  = 7
)

// planner runs 'plan' of one size on a Vault that matches.
type planner struct {
	vault  *server
	binary string
	file   string
	took   samples
	rss    int64
	// reads are the requests of one plan, and bare what a bare client takes for them.
	reads []call
	bare  samples
}

// BenchmarkPlan compares the 'plan' verb on both sizes, which take turns. Beside it
// stands how much longer a bare client takes for ten times as many reads: what Vault
// itself adds, whose cache of policies holds 1024, is a part of the growth.
func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		binary := build(b)
		one, stopOne := newPlanner(b, binary, reference)
		ten, stopTen := newPlanner(b, binary, tenfold)
		for range planRounds {
			one.plan(b)
			ten.plan(b)
		}
		stopOne()
		stopTen()
		growth := line{what: "10x beside 1x", bound: mostGrowth, ours: ten.took, floor: one.took, requests: 1}
		growth.print(b)
		fmt.Printf("%s bare reads, 10x beside 1x: %s, %s, %.2f; plan beside them: 10x %.2f, 1x %.2f\n", b.Name(),
			round(median(ten.bare.clock)), round(median(one.bare.clock)), ratio(ten.bare, one.bare), ratio(ten.took, ten.bare), ratio(one.took, one.bare))
		holdMemory(b, fmt.Sprintf("10x, most of %d", planRounds), ten.rss, mostPlanRSS)
	}
}

func newPlanner(b *testing.B, binary string, s size) (*planner, func()) {
	b.Helper()
	vault, stop := open(b, 0)
	found := objects(b, s)
	memory := run(b, vault.session(b), found, seed.Memory{HashKey: key})
	rec := &recorder{Session: vault.session(b)}
	run(b, rec, found, memory)
	file := filepath.Join(b.TempDir(), "seed.yaml")
	if err := os.WriteFile(file, []byte(s.text()), 0o600); err != nil {
		b.Fatal(err)
	}
	return &planner{vault: vault, binary: binary, file: file, reads: rec.calls}, stop
}

func (p *planner) plan(b *testing.B) {
	b.Helper()
	p.bare.time(func() { replay(b, p.vault, [][]call{p.reads}) })
	cmd := exec.CommandContext(b.Context(), p.binary, "plan", "--detailed-exitcode", "--seed="+p.file, "--vault-addr="+p.vault.addr, "--store=file:"+b.TempDir())
	cmd.Env = append(os.Environ(), "VAULT_TOKEN="+p.vault.root)
	forgetPeak(b)
	began := time.Now()
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	p.took.clock = append(p.took.clock, time.Since(began))
	p.took.cpu = append(p.took.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	p.rss = max(p.rss, peak(b, cmd))
}
