package watch

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestLoginOfTheSeedChanges has the seed name another login than before: the watch ends
// the session that it has, and logs in as the seed says now.
func TestLoginOfTheSeedChanges(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in := install(t, cluster)
	before, password := in.text(), in.file("the-password-of-a-watch")
	after := before + "login: [{method: userpass, password_file: " + password + "}]\n"
	in.sow(before + "login: [{method: approle}]\n")
	w := in.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)

	// The login has to be made, which takes root.
	next := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(next, []byte(after), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"break-glass", "run", "--reason=another login", "--seed=" + next}, in.flags...)
	start(t, in.env, args...).Exits(0)
	logins := func(method string) int {
		n := 0
		for _, each := range in.requests(0) {
			if strings.HasPrefix(each.Request.Path, "auth/"+method+"/login") {
				n++
			}
		}
		return n
	}
	root, proof := in.root(), logins("userpass")
	in.sow(after)
	w.Says("the seed has changed how later runs log in", 1)
	former := logins("approle")
	if err := in.call(http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	in.comes(t, "sys/policies/acl/app", root)
	if logins("userpass") == proof {
		t.Error("it has not logged in as the seed says now")
	}
	if logins("approle") != former {
		t.Error("it still logs in by AppRole")
	}
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	w.Terminates()
}

// TestRootTokenShows has a watch stop before root goes, and a run beside it end root.
func TestRootTokenShows(t *testing.T) {
	t.Parallel()
	in := install(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	w := in.watch("--until=unsealed")
	w.shows("vault_bootstrap_root_token_stored", 1)
	in.start("run").Exits(0)
	w.shows("vault_bootstrap_root_token_stored", 0)
}
