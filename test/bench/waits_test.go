package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// The bounds of what users wait for beside a run.
const (
	restarts     = 20
	mostReopened = time.Second     // the median, from when the server listens
	mostEver     = 3 * time.Second // the longest
	leaseTime    = 15 * time.Second
	mostTakeover = leaseTime + 2*time.Second
	mostChange   = 3 * time.Second // from the changed seed to the changed object
)

// start starts the program. It is killed at the end of the benchmark, if it still runs.
func (s *server) start(b *testing.B, binary string, args ...string) *driver.Driven {
	b.Helper()
	d := driver.StartFor(b, s.command(binary, args...))
	d.Patience = time.Minute
	return d
}

// watch starts a watch with the defaults that users have, and waits until it leads.
func (s *server) watch(b *testing.B, binary string, flags ...string) *driver.Driven {
	b.Helper()
	d := s.start(b, binary, slices.Concat([]string{"watch"}, s.flags(), flags)...)
	d.Says(`"leading"`, 1)
	return d
}

func until(b *testing.B, what string, try func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := testbed.Poll(ctx, 2*time.Millisecond, what, try); err != nil {
		b.Fatal(err)
	}
}

// sealed asks the server; an error means that it does not answer.
func (s *server) sealed(ctx context.Context) (sealed bool, err error) {
	var status struct{ Sealed bool }
	err = s.cluster.Nodes[0].Call(ctx, http.MethodGet, "sys/seal-status", "", nil, &status)
	return status.Sealed, err
}

// BenchmarkUnseal restarts a server again and again, and measures from when it listens until
// it is unsealed: by a watch, by a sidecar that stands by, and by post-start.
func BenchmarkUnseal(b *testing.B) {
	for b.Loop() {
		binary := build(b)
		for _, by := range []string{"watch", "sidecar", "post-start"} {
			s := hardened(b, binary, 0, false)
			var leader *driver.Driven
			if by != "post-start" {
				leader = s.watch(b, binary)
				if by == "sidecar" { // which stands by for a leader that does nothing
					leader.Send(syscall.SIGSTOP)
					s.start(b, binary, append([]string{"watch", "--own-replica=" + s.addr}, s.flags()...)...)
				}
			}
			var times samples
			for i := range restarts {
				times = append(times, s.reopened(b, binary, by))
				if by == "watch" { // a server does not go away again while its unsealing is on record
					leader.Says(`"msg":"entered","from":"unsealed"`, i+1)
				}
			}
			s.stop()
			hold(b, "unsealed by "+by+", median", times.median(), mostReopened)
			hold(b, "unsealed by "+by+", longest", slices.Max(times), mostEver)
		}
	}
}

// reopened restarts the server and returns how long it was sealed after it began to listen.
func (s *server) reopened(b *testing.B, binary, by string) time.Duration {
	b.Helper()
	node := s.cluster.Nodes[0]
	if err := node.Kill(); err != nil {
		b.Fatal(err)
	}
	var hook *driver.Driven
	if by == "post-start" { // the kubelet starts it with the container
		hook = s.start(b, binary, "post-start", "--vault-addr="+s.addr, "--store=file:"+s.store)
	}
	var listens time.Time
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		for b.Context().Err() == nil {
			if _, err := s.sealed(b.Context()); err == nil {
				listens = time.Now()
				return
			}
		}
	}()
	if err := node.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	<-answers
	until(b, "the server to be unsealed", func(ctx context.Context) error {
		sealed, err := s.sealed(ctx)
		if err == nil && sealed {
			err = errors.New("it is sealed")
		}
		return err
	})
	took := time.Since(listens)
	if hook != nil {
		hook.Wait()
	}
	until(b, "the server to be active", func(ctx context.Context) error {
		_, err := s.cluster.Active(ctx)
		return err
	})
	return took
}

// BenchmarkSeedChange changes the seed under a watch, and measures until Vault has it.
func BenchmarkSeedChange(b *testing.B) {
	for b.Loop() {
		binary := build(b)
		s := hardened(b, binary, 0, false)
		small := size{"small", 5, 5, 2}
		s.declare(b, small.text())
		s.run(b, binary)
		s.watch(b, binary)
		var times samples
		for i := range 5 {
			wanted := fmt.Sprintf("/data/change%d/*", i)
			began := time.Now()
			s.declare(b, strings.Replace(small.text(), "/data/app3/*", wanted, 1))
			until(b, "the changed policy", func(ctx context.Context) error {
				var answer struct{ Data struct{ Policy string } }
				err := s.cluster.Nodes[0].Call(ctx, http.MethodGet, "sys/policies/acl/p3", s.root, nil, &answer)
				if err == nil && !strings.Contains(answer.Data.Policy, wanted) {
					err = errors.New("it is as before")
				}
				return err
			})
			times = append(times, time.Since(began))
		}
		s.stop()
		hold(b, "a change of the seed under watch, median", times.median(), mostChange)
	}
}

// BenchmarkTakeover kills the run that holds the Lease in a cluster, and measures until
// another one has taken over.
func BenchmarkTakeover(b *testing.B) {
	for b.Loop() {
		binary := build(b)
		plane, err := testbed.StartControlPlane(b.Context(), testbed.ControlPlaneOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var times samples
		for i := range 3 {
			times = append(times, takeover(b, binary, plane, fmt.Sprintf("takeover-%d", i)))
		}
		if err := plane.Close(); err != nil {
			b.Error(err)
		}
		hold(b, "takeover after kill -9, median", times.median(), mostTakeover)
	}
}

func takeover(b *testing.B, binary string, plane *testbed.ControlPlane, namespace string) time.Duration {
	b.Helper()
	cluster, stop := fresh(b)
	defer stop()
	s := &server{cluster: cluster, addr: cluster.Nodes[0].Addr}
	if _, err := plane.Kubectl(b.Context(), "create", "namespace", namespace); err != nil {
		b.Fatal(err)
	}
	flags := []string{"--vault-addr=" + s.addr, "--kubeconfig=" + plane.AdminKubeconfig, "--namespace=" + namespace, "--login=approle", "--lease-duration=" + leaseTime.String()}
	lead := func() *driver.Driven { return s.start(b, binary, append([]string{"watch"}, flags...)...) }
	first := lead()
	first.Says(`"leading"`, 1)
	second := lead()
	second.Says("standing by", 1)
	began := time.Now()
	first.Send(syscall.SIGKILL)
	second.Says(`"leading"`, 1)
	return time.Since(began)
}
