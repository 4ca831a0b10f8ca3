package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	parallelism  = 16
	extraPerSeed = 30
	extraPerMnt  = 2
)

// size is a seed of the benchmark.
type size struct {
	name                    string
	policies, roles, mounts int
	// runs is how many fresh Vaults each side gets, reruns how many reruns each of them.
	runs, reruns int
}

var (
	reference = size{"1x", 500, 500, 20, 7, 3}
	tenfold   = size{"10x", 5000, 5000, 200, 5, 3}
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

// BenchmarkSeed measures a cold seed and a rerun without changes beside a bare client.
// One part alone: BENCH=Seed/1x/0s.
func BenchmarkSeed(b *testing.B) {
	for _, s := range []size{reference, tenfold} {
		b.Run(s.name, func(b *testing.B) {
			for _, rtt := range []time.Duration{0, 5 * time.Millisecond} {
				b.Run(rtt.String(), func(b *testing.B) {
					for b.Loop() {
						for _, l := range measure(b, s, rtt) {
							l.print(b)
						}
					}
				})
			}
		})
	}
}

// server is a fresh, open Vault, behind a proxy that delays where there is a round trip
// to add: at none the client's own CPU time is then that of this process.
type server struct {
	cluster *testbed.VaultCluster
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
	if rtt == 0 {
		return &server{cluster, keys.RootToken, cluster.Nodes[0].Addr}, stop
	}
	proxy, err := testbed.StartProxy(strings.TrimPrefix(cluster.Nodes[0].Addr, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	proxy.Delay(rtt / 2)
	return &server{cluster, keys.RootToken, "http://" + proxy.Addr}, func() {
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

// measure returns the lines of one size at one round trip. Ours and the floor take
// turns, so that what else the machine does meets both.
func measure(b *testing.B, s size, rtt time.Duration) []line {
	b.Helper()
	found := objects(b, s)
	cold, noop := line{what: "cold", bound: mostCold}, line{what: "no-op", bound: mostNoOp}
	for range s.runs {
		one, stopOne := open(b, rtt)
		two, stopTwo := open(b, rtt)
		rec := &recorder{Session: one.session(b)}
		var memory seed.Memory
		cold.ours.time(func() { memory = run(b, rec, found, seed.Memory{HashKey: key}) })
		cold.floor.time(func() { replay(b, two, phases(rec.calls)) })
		cold.requests = len(rec.calls)
		stopTwo()
		for range s.reruns {
			again := &recorder{Session: one.session(b)}
			noop.ours.time(func() { run(b, again, found, memory) })
			checkRerun(b, again.calls, s)
			noop.floor.time(func() { replay(b, one, [][]call{again.calls}) })
			noop.requests = len(again.calls)
		}
		stopOne()
	}
	return []line{cold, noop}
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
