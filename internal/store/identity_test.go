package store

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func TestIdentitiesDiffer(t *testing.T) {
	a, b := Identity("pod", "", "uid"), Identity("pod", "", "uid")
	if a == b {
		t.Errorf("two identities are %q", a)
	}
	if !strings.HasPrefix(a, "pod/uid/") || strings.Contains(a, "//") {
		t.Errorf("identity %q", a)
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"vault-bootstrap": true, "a": true, "a1": true, strings.Repeat("a", 57): true,
		"": false, "-a": false, "a-": false, "A": false, "a/b": false, "..": false, "a.b": false, strings.Repeat("a", 58): false,
	} {
		if err := CheckName(name); (err == nil) != good || err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}
