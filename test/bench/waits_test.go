package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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

// daemon is a process of the program that goes on until it is ended.
type daemon struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

// toSay returns what polls until the process has logged a text.
func (d *daemon) toSay(text string) func(context.Context) error { return d.toSayTimes(text, 1) }

// toSayTimes returns what polls until it has logged it so many times.
func (d *daemon) toSayTimes(text string, times int) func(context.Context) error {
	return func(context.Context) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if strings.Count(d.log.String(), text) < times {
			return fmt.Errorf("its log: %s", d.log.String())
		}
		return nil
	}
}

// start starts the program. It is killed at the end of the benchmark, if it still runs.
func (s *server) start(b *testing.B, binary string, args ...string) *daemon {
	b.Helper()
	d := &daemon{cmd: exec.Command(binary, args...)}
	d.cmd.Env = []string{"HOME=" + s.cluster.Dir}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	if err := d.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
	})
	return d
}

// watch starts a watch with the defaults that users have, and waits until it leads.
func (s *server) watch(b *testing.B, binary string, flags ...string) *daemon {
	b.Helper()
	d := s.start(b, binary, slices.Concat([]string{"watch"}, s.flags(), flags)...)
	until(b, "the watch to lead", d.toSay(`"leading"`))
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
			var leader *daemon
			if by != "post-start" {
				leader = s.watch(b, binary)
				if by == "sidecar" { // which stands by for a leader that does nothing
					if err := leader.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
						b.Fatal(err)
					}
					s.start(b, binary, append([]string{"watch", "--own-replica=" + s.addr}, s.flags()...)...)
				}
			}
			var times samples
			for i := range restarts {
				times = append(times, s.reopened(b, binary, by))
				if by == "watch" { // a server does not go away again while its unsealing is on record
					until(b, "the watch to have finished", leader.toSayTimes(`"msg":"entered","from":"unsealed"`, i+1))
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
	var hook *daemon
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
		_ = hook.cmd.Wait()
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
	lead := func() *daemon { return s.start(b, binary, append([]string{"watch"}, flags...)...) }
	first := lead()
	until(b, "the first to lead", first.toSay(`"leading"`))
	second := lead()
	until(b, "the second to stand by", second.toSay("standing by"))
	began := time.Now()
	if err := first.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	until(b, "the second to lead", second.toSay(`"leading"`))
	return time.Since(began)
}
