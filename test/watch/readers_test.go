package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// readers are consumers: one at each node reads a secret again and again, with a token that may do
// nothing else. What they see besides the secret is judged when it comes.
type readers struct {
	t     *testing.T
	token string
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu sync.Mutex
	// away is whether a node is being replaced.
	away bool
	// epoch counts the beginnings and ends of failovers: a request during which it has changed
	// is judged as one of the failover.
	epoch int
	reads int
	last  time.Time
	gap   time.Duration
	wrong map[string]int
}

const (
	readEvery = 20 * time.Millisecond
	readPath  = "kv/data/app/config"
	readValue = "blue"
)

// readersFor writes the secret and starts the consumers; they end with the test.
func readersFor(t *testing.T, in *installation, root string) *readers {
	t.Helper()
	value := map[string]any{"data": map[string]string{"colour": readValue}}
	if err := in.call(http.MethodPost, readPath, root, value, nil); err != nil {
		t.Fatal(err)
	}
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	wanted := map[string]any{"policies": []string{"app"}, "no_default_policy": true, "ttl": "1h"}
	if err := in.call(http.MethodPost, "auth/token/create-orphan", root, wanted, &made); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	ctx, stop := context.WithCancel(t.Context())
	r := &readers{t: t, token: made.Auth.ClientToken, stop: stop, last: time.Now(), wrong: map[string]int{}}
	for _, node := range in.cluster.Nodes {
		r.done.Go(func() { r.consume(ctx, node) })
	}
	t.Cleanup(func() {
		stop()
		r.done.Wait()
	})
	return r
}

func (r *readers) consume(ctx context.Context, node *testbed.VaultNode) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.mu.Lock()
			before := r.epoch
			r.mu.Unlock()
			err := r.read(ctx, node)
			if ctx.Err() != nil {
				return
			}
			r.judge(node, before, err)
		}
	}
}

func (r *readers) read(ctx context.Context, node *testbed.VaultNode) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var secret struct {
		Data struct{ Data map[string]string }
	}
	if err := node.Call(ctx, http.MethodGet, readPath, r.token, nil, &secret); err != nil {
		return err
	}
	if got := secret.Data.Data["colour"]; got != readValue {
		return fmt.Errorf("the secret is %q", got)
	}
	return nil
}

// judge notes a read, or what is wrong with it.
func (r *readers) judge(node *testbed.VaultNode, before int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if err == nil {
		r.gap = max(r.gap, now.Sub(r.last))
		r.last = now
		r.reads++
		return
	}
	during := r.away || r.epoch != before
	if during && ofFailover(err) {
		return
	}
	r.wrong[fmt.Sprintf("%s, during a failover %v: %v", node.Name, during, err)]++
}

// ofFailover says whether an error is one that a Vault whose active node is going away, or that
// is being unsealed, gives to who asks it (seen on Vault 1.20 and 1.21).
func ofFailover(err error) bool {
	refused, ok := errors.AsType[*testbed.VaultError](err)
	if !ok {
		// No answer: the process is not there, or was ended.
		for _, said := range []string{"connection refused", "connection reset", "EOF", "broken pipe"} {
			if strings.Contains(err.Error(), said) {
				return true
			}
		}
		return false
	}
	switch refused.Status {
	case http.StatusTemporaryRedirect: // a standby that has nobody to forward to
		return true
	case http.StatusServiceUnavailable:
		return strings.Contains(refused.Body, "Vault is sealed")
	case http.StatusInternalServerError:
		for _, said := range []string{
			"local node not active but active cluster node not found", "error during forwarding RPC request",
			"context canceled", "node is not the leader", "leadership lost",
		} {
			if strings.Contains(refused.Body, said) {
				return true
			}
		}
	}
	return false
}

// failover has something done that takes a node away and brings it back.
func (r *readers) failover(do func()) {
	set := func(away bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.away = away
		r.epoch++
	}
	set(true)
	do()
	set(false)
}

// end stops the consumers, and fails the test for what they have seen. It returns how often the
// secret was read, and the longest time in which none of them got it.
func (r *readers) end() (reads int, gap time.Duration) {
	r.t.Helper()
	r.stop()
	r.done.Wait()
	for what, times := range r.wrong {
		r.t.Errorf("%d times a consumer has seen: %s", times, what)
	}
	if r.reads == 0 {
		r.t.Error("no consumer has read anything")
	}
	return r.reads, r.gap
}
