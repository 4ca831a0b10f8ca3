package filestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/filestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

const fileName = "vault-bootstrap"

// holdEnv makes the test binary a process that holds the Lease of the store in the
// directory it names until it is killed.
const holdEnv = "STORE_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	s, err := filestore.Open(dir, fileName)
	if err == nil {
		_, err = s.Acquire(context.Background(), storetest.LeaseOptions("dead"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("held")
	select {}
}

func openFile(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir, fileName)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startHolder starts another process that holds the Lease, and returns it when it does.
func startHolder(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func TestFileConformance(t *testing.T) { storetest.Run(t, empty) }

func TestFileConformanceEncrypted(t *testing.T) { storetest.RunEncrypted(t, empty) }

// empty returns records that are empty.
func empty(t *testing.T) storetest.Backend {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	path := func(record storetest.Record) string {
		location := openFile(t, dir).Location()
		if record == storetest.Keys {
			return location.Keys
		}
		return location.Checkpoint
	}
	return storetest.Backend{
		Open: func(t *testing.T) store.Store { return openFile(t, dir) },
		Plant: func(t *testing.T, record storetest.Record, content []byte) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path(record), content, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		Planted: func(t *testing.T, record storetest.Record) []byte {
			content, err := os.ReadFile(path(record))
			if err != nil {
				t.Fatal(err)
			}
			return content
		},
		Remove: func(t *testing.T, record storetest.Record) {
			if err := os.Remove(path(record)); err != nil {
				t.Fatal(err)
			}
		},
		Orphan: func(t *testing.T, _ store.LeaseOptions) { kill(t, startHolder(t, dir)) },
		Rob: func(t *testing.T) {
			if err := os.Remove(openFile(t, dir).Location().Lease); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// The Lease excludes other processes, they see its holder, and the kernel releases it on kill -9.
func TestFileLeaseAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	other := startHolder(t, dir)
	holders := make(chan string, 10)
	options := storetest.LeaseOptions("heir")
	options.Waiting = func(holder string) { holders <- holder }
	result := make(chan error, 1)
	go func() {
		held, err := openFile(t, dir).Acquire(t.Context(), options)
		if err == nil {
			err = held.Release(context.Background())
		}
		result <- err
	}()
	if holder := storetest.Receive(t, holders, "the holder's name"); holder != "dead" {
		t.Errorf("%q is reported as the holder of the Lease", holder)
	}
	select {
	case err := <-result:
		t.Fatalf("the Lease was not waited for: %v", err)
	default:
	}
	kill(t, other)
	if err := storetest.Receive(t, result, "the Lease"); err != nil {
		t.Error(err)
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := openFile(t, dir)
	session, err := fencing.Begin(t.Context(), s, storetest.LeaseOptions("h"))
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Show(t.Context(), store.Mirror{State: "s"}); err != nil {
		t.Fatal(err)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", entry.Name(), info.Mode(), err)
		}
	}
	want := "vault-bootstrap-keys.json vault-bootstrap-lease.json vault-bootstrap-state.json vault-bootstrap.cas vault-bootstrap.lock"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the directory holds %s, want %s", got, want)
	}
}

func TestFileOpensNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	s := openFile(t, dir)
	if _, revision, err := s.Keys(t.Context()); err != nil || revision != "" {
		t.Errorf("no directory reads as %q, %v", revision, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the directory: %v", err)
	}
	if _, err := filestore.Open("", fileName); fault.KindOf(err) != fault.Usage {
		t.Errorf("no directory: %v", err)
	}
	if _, err := filestore.Open(dir, "../x"); fault.KindOf(err) != fault.Usage {
		t.Errorf("a name that leaves the directory: %v", err)
	}
}

func TestFileReadableByOthersIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666} {
		dir := t.TempDir()
		s := openFile(t, dir)
		revision, err := s.SaveKeys(t.Context(), store.Keys{}, "")
		if err != nil {
			t.Fatal(err)
		}
		path := s.Location().Keys
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, _, readErr := s.Keys(t.Context())
		_, saveErr := s.SaveKeys(t.Context(), store.Keys{Epoch: 1}, revision)
		for _, err := range []error{readErr, saveErr, s.Preflight(t.Context())} {
			if fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), "chmod 600 "+path) {
				t.Errorf("mode %o: %v; remedy: %s", mode, err, fault.RemedyOf(err))
			}
		}
	}
}

// A kill -9 in the middle of a write leaves a temporary file with keys in it. It does no harm, and
// the next write removes it.
func TestFileWhatAKillLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".vault-bootstrap-keys.json.tmp")
	if err := os.WriteFile(left, []byte("half a key"), 0o400); err != nil {
		t.Fatal(err)
	}
	s := openFile(t, dir)
	if _, err := s.SaveKeys(t.Context(), store.Keys{Epoch: 1}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	if keys, _, err := s.Keys(t.Context()); err != nil || keys.Epoch != 1 {
		t.Errorf("stored %+v, %v", keys, err)
	}
}

func TestFileWhereNothingCanBeWritten(t *testing.T) {
	base := t.TempDir()
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(base, "read-only")
	if err := os.Mkdir(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	// Root may write to a directory whatever its mode, but not below /proc.
	dirs := map[string]string{"a file": filepath.Join(base, "file"), "below a file": filepath.Join(base, "file", "x")}
	if os.Geteuid() != 0 {
		dirs["read-only"] = readOnly
	}
	if _, err := os.Stat("/proc/self"); err == nil {
		dirs["a file system that makes no directories"] = "/proc/vault-bootstrap"
	}
	for name, dir := range dirs {
		s := openFile(t, dir)
		_, acquireErr := s.Acquire(t.Context(), storetest.LeaseOptions("h"))
		_, saveErr := s.SaveKeys(t.Context(), store.Keys{}, "")
		for what, err := range map[string]error{"preflight": s.Preflight(t.Context()), "lease": acquireErr, "keys": saveErr} {
			if err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s, %s: %v does not name %s", name, what, err, dir)
			}
			if fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), dir) {
				t.Errorf("%s, %s: %v; remedy: %s", name, what, err, fault.RemedyOf(err))
			}
		}
	}
}

func TestFileWaitingForALockEndsWithTheContext(t *testing.T) {
	s := openFile(t, t.TempDir())
	if _, err := s.SaveKeys(t.Context(), store.Keys{}, ""); err != nil {
		t.Fatal(err)
	}
	holdCAS(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	// Whoever holds it for so long is suspended: another run.
	if _, err := s.SaveCheckpoint(ctx, store.Checkpoint{}, ""); !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Busy {
		t.Errorf("got %v, of the kind %s", err, fault.KindOf(err))
	}
}

// holdCAS takes the lock that every write takes, until the test ends.
func holdCAS(t *testing.T, s *filestore.Store) {
	t.Helper()
	lock := flock.New(strings.TrimSuffix(s.Location().Lease, ".lock") + ".cas")
	if ok, err := lock.TryLock(); err != nil || !ok {
		t.Fatalf("locking: %v, %v", ok, err)
	}
	t.Cleanup(func() { _ = lock.Unlock() })
}

// The first write of a store creates its directories.
func TestTheFirstWriteMakesTheDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, err := filestore.Open(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.SaveKeys(context.Background(), store.Keys{Epoch: 1}, ""); err != nil {
		t.Fatal(err)
	}
	if keys, _, err := f.Keys(context.Background()); err != nil || keys.Epoch != 1 {
		t.Errorf("%+v, %v", keys, err)
	}
}
