package store

import (
	"fmt"
	"testing"
)

func TestRememberOpenHasABound(t *testing.T) {
	open := map[string]string{}
	for i := range 200 {
		open[fmt.Sprintf("https://10.0.0.%d:8200", i)] = "life"
	}
	present := []string{"https://10.0.0.0:8200", "https://10.0.0.150:8200", "https://10.0.0.199:8200"}
	var c Checkpoint
	c.RememberOpen(open, present)
	if len(c.Open) != OpenLimit {
		t.Errorf("%d addresses are remembered", len(c.Open))
	}
	for _, address := range present {
		if c.Open[address] != "life" {
			t.Errorf("%s, which is there, was forgotten", address)
		}
	}
	if len(open) != 200 {
		t.Errorf("what was handed in was changed: %d addresses", len(open))
	}
	// As many as are present, if that is more than there is room for.
	var all []string
	for address := range open {
		all = append(all, address)
	}
	c.RememberOpen(open, all)
	if len(c.Open) != OpenLimit {
		t.Errorf("%d addresses of those that are there are remembered", len(c.Open))
	}
	c.RememberOpen(map[string]string{"a": "1"}, nil)
	if len(c.Open) != 1 {
		t.Errorf("%v, want all of a few", c.Open)
	}
}
