package seed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/fields"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/test/long"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// candidates are values of every form that a seed can hold.
var candidates = []any{
	"one hour", "1h", "7d", "12", "1.5", "true", "maybe", "a,b", "k=v", "", "0x10", " 5",
	json.Number("0"), json.Number("7"), json.Number("1.5"), true, false,
	[]any{}, []any{"a"}, []any{"a", []any{"b"}}, []any{map[string]any{"a": "b"}}, []any{json.Number("7")}, []any{true},
	map[string]any{}, map[string]any{"a": "b"}, map[string]any{"a": []any{"b"}},
}

// below returns an object below the mount of an engine that holds one field.
func below(engine, path, field string, v any) object.Object {
	data := map[string]any{field: v}
	if kind, isAuth := strings.CutPrefix(engine, "auth/"); isAuth {
		return object.AuthChild(strings.TrimPrefix(mountOf(engine), "auth/"), kind, path, "", data)
	}
	if engine == "sys" {
		o := object.QuotaConfig(data)
		o.ID = object.ID("sys/" + path)
		return o
	}
	return object.SecretsChild(mountOf(engine), engine, path, "", data)
}

// mountOfEngine returns the mount as the seed declares it.
func mountOfEngine(engine string) object.Object {
	if kind, isAuth := strings.CutPrefix(engine, "auth/"); isAuth {
		return object.AuthMount(strings.TrimPrefix(mountOf(engine), "auth/"), kind, nil)
	}
	options := map[string]any{}
	for name, v := range optionsOf(engine) {
		options[name] = v
	}
	return object.SecretsMount(mountOf(engine), engine, map[string]any{"options": options})
}

// judged returns what is said without a server of an object below the mount of an engine.
func judged(table *fields.Table, engine string, o object.Object) (refused, warned []value.Problem) {
	problems := &value.Problems{}
	warned = table.Check([]object.Object{mountOfEngine(engine), o}, problems)
	return problems.List, warned
}

// unconverted is how both products begin what they say of a value that they cannot convert.
const unconverted = "error converting input for field"

// TestImpossibleValuesAreRefused tries every field of the table with values of every form: what is an
// error without a server, and what is a warning because servers refuse it, this server refuses. The
// short form tries one field of each type for each engine: servers convert all in the same way.
func TestImpossibleValuesAreRefused(t *testing.T) {
	b := start(t)
	table, product := currentTable(t)
	engines := b.mountTabulated(t)
	seen, tried, fitting := map[string]bool{}, map[fields.Kind]int{}, map[fields.Kind]int{}
	for _, e := range table.Endpoints {
		for _, f := range e.Fields {
			kind := f.Columns[product].Kind
			again := e.Engine + " " + kind.String()
			if long.Wanted() {
				again = e.Engine + " " + f.String()
			}
			if kind == fields.None || seen[again] || !slices.Contains(engines, e.Engine) {
				continue
			}
			seen[again] = true
			for _, v := range candidates {
				if b.impossible(t, table, e, f, v) {
					tried[kind]++
				} else {
					fitting[kind]++
				}
			}
		}
	}
	t.Logf("values that are said to be refused: %v; that may fit: %v", tried, fitting)
	for _, kind := range []fields.Kind{fields.Bool, fields.Integer, fields.Duration, fields.Text, fields.Texts, fields.Mapping, fields.Pairs} {
		if tried[kind] == 0 || fitting[kind] == 0 {
			t.Errorf("%d values of the kind %s were said to be refused, and %d to fit", tried[kind], kind, fitting[kind])
		}
	}
}

// impossible reports whether it is said without a server that no server takes a value, and fails the
// test if this one does.
func (b *bed) impossible(t *testing.T, table *fields.Table, e fields.Endpoint, f fields.Field, v any) bool {
	t.Helper()
	path := strings.ReplaceAll(e.Path, "+", "tried")
	refused, warned := judged(table, e.Engine, below(e.Engine, path, f.Name, v))
	if len(refused) == 0 && !slices.ContainsFunc(warned, refusing) {
		return false
	}
	err := b.Call(t.Context(), http.MethodPut, mountOf(e.Engine)+"/"+path, b.root, map[string]any{f.Name: v}, nil)
	answer, answered := errors.AsType[*testbed.VaultError](err)
	ours := fmt.Sprint(refused)
	switch {
	case err == nil:
		t.Errorf("%s %s: the server takes %s = %#v, of which is said: %v %v", e.Engine, e.Path, f, v, refused, warned)
	case !answered:
		// Vault 1.21.1 ends the connection where token_type is a number.
		t.Logf("%s %s: %s = %#v: %v", e.Engine, e.Path, f, v, err)
	case strings.Contains(answer.Error(), unconverted):
	case !strings.Contains(ours, "must be one of") && !strings.Contains(ours, "must hold"): // which engines refuse in their own words
		t.Errorf("%s %s: %s = %#v is refused for another reason: %s", e.Engine, e.Path, f, v, answer)
	}
	return true
}

// refusing reports whether a warning says that servers refuse a value.
func refusing(warning value.Problem) bool { return strings.Contains(warning.Text, "servers refuse") }

// currentTable returns the table, and the column of the server that the suite runs against. The test
// ends where the table is not from its version.
func currentTable(t *testing.T) (table *fields.Table, product int) {
	t.Helper()
	table, err := fields.Read()
	if err != nil {
		t.Fatal(err)
	}
	server := testbed.FactsFor(t).Server
	product = productOf(server)
	if table.Versions[product] != server.Version {
		testbed.NotApplicable(t, "the table of fields is from version %s", table.Versions[product])
	}
	return table, product
}
