package driver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// auditLines are a login, a read, a write and its response, a list, a question about fields,
// and the end of the token.
const auditLines = `{"type":"request","request":{"operation":"update","path":"auth/approle/login"}}
{"type":"request","auth":{"client_token":"hvs.CAESIJ0000000000000000000000000"},"request":{"operation":"read","path":"sys/mounts"}}
{"type":"request","request":{"operation":"update","path":"sys/policies/acl/app","data":{"policy":"x"}}}
{"type":"response","request":{"operation":"update","path":"sys/policies/acl/app"}}
{"type":"request","request":{"operation":"list","path":"sys/policies/acl"}}
{"type":"request","request":{"operation":"help","path":"sys/mounts"}}
{"type":"request","request":{"operation":"update","path":"auth/token/revoke-self"}}
`

func auditLog(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadAudit(t *testing.T) {
	log := auditLog(t, auditLines)
	all, lines, err := ReadAudit(log, 0)
	if err != nil || lines != 7 || len(all) != 7 || len(all.Requests()) != 6 {
		t.Fatalf("%d lines, %d entries, %d requests, %v", lines, len(all), len(all.Requests()), err)
	}
	if got, want := all.Writes("approle"), []string{"update sys/policies/acl/app", "help sys/mounts"}; !slices.Equal(got, want) {
		t.Errorf("writes are %q, want %q", got, want)
	}
	if got := all.Writes(); !slices.Contains(got, "update auth/approle/login") {
		t.Errorf("a login that no run makes is left out of %q", got)
	}
	if got := Tokens(auditLines); !slices.Equal(got, []string{"hvs.CAESIJ0000000000000000000000000"}) {
		t.Errorf("tokens are %q", got)
	}
	later, lines, err := ReadAudit(log, 5)
	if err != nil || lines != 7 || !slices.Equal(later.Calls(), []string{"help sys/mounts", "update auth/token/revoke-self"}) {
		t.Errorf("from line 5 on: %q of %d lines, %v", later.Calls(), lines, err)
	}
	if none, _, err := ReadAudit(log, 9); err != nil || len(none) != 0 {
		t.Errorf("after the end there are %d entries, %v", len(none), err)
	}
}

// TestReadAuditHalfLine has Vault be in the middle of a line.
func TestReadAuditHalfLine(t *testing.T) {
	whole := strings.Index(auditLines, "\n") + 1
	found, lines, err := ReadAudit(auditLog(t, auditLines[:whole+20]), 0)
	if err != nil || lines != 1 || len(found) != 1 {
		t.Errorf("%d entries in %d lines, %v", len(found), lines, err)
	}
	if _, _, err := ReadAudit(auditLog(t, "nonsense\n"), 0); err == nil {
		t.Error("what is not a log passes for one")
	}
}

func TestKeysRecord(t *testing.T) {
	keys, err := ParseKeys([]byte(`{"epoch":2,"attempt":{"id":"b","status":"intended"},"past":[{"id":"a","answer":"x"}],"set":{"kind":"shamir","shares":["s"],"threshold":1},"break_glass":{"token":"t"}}`))
	if err != nil {
		t.Fatal(err)
	}
	attempts := keys.Attempts()
	if len(attempts) != 2 || attempts[0].Answer == nil || attempts[1].ID != "b" || attempts[1].Answer != nil {
		t.Errorf("attempts are %+v", attempts)
	}
	if set := keys.Set.Vault(); set.Threshold != 1 || !slices.Equal(set.Shares, []string{"s"}) || keys.BreakGlass.Token != "t" || keys.Root != nil {
		t.Errorf("the record is %+v", keys)
	}
	if _, err := ParseKeys(nil); err == nil {
		t.Error("no record passes for one")
	}
}
