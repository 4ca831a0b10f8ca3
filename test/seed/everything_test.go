package seed_test

import (
	"encoding/json"
	"fmt"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEverything applies a seed with every key of the language and compares what
// Vault holds with expectations.json, which was written by hand from Vault's API
// documentation: path → dotted field → value.
func TestEverything(t *testing.T) {
	b := start(t)
	objects := b.load(t, everything)
	var result string
	var remembered []string
	writes := b.writes(t, func() {
		r := b.apply(t, objects)
		result = fmt.Sprint(r)
		if len(r.Created) != len(objects)-1 || len(r.Updated) != 0 { // auth/token is there from the start
			t.Errorf("created %d and updated %v of %d", len(r.Created), r.Updated, len(objects))
		}
		for id, fields := range r.Hashes {
			for field := range fields {
				remembered = append(remembered, id+" "+field)
			}
		}
	})
	if len(writes) != len(objects)-1 {
		t.Errorf("%d writes: %v", len(writes), writes)
	}
	// What Vault does not show as it was written, and nothing else.
	slices.Sort(remembered)
	if want := slices.DeleteFunc([]string{
		"auth/aws/config/client secret_key",
		"auth/jwt/config jwt_validation_pubkeys", // shown without its last newline
		"auth/ldap/config bindpass",
		"auth/team/k8s/config token_reviewer_jwt",
		"auth/userpass/users/alice password",
		"auth/userpass/users/bob password",
	}, func(each string) bool { return !fitting.Path(t, each) }); !slices.Equal(remembered, want) {
		t.Errorf("remembered %q, want %q", remembered, want)
	}

	expectations := b.expect(t, "testdata/expectations.json")
	for _, o := range objects {
		listing, _, _ := strings.Cut(strings.TrimPrefix(string(o.ID), "sys/"), "/")
		if _, there := expectations[string(o.ID)]; !there && !strings.HasPrefix(string(o.ID), "sys/"+listing+"/") {
			t.Errorf("nothing is expected of %s", o.ID)
		}
	}

	p := b.plan(t, objects)
	wantEmpty(t, p)
	if again := b.writes(t, func() { b.plan(t, objects) }); len(again) > 0 {
		t.Errorf("planning wrote %v", again)
	}
	if again := b.writes(t, func() { b.apply(t, objects) }); len(again) > 0 {
		t.Errorf("the second run wrote %v", again)
	}
	for _, value := range variables {
		if strings.Contains(text(t, p)+result, value) {
			t.Errorf("%q is shown", value)
		}
	}
	if _, err := os.Stat(filepath.Join(b.dir, "hashed.log")); err != nil {
		t.Error(err)
	}
}

// decode returns value as encoding/json decodes without UseNumber, as the
// expectations are.
func decode(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// dig returns what is under a field's name, whose parts are separated by " > ".
func dig(value any, field string) any {
	for part := range strings.SplitSeq(field, " > ") {
		mapping, _ := value.(map[string]any)
		value = mapping[part]
	}
	return value
}

// TestPasswordsWork holds that what Vault does not show was written all the same.
func TestPasswordsWork(t *testing.T) {
	b := start(t)
	b.apply(t, b.load(t, everything))
	login := func(name, password string) error {
		_, err := api{b.VaultNode, ""}.do(t.Context(), "POST", "auth/userpass/login/"+name, map[string]string{"password": password})
		return err
	}
	if err := login("alice", variables["ALICE_PASSWORD"]); err != nil {
		t.Error(err)
	}
	if err := login("bob", "literal-password-of-bob"); err != nil {
		t.Error(err)
	}
	changed := b.load(t, everything, "literal-password-of-bob", "another-password-of-bob")
	if got := text(t, b.plan(t, changed)); !strings.Contains(got, "password: (sensitive, changed)") || strings.Contains(got, "password-of-bob") {
		t.Errorf("the plan says:\n%s", got)
	}
	if writes := b.writes(t, func() { b.apply(t, changed) }); fmt.Sprint(writes) != "[update auth/userpass/users/bob]" {
		t.Errorf("wrote %v", writes)
	}
	wantEmpty(t, b.plan(t, changed))
	if err := login("bob", "another-password-of-bob"); err != nil {
		t.Error(err)
	}
}
