package watch

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// crowd is many processes that wait for the same Vault, and what they ask of it.
type crowd struct {
	name  string
	proxy *testbed.HTTPProxy
	asked func() int
	args  []string

	said  atomic.Int32 // how many have said what they wait for: they have looked
	codes []int
	ended []time.Time
	// looks are the times of requests to Vault, to within the sampler's turns.
	looks []time.Time
}

// newCrowd prepares size waiters; flags get the address of a proxy that counts.
func newCrowd(t *testing.T, name string, size int, node *testbed.VaultNode, flags ...string) *crowd {
	t.Helper()
	proxy := testbed.HTTPProxyFor(t, node.Addr)
	return &crowd{
		name: name, proxy: proxy, asked: proxy.Inject(testbed.Fault{Path: "*"}),
		args:  append([]string{"wait", "--timeout=5m", "--vault-addr=" + proxy.URL}, flags...),
		codes: make([]int, size), ended: make([]time.Time, size),
	}
}

// start starts them all at once.
func (c *crowd) start(t *testing.T, group *sync.WaitGroup) {
	for i := range c.codes {
		group.Go(func() {
			waiter, err := driver.Command{Binary: binary, Args: c.args, Env: []string{"GOMAXPROCS=1"}}.Start(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if waiter.Until(t.Context(), "\n", 1) == nil {
				c.said.Add(1)
			}
			c.codes[i], c.ended[i] = waiter.Wait().Code, time.Now()
		})
	}
}

// sample notes what was asked since the last turn.
func (c *crowd) sample(now time.Time) {
	for range c.asked() - len(c.looks) {
		c.looks = append(c.looks, now)
	}
}

// watchCrowds samples until done says so, or the time is over.
func watchCrowds(t *testing.T, most time.Duration, crowds []*crowd, done func(since time.Time) bool) {
	t.Helper()
	began := time.Now()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for now := range ticker.C {
		for _, each := range crowds {
			each.sample(now)
		}
		if done(began) {
			return
		}
		if now.Sub(began) > most {
			t.Fatalf("after %s it is not done", most)
		}
	}
}

// heard returns when the API server was asked by an account, from its audit log. Each
// request counts once, however many stages of it are logged.
func heard(t *testing.T, user string) []time.Time {
	t.Helper()
	requests, err := kubernetes(t).Requests(user, time.Time{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var times []time.Time
	for _, request := range requests {
		if !seen[request.AuditID] {
			times = append(times, request.Received)
		}
		seen[request.AuditID] = true
	}
	return times
}

// between counts the times in a span.
func between(times []time.Time, from, to time.Time) int {
	count := 0
	for _, at := range times {
		if !at.Before(from) && at.Before(to) {
			count++
		}
	}
	return count
}

// busiest returns the most in any window of a span, a second.
func busiest(times []time.Time, from, to time.Time, window time.Duration) float64 {
	most := 0
	for at := from; !at.Add(window).After(to); at = at.Add(window / 5) {
		most = max(most, between(times, at, at.Add(window)))
	}
	return float64(most) / window.Seconds()
}

// TestManyWaiters has 200 processes wait for a Vault that is not there yet, and 200
// others by its health alone. It counts what they ask of both servers together, from
// their start on, and lets them go.
func TestManyWaiters(t *testing.T) {
	t.Parallel()
	const size, watched, window, most = 200, 45 * time.Second, 5 * time.Second, 20.0
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	kubeconfig := allowWaiters(t, namespace, "get,watch")
	both := newCrowd(t, "by Lease and health", size, cluster.Nodes[0], "--for=hardened", "--kubeconfig="+kubeconfig)
	health := newCrowd(t, "by health alone", size, cluster.Nodes[0], "--for=unsealed", "--via=health")
	crowds := []*crowd{both, health}
	waiters := func() []time.Time { return heard(t, "system:serviceaccount:"+namespace+":waiter") }

	var group sync.WaitGroup
	began := time.Now()
	for _, each := range crowds {
		each.start(t, &group)
	}
	// They have settled when each has looked once. A watch is in the log when it begins.
	watchCrowds(t, 2*time.Minute, crowds, func(time.Time) bool { return health.said.Load() >= size && len(waiters()) >= size })
	settled := time.Now()
	watchCrowds(t, 2*watched, crowds, func(since time.Time) bool { return time.Since(since) >= watched })
	ended := time.Now()

	api := waiters()
	requests := map[*crowd][]time.Time{both: slices.Concat(api, both.looks), health: health.looks}
	for _, each := range crowds {
		all := requests[each]
		whole := float64(between(all, began, ended)) / ended.Sub(began).Seconds()
		later := float64(between(all, settled, ended)) / ended.Sub(settled).Seconds()
		peak := busiest(all, settled, ended, window)
		t.Logf("%s: %d requests until all had looked, %s after the start (%.0f in the busiest second); then %.2f a second, %.1f in the busiest %s; %.2f a second over the whole time",
			each.name, between(all, began, settled), settled.Sub(began).Round(100*time.Millisecond), busiest(all, began, settled.Add(time.Second), time.Second), later, peak, window, whole)
		if whole >= most || later >= most || peak >= most {
			t.Errorf("%s: that is not less than %v", each.name, most)
		}
	}
	if len(both.looks) > 0 || len(health.looks) < 2*size {
		t.Errorf("Vault was asked %d times before the Lease said so, and %d times by those who have nothing else", len(both.looks), len(health.looks))
	}

	in.start("run").Exits(0)
	hardened := time.Now()
	group.Wait()
	for most, each := range map[time.Duration]*crowd{15 * time.Second: both, 35 * time.Second: health} {
		last := time.Duration(0)
		for i := range each.codes {
			if each.codes[i] != 0 {
				t.Errorf("%s: a waiter ended with %d", each.name, each.codes[i])
			}
			last = max(last, each.ended[i].Sub(hardened))
		}
		t.Logf("%s: the last one went on %s after the run had ended; Vault was asked %d times in all", each.name, last.Round(time.Millisecond), each.asked())
		if last > most {
			t.Errorf("%s: that is too late", each.name)
		}
	}
}
