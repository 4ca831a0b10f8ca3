package e2e

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestRecordThatCannotBeRead puts a keys record in place that this version cannot read. In
// it may be keys: it is named, and neither it nor Vault is touched.
func TestRecordThatCannotBeRead(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, cluster, append(shortLease, "--login=approle")...)
	killedAt(p, "initialize.intended")
	good := string(p.keys())
	for _, each := range []struct{ name, record, says string }{
		{"cut short", good[:len(good)/2], "record corrupt"},
		{"of a later version", strings.Replace(good, `"version":1`, `"version":99`, 1), "record from a later version"},
		{"with a field of a later version", strings.Replace(good, `"version":1`, `"version":1,"tomorrow":{}`, 1), "record from a later version"},
	} {
		t.Run(each.name, func(t *testing.T) {
			in := *p
			in.t = t
			putBack(t, namespace, "vault-bootstrap-keys", "keys.json", []byte(each.record))
			in.keys = nil // the record is not one that secrets can be read from
			wantFailure(t, in.run("run", "--on-keys-lost=stop"), 70, each.says, "vault-bootstrap-keys")
			if now := string(recordOf(t, namespace, "vault-bootstrap-keys", "keys.json")); now != each.record {
				t.Error("the record was written: what was in it is lost")
			}
			wantUninitialized(t, cluster)
		})
	}
}
