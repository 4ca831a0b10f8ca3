package watch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestKilledBreakGlass kills a break-glass beside a watch. As long as its Lease lasts,
// the looks of the watch leave its root token alone; whoever has the Lease then ends it.
func TestKilledBreakGlass(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)

	handed := filepath.Join(t.TempDir(), "token")
	args := append([]string{"break-glass", "exec", "--reason=INC-1: a test"}, in.flags...)
	glass := start(t, in.env, append(args, "--", "/bin/sh", "-c", `printf '%s\n' "$$" "$VAULT_TOKEN" > `+handed+"; exec /bin/sleep 600 >/dev/null 2>&1")...)
	var token string
	var child int
	eventually(t, "the command's token", time.Minute, func(context.Context) error {
		content, err := os.ReadFile(handed)
		if err != nil {
			return err
		}
		lines := strings.Split(string(content), "\n")
		if len(lines) != 3 {
			return errors.New("not written yet")
		}
		token = lines[1]
		child, err = strconv.Atoi(lines[0])
		return err
	})
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) }) // nobody else ends the orphan
	testbed.NoteSecrets(t, token)
	lives := func() bool { return in.call(http.MethodGet, "auth/token/lookup-self", token, nil, nil) == nil }
	if !lives() {
		t.Fatal("the command's token does not work")
	}
	killed := time.Now()
	glass.Kill()
	eventually(t, "the end of the root token", 90*time.Second, func(context.Context) error {
		if lives() {
			return errors.New("it works")
		}
		return nil
	})
	// The Lease lasts 15 s from when it was renewed last, which is every few seconds.
	took := time.Since(killed)
	t.Logf("the root token ended %s after the break-glass was killed", took.Round(time.Millisecond))
	if took < 8*time.Second {
		t.Error("the Lease cannot have been free by then")
	}
	if record := string(keysOf(t, namespace)); strings.Contains(record, "break_glass") {
		t.Error("it is still on record")
	}
	eventually(t, "the Event", 10*time.Second, func(context.Context) error {
		if got := told(t, namespace, "Pod"); !slices.Contains(got, "Warning MendedGlass") {
			return errors.New("it is not there")
		}
		return nil
	})
	w.Terminates()
}

// TestBreakGlassIsAnEvent has a person use a root token for one run, and one for one
// command.
func TestBreakGlassIsAnEvent(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in, namespace := installInKubernetes(t, cluster)
	in.start("run").Exits(0)
	args := append([]string{"break-glass", "run", "--reason=INC-2: another test"}, in.flags...)
	glass := start(t, in.env, append(args, in.walk...)...)
	glass.Exits(0)
	for _, kind := range []string{"Pod", "Job"} {
		got := told(t, namespace, kind)
		for _, want := range []string{"Warning BrokeGlass", "Warning MendedGlass"} {
			if !slices.Contains(got, want) {
				t.Errorf("of the %s there is no event %q in %q", kind, want, got)
			}
		}
	}
	args = append([]string{"break-glass", "exec", "--reason=INC-3: a command"}, in.flags...)
	start(t, in.env, append(args, "--", "/bin/true")...).Exits(0)
	for _, reason := range []string{"BrokeGlass", "MendedGlass"} {
		said := kubectl(t, "get", "events", "-n", namespace, "--field-selector=reason="+reason, "-o=jsonpath={.items[*].message}")
		for _, why := range []string{"INC-2: another test", "INC-3: a command"} {
			if !strings.Contains(said, why) {
				t.Errorf("no event %s gives the reason %q: %q", reason, why, said)
			}
		}
	}
}
