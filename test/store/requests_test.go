package store_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// counter counts the requests that a client sends.
type counter struct {
	mu   sync.Mutex
	sent []string
}

func (c *counter) through(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			_, path, _ := strings.Cut(r.URL.Path, "/namespaces/")
			c.mu.Lock()
			c.sent = append(c.sent, r.Method+" "+path)
			c.mu.Unlock()
			return next.RoundTrip(r)
		})
	})
	return config
}

// taken returns the requests since the last call, without renewals of the Lease.
func (c *counter) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := c.sent
	c.sent = nil
	return sent
}

// Every request is work for etcd: a session that begins, updates one record and ends
// took 13, as long as each write read the object anew.
func TestRequestsOfASession(t *testing.T) {
	t.Parallel()
	s, _ := begun(t)
	var c counter
	records := openWith(t, c.through(s.config), s)
	check(t, records.Preflight(within(t)))
	c.taken()
	session, err := fencing.Begin(within(t), records, storetest.LeaseOptions("h"))
	check(t, err)
	begin := c.taken()
	check(t, session.UpdateKeys(within(t), func(keys *store.Keys) error { keys.HashKey = secret.New("h"); return nil }))
	update := c.taken()
	check(t, session.UpdateKeys(within(t), func(keys *store.Keys) error { keys.HashKey = secret.New("h"); return nil }))
	unchanged := c.taken()
	check(t, session.Close())
	release := c.taken()
	t.Logf("%d requests: beginning %d, an update %d, release %d; an update that changes nothing %d",
		len(begin)+len(update)+len(release), len(begin), len(update), len(release), len(unchanged))
	for _, step := range []struct {
		name string
		sent []string
		most int
	}{{"beginning", begin, 6}, {"an update", update, 2}, {"an update that changes nothing", unchanged, 1}, {"release", release, 1}} {
		// The Lease may have been renewed in between.
		if count := len(step.sent) - strings.Count(fmt.Sprint(step.sent), "PUT ") + map[string]int{"beginning": 1, "release": 1}[step.name]; count > step.most {
			t.Errorf("%s takes %d requests, want %d: %q", step.name, count, step.most, step.sent)
		}
	}
	// Concerns judges what was read.
	if _, err := records.Concerns(within(t)); err != nil {
		t.Error(err)
	}
	if more := c.taken(); len(more) > 0 {
		t.Errorf("asking for concerns sends %q", more)
	}
}

func TestARevisionOfOurOwn(t *testing.T) {
	t.Parallel()
	_, records := begun(t)
	session, err := fencing.Begin(within(t), records, storetest.LeaseOptions("h"))
	check(t, err)
	defer func() { check(t, session.Close()) }()
	revision := func() store.Revision {
		_, revision, err := records.Checkpoint(within(t))
		check(t, err)
		return revision
	}
	begun := revision()
	if got := session.CheckpointRevision(); got != begun {
		t.Errorf("after the beginning the session knows %q, the checkpoint is at %q", got, begun)
	}
	check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { c.State = "seeded"; return nil }))
	if got, want := session.CheckpointRevision(), revision(); got != want || got == begun {
		t.Errorf("after an update the session knows %q, the checkpoint is at %q", got, want)
	}
	if !session.WroteCheckpoint(begun) || !session.WroteCheckpoint(revision()) {
		t.Error("the session does not know both of its writes")
	}
	theirs, at, err := records.Checkpoint(within(t))
	check(t, err)
	theirs.ClusterID = "theirs"
	_, err = records.SaveCheckpoint(within(t), theirs, at)
	check(t, err)
	if session.WroteCheckpoint(revision()) {
		t.Error("a write by another counts as the session's")
	}
	// Who writes the same writes nothing, and wakes nobody.
	before := revision()
	check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { c.State = "seeded"; return nil }))
	if now := revision(); now != before {
		t.Errorf("an update that changes nothing takes the checkpoint from %q to %q", before, now)
	}
}

// The question about the namespace is one that the API server takes as it is, and that
// leaves nothing: a refusal for another reason would pass for 'no'.
func TestTheNamespaceIsAskedByAnEvent(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	var mu sync.Mutex
	var answers []int
	config := rest.CopyConfig(s.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, "/events") {
				mu.Lock()
				answers = append(answers, answer.StatusCode)
				mu.Unlock()
			}
			return answer, err
		})
	})
	poll(t, "the right to make Events", func(ctx context.Context) error {
		answers = nil
		if err := openWith(t, config, s).Preflight(ctx); err != nil {
			return err
		}
		if len(answers) != 1 || answers[0] != http.StatusCreated {
			return fmt.Errorf("the API server answers %d", answers)
		}
		return nil
	})
	events, err := controlPlane.Client.CoreV1().Events(s.namespace).List(within(t), metav1.ListOptions{})
	check(t, err)
	if len(events.Items) > 0 {
		t.Errorf("the question has left %d Events", len(events.Items))
	}
}
