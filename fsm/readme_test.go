package fsm

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeShowsTheMachine holds the README's picture to what 'graph' prints.
func TestReadmeShowsTheMachine(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- graph:begin -->\n", "<!-- graph:end -->"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := Graph(Mermaid)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(content), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("%s lacks the markers %q and %q", path, begin, end)
	}
	want := "```mermaid\n" + graph + "```\n"
	if shown == want {
		return
	}
	if !*update {
		t.Fatalf("%s shows another machine (go test ./fsm -update writes it):\n%s", path, shown)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
