package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// The bounds that the project has set itself for seeds, as ratios to a bare HTTP client
// that sends the same requests at the same parallelism.
const (
	mostCold     = 1.25
	mostNoOp     = 1.30
	mostGrowth   = 11.0
	mostPlanRSS  = 96 << 20
	parallelism  = 16
	extraPerSeed = 30
	extraPerMnt  = 2
)

// size is a seed of the benchmark.
type size struct {
	name                    string
	policies, roles, mounts int
	runs                    int
}

var (
	reference = size{"1x", 500, 500, 20, 5}
	tenfold   = size{"10x", 5000, 5000, 200, 1}
)

// text returns the seed as YAML.
func (s size) text() string {
	var b strings.Builder
	b.WriteString("policies:\n")
	for i := range s.policies {
		fmt.Fprintf(&b, "  - {name: p%d, rules: 'path \"kv%d/data/app%d/*\" { capabilities = [\"read\"] }'}\n", i, i%s.mounts, i)
	}
	b.WriteString("auth:\n  - type: kubernetes\n    roles:\n")
	for i := range s.roles {
		fmt.Fprintf(&b, "      - {name: r%d, bound_service_account_names: [app%d], bound_service_account_namespaces: [ns%d], audience: vault, token_policies: [p%d], token_ttl: 20m}\n", i, i, i, i)
	}
	b.WriteString("secrets:\n")
	for i := range s.mounts {
		fmt.Fprintf(&b, "  - {type: kv, path: kv%d, options: {version: 2}}\n", i)
	}
	return b.String()
}

// line is one row of the result.
type line struct {
	what, size, rtt string
	ours, floor     time.Duration
	bound           float64
}

func (l line) ratio() float64 { return float64(l.ours) / float64(l.floor) }

func (l line) holds() string {
	if l.ratio() <= l.bound {
		return "holds"
	}
	return "FAILS"
}

// BenchmarkSeed measures a cold seed and a rerun without changes beside a bare client.
func BenchmarkSeed(b *testing.B) {
	for b.Loop() {
		var lines []line
		for _, s := range []size{reference, tenfold} {
			for _, rtt := range []time.Duration{0, 5 * time.Millisecond} {
				for _, l := range measure(b, s, rtt) {
					lines = append(lines, l)
					fmt.Printf("seed: %s %s at %s: %s, floor %s, %.2f of %.2f: %s\n", l.what, l.size, l.rtt, round(l.ours), round(l.floor), l.ratio(), l.bound, l.holds())
				}
			}
		}
		report(b, lines)
	}
}

// BenchmarkPlan measures the 'plan' verb on a Vault that matches, for both sizes.
func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		reportPlans(b, planSizes(b))
	}
}

// server is a fresh, open Vault behind a proxy that delays.
type server struct {
	cluster *testbed.VaultCluster
	proxy   *testbed.Proxy
	root    string
	addr    string
}

func open(b *testing.B, rtt time.Duration) (*server, func()) {
	b.Helper()
	cluster, stop := fresh(b)
	keys, err := cluster.Initialize(b.Context(), 1, 1)
	if err == nil {
		err = cluster.Unseal(b.Context(), keys)
	}
	if err != nil {
		b.Fatal(err)
	}
	proxy, err := testbed.StartProxy(strings.TrimPrefix(cluster.Nodes[0].Addr, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	proxy.Delay(rtt / 2)
	return &server{cluster, proxy, keys.RootToken, "http://" + proxy.Addr}, func() {
		_ = proxy.Close()
		stop()
	}
}

func (s *server) session(b *testing.B) *vault.Session {
	b.Helper()
	cluster, err := vault.New(vault.Config{Addresses: []string{s.addr}})
	if err != nil {
		b.Fatal(err)
	}
	session, err := cluster.Session(s.addr, secret.New(s.root))
	if err != nil {
		b.Fatal(err)
	}
	return session
}

// recorder notes the requests of a session, stage by stage, so that the floor can send
// the very same.
type recorder struct {
	*vault.Session
	mu    sync.Mutex
	calls []call
}

type call struct {
	method, path string
	body         []byte
}

func (r *recorder) note(method, path string, data any) {
	body, _ := json.Marshal(data)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call{method, path, body})
}

func (r *recorder) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	r.note(http.MethodGet, path, nil)
	return r.Session.Read(ctx, path)
}

func (r *recorder) Put(ctx context.Context, path string, data map[string]any) (map[string]any, []string, error) {
	r.note(http.MethodPut, path, data)
	return r.Session.Put(ctx, path, data)
}

func (r *recorder) Fields(ctx context.Context, path string) ([]string, error) {
	r.note(http.MethodGet, path+"?help=1", nil)
	return r.Session.Fields(ctx, path)
}

// objects loads a seed.
func objects(b *testing.B, s size) []seed.Object {
	b.Helper()
	file := filepath.Join(b.TempDir(), "seed.yaml")
	if err := os.WriteFile(file, []byte(s.text()), 0o600); err != nil {
		b.Fatal(err)
	}
	loaded, err := seed.Load([]string{file})
	if err != nil {
		b.Fatal(err)
	}
	found, err := loaded.Objects(b.Context(), seed.Resolver{})
	if err != nil {
		b.Fatal(err)
	}
	return found
}

var key = secret.New("key of the benchmark")

// run plans and applies, and returns what to remember.
func run(b *testing.B, api seed.API, found []seed.Object, memory seed.Memory) seed.Memory {
	b.Helper()
	p, err := seed.NewPlan(b.Context(), api, seed.Goal{Objects: found, Memory: memory, Parallelism: parallelism})
	if err != nil {
		b.Fatal(err)
	}
	result, err := seed.Apply(b.Context(), api, p, seed.Options{Parallelism: parallelism})
	if err != nil {
		b.Fatal(err)
	}
	return seed.Memory{Hashes: result.Hashes, HashKey: memory.HashKey}
}

// measure returns the lines of one size at one round trip.
func measure(b *testing.B, s size, rtt time.Duration) []line {
	b.Helper()
	found := objects(b, s)
	var ours, floor, noop, reads []time.Duration
	var calls []call
	for range s.runs {
		one, stop := open(b, rtt)
		rec := &recorder{Session: one.session(b)}
		began := time.Now()
		memory := run(b, rec, found, seed.Memory{HashKey: key})
		ours = append(ours, time.Since(began))
		calls = rec.calls
		for range 3 {
			again := &recorder{Session: one.session(b)}
			began = time.Now()
			run(b, again, found, memory)
			noop = append(noop, time.Since(began))
			checkRerun(b, again.calls, s)
			reads = append(reads, replay(b, one, [][]call{again.calls}))
		}
		stop()
		two, stop := open(b, rtt)
		floor = append(floor, replay(b, two, phases(calls)))
		stop()
	}
	name := fmt.Sprint(rtt)
	return []line{
		{"cold", s.name, name, median(ours), median(floor), mostCold},
		{"no-op", s.name, name, median(noop), median(reads), mostNoOp},
	}
}

// checkRerun holds that a rerun only reads, and not more than it may.
func checkRerun(b *testing.B, calls []call, s size) {
	b.Helper()
	most := s.policies + s.roles + s.mounts + 1 + extraPerMnt*s.mounts + extraPerSeed
	if len(calls) > most {
		b.Errorf("a rerun makes %d requests, at most %d", len(calls), most)
	}
	for _, c := range calls {
		if c.method != http.MethodGet {
			b.Errorf("a rerun sends %s %s", c.method, c.path)
		}
	}
}

// planned is a run of the 'plan' verb on a Vault that matches.
type planned struct {
	took time.Duration
	rss  int64
}

// planSizes runs 'plan' on both sizes.
func planSizes(b *testing.B) map[string]planned {
	b.Helper()
	binary := build(b)
	out := map[string]planned{}
	for _, s := range []size{reference, tenfold} {
		one, stop := open(b, 0)
		run(b, one.session(b), objects(b, s), seed.Memory{HashKey: key})
		file := filepath.Join(b.TempDir(), "seed.yaml")
		if err := os.WriteFile(file, []byte(s.text()), 0o600); err != nil {
			b.Fatal(err)
		}
		var times []time.Duration
		var rss int64
		for range 5 {
			cmd := exec.CommandContext(b.Context(), binary, "plan", "--detailed-exitcode", "--seed="+file, "--vault-addr="+one.addr, "--store=file:"+b.TempDir())
			cmd.Env = append(os.Environ(), "VAULT_TOKEN="+one.root)
			began := time.Now()
			if text, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, text)
			}
			times = append(times, time.Since(began))
			if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				rss = max(rss, usage.Maxrss*1024)
			}
		}
		stop()
		out[s.name] = planned{median(times), rss}
	}
	return out
}

// report prints the table.
func report(b *testing.B, lines []line) {
	b.Helper()
	var t strings.Builder
	t.WriteString("| what | seed | round trip | ours | floor | ratio | bound | |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	slices.SortStableFunc(lines, func(x, y line) int { return cmp.Compare(x.what, y.what) })
	for _, l := range lines {
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s | %.2f | %.2f | %s |\n", l.what, l.size, l.rtt, round(l.ours), round(l.floor), l.ratio(), l.bound, l.holds())
		if l.ratio() > l.bound {
			b.Errorf("%s %s at %s: %.2f times the floor, at most %.2f", l.what, l.size, l.rtt, l.ratio(), l.bound)
		}
	}
	b.Logf("%s, %d CPUs, medians\n%s", runtime.GOARCH, runtime.NumCPU(), t.String())
}

func reportPlans(b *testing.B, plans map[string]planned) {
	b.Helper()
	growth := line{"plan", "10x to 1x", "0s", plans["10x"].took, plans["1x"].took, mostGrowth}
	memory := "holds"
	if plans["10x"].rss > mostPlanRSS {
		memory = "FAILS"
		b.Errorf("plan of 10x: %d MiB resident, at most %d", plans["10x"].rss>>20, mostPlanRSS>>20)
	}
	if growth.ratio() > growth.bound {
		b.Errorf("plan of 10x takes %.1f times as long as of 1x", growth.ratio())
	}
	fmt.Printf("plan: 10x %s, 1x %s, %.2f of %.2f: %s\n", round(growth.ours), round(growth.floor), growth.ratio(), growth.bound, growth.holds())
	fmt.Printf("plan: 10x resident %d MiB of %d: %s\n", plans["10x"].rss>>20, mostPlanRSS>>20, memory)
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
