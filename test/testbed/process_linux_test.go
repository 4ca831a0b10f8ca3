package testbed_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// starterVariable has this test binary play the program that is killed.
const starterVariable = "TESTBED_TEST_STARTER"

// TestServersEndWithTheirStarter kills a program that started a server.
func TestServersEndWithTheirStarter(t *testing.T) {
	if os.Getenv(starterVariable) != "" {
		playStarter(t)
		return
	}
	t.Parallel()
	starter := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	starter.Env = append(os.Environ(), starterVariable+"="+t.TempDir())
	starter.Stderr = os.Stderr
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	killed := starter.Process.Kill()
	_ = starter.Wait() // it was killed, so this is an error
	if err := errors.Join(err, killed); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = testbed.Poll(ctx, 10*time.Millisecond, "the server's end", func(context.Context) error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		// A zombie has ended: it waits for whoever inherited it.
		if strings.Contains(string(stat), ") Z ") {
			return nil
		}
		return errors.Join(err, fmt.Errorf("process %d is there: %s", pid, stat))
	})
	if err != nil {
		t.Error(err)
	}
}

// playStarter starts a server, prints its process ID, and waits to be killed.
func playStarter(t *testing.T) {
	c, err := testbed.StartVault(t.Context(), testbed.VaultOptions{
		Dir: os.Getenv(starterVariable), Storage: "inmem",
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(c.Nodes[0].PID())
	<-t.Context().Done()
}
