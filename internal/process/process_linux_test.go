package process

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestGone asks about this process, one that has ended, and others that cannot be known.
func TestGone(t *testing.T) {
	self := Self("run")
	if self == "" || Gone(self) {
		t.Errorf("this very process %q is called gone", self)
	}
	if got := Verb(self); got != "run" {
		t.Errorf("its verb is %q", got)
	}
	machine := strings.SplitN(self, "/", 2)[0]
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(child.Process.Pid)
	started, err := startOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	name := machine + "/" + pid + "/" + started + "/run"
	if Gone(name) {
		t.Error("a child that runs is called gone")
	}
	if !Gone(machine + "/" + pid + "/1/run") {
		t.Error("an earlier process of the same ID is called alive")
	}
	_ = stdin.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if !Gone(name) {
		t.Error("a child that has ended is called alive")
	}
	for _, unknown := range []string{"", "x", "other-machine/" + pid + "/" + started + "/run", machine + "/x/1/run", machine + "/" + pid} {
		if Gone(unknown) {
			t.Errorf("%q cannot be known, and is called gone", unknown)
		}
	}
}
