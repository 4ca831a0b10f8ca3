package prop_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// notMade are the rows of the language's table that no case has, each with its reason: a row by
// its keys, or all below one. only is the product for which it is so; "" stands for all.
var notMade = []struct{ row, only, why string }{
	{"auth > options > identity_token_key", "", "a key for plugins' tokens is a feature of Vault Enterprise"},
	{"secrets > config > identity_token_key", "", "as of auth methods"},
	{"auth > plugin_version", "", "the server would have to run a plugin of that version; of those that are built in it keeps none"},
	{"auth > options > plugin_version", "", "as above"},
	{"secrets > plugin_version", "", "as above"},
	{"secrets > config > plugin_version", "", "as above"},
	{"auth > configuration > rotate", "", "no auth method has a credential that is rotated below it without a call to others"},
	{"auth > configuration > save_to", "", "no auth method answers a write with values that are worth keeping, and reads them at the same path"},
	{"secrets > configuration > rotate", "", "the server would call a cloud or a database; the cookbook's test has a real one"},
	{"secrets > intermediate", "", "it takes two engines of one kind in their order; the cookbook's test has them, and uses what they issue"},
	{"quotas > lease-counts", "", "a feature of Vault Enterprise"},
	{"startupSecrets > data > secretKeyRef", "", "the records of a case are in files, so that there is no cluster; e2e has one"},
	{"login > token_file", "", "our own login is one here; e2e has the others, with their issuers"},
	{"login > audience", "", "as above"},
	{"login > kubernetes_host", "", "as above"},
	{"login > principal", "", "as above"},
	{"login > ca_file", "", "as above"},
	{"login > region", "", "as above"},
	{"namespaces", testbed.Vault, "it has none"},
	{"tombstones > namespace", testbed.Vault, "it has none"},
	{"namespaces > audit", "", "audit devices are the server's"},
	{"namespaces > cors", "", "they are the server's"},
	{"namespaces > quotas", "", "they are the root namespace's on OpenBao"},
	{"namespaces > ui-headers", "", "they are the root namespace's on OpenBao"},
	{"namespaces > plugins", "", "the catalog is the server's"},
	{"auth > options > trim_request_trailing_slashes", testbed.OpenBao, "it does not have the setting"},
	{"secrets > config > trim_request_trailing_slashes", testbed.OpenBao, "it does not have the setting"},
	{"secrets > config > allowed_managed_keys", testbed.OpenBao, "it does not have the setting"},
	{"secrets > config > delegated_auth_accessors", testbed.OpenBao, "it does not have the setting"},
	{"auth > crossaccountrole", testbed.OpenBao, "it has no aws"},
	{"auth > map", testbed.OpenBao, "it has no github"},
	{"auth > config/", testbed.OpenBao, "it has no aws"},
}

// excused returns why a row is not made, "" if there is no reason.
func excused(row, product string) string {
	for _, each := range notMade {
		if each.only != "" && each.only != product {
			continue
		}
		for _, of := range []string{row, strings.TrimPrefix(row, "namespaces > ")} {
			if of == each.row || strings.HasPrefix(of, each.row+" > ") {
				return each.why
			}
		}
	}
	return ""
}

// rows are those of the language's table, from the schema that is made of it.
type rows map[string]int

// learn adds the rows of a schema.
func (r rows) learn(schema map[string]any, row string) {
	for _, group := range []string{"properties", "patternProperties"} {
		for name, inner := range inners(schema[group]) {
			at := join(row, rowName(name))
			r[at] += 0
			r.learn(inner, at)
		}
	}
	for _, each := range alternatives(schema) {
		r.learn(each, row)
	}
}

// count counts the rows that a value has.
func (r rows) count(schema map[string]any, v value, row string) {
	for _, each := range alternatives(schema) {
		if v.kind == mapping || each["properties"] != nil || each["items"] != nil || each["anyOf"] != nil {
			r.count(each, v, row)
		}
	}
	items, _ := schema["items"].(map[string]any)
	for _, each := range v.items {
		if items != nil {
			r.count(items, each, row)
		}
	}
	more, _ := schema["additionalProperties"].(map[string]any)
	for _, f := range v.fields {
		if inner, there := inners(schema["properties"])[f.name]; there {
			r[join(row, f.name)]++
			r.count(inner, f.value, join(row, f.name))
			continue
		}
		for pattern, inner := range inners(schema["patternProperties"]) {
			if strings.HasPrefix(f.name, rowName(pattern)) {
				r[join(row, rowName(pattern))]++
				r.count(inner, f.value, join(row, rowName(pattern)))
			}
		}
		if more != nil && (v.kind != mapping || schema["items"] == nil) {
			r.count(more, f.value, row)
		}
	}
}

// alternatives are schemas for the same row.
func alternatives(schema map[string]any) []map[string]any {
	var all []map[string]any
	list, _ := schema["anyOf"].([]any)
	for _, each := range list {
		if inner, is := each.(map[string]any); is {
			all = append(all, inner)
		}
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if inner, is := schema[name].(map[string]any); is && schema["anyOf"] == nil {
			all = append(all, inner)
		}
	}
	return all
}

func inners(of any) map[string]map[string]any {
	found := map[string]map[string]any{}
	all, _ := of.(map[string]any)
	for name, each := range all {
		if inner, is := each.(map[string]any); is {
			found[name] = inner
		}
	}
	return found
}

// rowName is the name of a row, of which the schema has a pattern where it begins others.
func rowName(name string) string { return strings.TrimSuffix(strings.TrimPrefix(name, "^"), ".") }

func join(row, name string) string {
	if row == "" {
		return name
	}
	return row + " > " + name
}

// coveredCases are so many that every row that is made is in one of them.
const coveredCases = 300

// TestEveryRowIsMade holds that the cases have every row of the language's table, apart from those
// that are excused. Nothing is applied.
func TestEveryRowIsMade(t *testing.T) {
	s := newSuite(t)
	result, err := driver.Command{Binary: binary, Args: []string{"seed", "schema"}, Home: t.TempDir()}.Run(t.Context())
	if err != nil || result.Code != 0 {
		t.Fatalf("%v\n%s", err, result)
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(result.Stdout), &schema); err != nil {
		t.Fatal(err)
	}
	made := rows{}
	made.learn(schema, "")
	known := slices.Collect(maps.Keys(made))
	for number := range coveredCases {
		c := s.scenario(number+1, filepath.Join(t.TempDir(), "case"))
		spell := newSpelling(s.seed, uint64(number))
		going := c.settings
		going.owned, going.tombstones = true, c.graves
		for _, each := range []settings{c.settings, going} {
			made.count(schema, tree(c.edited(c.base), each, spell), "")
		}
	}
	slices.Sort(known)
	excuses := 0
	for _, row := range known {
		why := excused(row, s.facts.Product)
		switch {
		case made[row] == 0 && why == "":
			t.Errorf("the row %s was never made: make it, or say in notMade why not", row)
		case made[row] > 0 && why != "":
			t.Errorf("the row %s was made, and notMade says that it is not: %s", row, why)
		case why != "":
			excuses++
		}
	}
	fmt.Printf("prop: %d of %d rows of the language are made in %d cases, %d are excused\n", len(known)-excuses, len(known), coveredCases, excuses)
}
