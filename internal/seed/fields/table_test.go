package fields

import (
	"slices"
	"strings"
	"testing"
)

// TestTableIsComplete holds that the table can be read, is written as it is read, and has every
// engine that it is for, with both products.
func TestTableIsComplete(t *testing.T) {
	table, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != text {
		t.Error("the table is not written as it is read")
	}
	if table.Versions[Vault] == "" || table.Versions[OpenBao] == "" {
		t.Errorf("the versions are %q", table.Versions)
	}
	for _, engine := range strings.Fields("auth/kubernetes auth/jwt auth/approle auth/userpass auth/ldap auth/aws auth/azure auth/gcp auth/github auth/okta auth/cert auth/token " +
		"kv pki database transit ssh aws kubernetes totp sys") {
		if !table.Known(engine) {
			t.Errorf("%s is missing", engine)
		}
	}
	if len(text) > 100_000 {
		t.Errorf("the table has %d bytes", len(text))
	}
}

// TestTableIsRefused holds that a damaged table is not read as a smaller one.
func TestTableIsRefused(t *testing.T) {
	for _, damaged := range []string{"\tttl duration", "kv", "kv config extra", "kv config\n\tttl", "kv config\n\tttl hours", "kv config\n\ta bool bool bool"} {
		if _, err := Parse(damaged); err == nil {
			t.Errorf("%q is read", damaged)
		}
	}
}

// TestLookup holds which endpoint a path leads to.
func TestLookup(t *testing.T) {
	table, err := Parse("auth/ldap config\n\turl text\nauth/ldap groups/+\n\tpolicies texts\npki issuer/+\n\ta text\npki issuer/+/sign\n\tb text\npki issuer/default\n\tc text\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ engine, path, want string }{
		{"auth/ldap", "config", "config"},
		{"auth/ldap", "groups/a", "groups/+"},
		{"auth/ldap", "groups/a/b", "groups/+"}, // the name has a slash in it
		{"auth/ldap", "users/a", ""},
		{"auth/ldap", "config/a", ""},
		{"pki", "issuer/x", "issuer/+"},
		{"pki", "issuer/x/sign", "issuer/+/sign"},
		{"pki", "issuer/default", "issuer/default"},
		{"pki", "issuer", ""},
		{"ssh", "roles/x", ""},
	} {
		if at, found := table.At(test.engine, test.path); at.Path != test.want || found != (test.want != "") {
			t.Errorf("%s %s leads to %q", test.engine, test.path, at.Path)
		}
	}
}

// TestFieldsDiffer holds that what the products say differently is kept apart.
func TestFieldsDiffer(t *testing.T) {
	const written = "\ta bool\n\tb - bool\n\tc text=x|y -\n\td text=|x text=|x|y\n"
	table, err := Parse("kv config\n" + written)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.String(); !strings.HasSuffix(got, written) {
		t.Errorf("it is written as %s", got)
	}
	at, _ := table.At("kv", "config")
	b, _ := at.Field("b")
	d, _ := at.Field("d")
	if b.Columns[Vault].Kind != None || b.Columns[OpenBao].Kind != Bool || !slices.Equal(d.Columns[OpenBao].Values, []string{"", "x", "y"}) {
		t.Errorf("read are %v and %v", b, d)
	}
}
