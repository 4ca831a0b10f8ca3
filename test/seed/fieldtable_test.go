package seed_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/fields"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

var update = flag.Bool("update", false, "write what the server says into the table of fields")

const fieldTable = "../../internal/seed/fields/table.txt"

// tabulated are the mounts whose endpoints are in the table: an auth method's type after auth/, and
// else a secrets engine's. The token auth method and sys are there from the start.
var tabulated = []string{
	"auth/kubernetes", "auth/jwt", "auth/approle", "auth/userpass", "auth/ldap", "auth/aws", "auth/azure", "auth/gcp", "auth/github", "auth/okta", "auth/cert",
	"kv", "pki", "database", "transit", "ssh", "aws", "kubernetes", "totp",
	"auth/token", "sys",
}

// partly are those of which the table has only what a seed can hold.
var partly = map[string][]string{"auth/token": {"roles/"}, "sys": {"quotas/"}}

// spoken matches endpoints that clients speak with, and nobody configures: logins, and the protocol
// of ACME.
var spoken = regexp.MustCompile(`^login(/|$)|(^|/)acme/(account|authorization|challenge|new-|order|revoke-cert)`)

// mountOf returns where the suite mounts an engine. One may not be called as its type: the server
// then shows its paths as those of any mount.
func mountOf(engine string) string {
	if kind, isAuth := strings.CutPrefix(engine, "auth/"); isAuth && kind != "token" {
		return "auth/tabulated-" + kind
	}
	if engine == "auth/token" || engine == "sys" {
		return engine
	}
	return "tabulated-" + engine
}

// mountTabulated mounts everything in the table that the server has, and returns what that is.
func (b *bed) mountTabulated(t *testing.T) (engines []string) {
	t.Helper()
	facts := testbed.FactsFor(t)
	for _, engine := range tabulated {
		kind, isAuth := strings.CutPrefix(engine, "auth/")
		under, catalog := "sys/mounts/", "secret"
		if isAuth {
			under, catalog = "sys/", "auth"
		}
		switch {
		case engine == "auth/token" || engine == "sys": // there already
		case kind != "database" && !facts.BuiltIn(catalog, kind): // database is in no catalog
			continue
		default:
			b.call(t, http.MethodPut, under+mountOf(engine), map[string]any{"type": kind, "options": optionsOf(engine)})
		}
		engines = append(engines, engine)
	}
	return engines
}

func optionsOf(engine string) map[string]string {
	if engine == "kv" {
		return map[string]string{"version": "2"}
	}
	return nil
}

// schema is the part of a JSON Schema that servers use.
type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Format     string
	Items      *schema
	Enum       []any
	Properties map[string]schema
}

// openAPI is a server's description of itself.
type openAPI struct {
	Paths map[string]struct {
		Parameters []struct{ Name string }
		Post       *struct {
			OperationID string `json:"operationId"`
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			} `json:"requestBody"`
		}
	}
	Components struct{ Schemas map[string]schema }
}

// fields returns the fields that the endpoints of a document take.
func (d openAPI) fields() map[string]fields.Column {
	found := map[string]fields.Column{}
	for _, described := range d.Paths {
		if described.Post == nil || strings.HasPrefix(described.Post.OperationID, "enterprise-stub-") {
			continue
		}
		for _, content := range described.Post.RequestBody.Content {
			body := d.Components.Schemas[strings.TrimPrefix(content.Schema.Ref, "#/components/schemas/")]
			for name, s := range body.Properties {
				found[name] = column(s)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	for _, described := range d.Paths { // the body may hold what is in the path as well
		for _, p := range described.Parameters {
			found[p.Name] = fields.Column{Kind: fields.Name}
		}
	}
	return found
}

// column returns what a schema says of a field in the words of the table.
func column(s schema) fields.Column {
	c := fields.Column{Kind: fields.Other}
	items := ""
	if s.Items != nil {
		items = s.Items.Type
	}
	for _, known := range []struct {
		described string
		kind      fields.Kind
	}{
		{"boolean//", fields.Bool},
		{"integer//", fields.Integer},
		{"integer/int64/", fields.Integer},
		{"number/float/", fields.Number},
		{"string/duration/", fields.Duration}, // Vault's
		{"integer/seconds/", fields.Duration}, // OpenBao's
		{"string/date-time/", fields.Time},
		{"string//", fields.Text},
		{"string/lowercase/", fields.Text},
		{"array//string", fields.Texts},
		{"array//integer", fields.Integers},
		{"array//object", fields.Items},
		{"object/map/", fields.Mapping},
		{"object/kvpairs/", fields.Pairs},
	} {
		if known.described == s.Type+"/"+s.Format+"/"+items {
			c.Kind = known.kind
		}
	}
	for _, value := range s.Enum {
		c.Values = append(c.Values, fmt.Sprint(value))
	}
	if slices.ContainsFunc(c.Values, func(text string) bool { return strings.Contains(text, " ") }) { // a description
		c.Values = nil
	}
	return c
}

// describe reads what the server says of the endpoints below the mounts. In the document about
// everything, endpoints of one name share a schema (auth/jwt/role and auth/jwt/cel/role of OpenBao
// 2.6.2), so that each is asked about by itself.
func (b *bed) describe(t *testing.T, engines []string) map[[2]string]map[string]fields.Column {
	t.Helper()
	var all openAPI
	if err := b.Call(t.Context(), http.MethodGet, "sys/internal/specs/openapi", b.root, nil, &all); err != nil {
		t.Fatal(err)
	}
	found := map[[2]string]map[string]fields.Column{}
	for _, engine := range engines {
		for path, described := range all.Paths {
			below, is := strings.CutPrefix(path, "/"+mountOf(engine)+"/")
			wanted := func(prefix string) bool { return strings.HasPrefix(below, prefix) }
			if !is || described.Post == nil || spoken.MatchString(below) || partly[engine] != nil && !slices.ContainsFunc(partly[engine], wanted) {
				continue
			}
			below = pattern(below)
			var help struct{ OpenAPI openAPI }
			if err := b.Call(t.Context(), http.MethodGet, mountOf(engine)+"/"+strings.ReplaceAll(below, "+", "name")+"?help=1", b.root, nil, &help); err != nil {
				t.Fatal(err)
			}
			if taken := help.OpenAPI.fields(); taken != nil {
				found[[2]string{engine, below}] = taken
			}
		}
	}
	return found
}

// pattern returns a path with + for the names in it, which the products call differently.
func pattern(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "+"
		}
	}
	return strings.Join(segments, "/")
}

// merged returns a table with the column of a product replaced.
func merged(table *fields.Table, product int, version string, described map[[2]string]map[string]fields.Column) *fields.Table {
	all := map[[2]string]map[string]fields.Field{}
	put := func(at [2]string, name string, product int, c fields.Column) {
		if all[at] == nil {
			all[at] = map[string]fields.Field{}
		}
		f := all[at][name]
		f.Name, f.Columns[product] = name, c
		all[at][name] = f
	}
	for _, e := range table.Endpoints {
		for _, f := range e.Fields {
			for other, c := range f.Columns {
				if other != product && c.Kind != fields.None {
					put([2]string{e.Engine, e.Path}, f.Name, other, c)
				}
			}
		}
	}
	for at, taken := range described {
		for name, c := range taken {
			put(at, name, product, c)
		}
	}
	out := &fields.Table{Versions: table.Versions}
	out.Versions[product] = version
	for at, taken := range all {
		e := fields.Endpoint{Engine: at[0], Path: at[1]}
		for _, name := range slices.Sorted(maps.Keys(taken)) {
			e.Fields = append(e.Fields, taken[name])
		}
		out.Endpoints = append(out.Endpoints, e)
	}
	slices.SortFunc(out.Endpoints, func(a, b fields.Endpoint) int {
		return cmp.Or(strings.Compare(a.Engine, b.Engine), strings.Compare(a.Path, b.Path))
	})
	return out
}

// productOf returns the column of the server that the suite runs against.
func productOf(server testbed.Server) int {
	if server.Product == testbed.OpenBao {
		return fields.OpenBao
	}
	return fields.Vault
}

// TestFieldTable compares the table of fields with what the server says of itself in its OpenAPI
// documents. With -update it writes the server's column: 'make field-table SERVERS=VAULT,BAO'.
func TestFieldTable(t *testing.T) {
	b := start(t)
	server := testbed.FactsFor(t).Server
	stored, err := os.ReadFile(fieldTable)
	if err != nil {
		t.Fatal(err)
	}
	table, err := fields.Parse(string(stored))
	if err != nil {
		t.Fatal(err)
	}
	product := productOf(server)
	if known := table.Versions[product]; known != server.Version && !*update {
		testbed.NotApplicable(t, "the table of fields is from version %s", known)
	}
	current := merged(table, product, server.Version, b.describe(t, b.mountTabulated(t))).String()
	if *update {
		if err := os.WriteFile(fieldTable, []byte(current), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if current != string(stored) {
		t.Errorf("%s is not what %s says (make field-table writes it)", fieldTable, server)
	}
}
