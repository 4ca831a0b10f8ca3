package seed_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestValuesAreComparedToTheLetter changes values in ways that do not matter in Vault's own fields,
// but do to whoever reads a secret.
func TestValuesAreComparedToTheLetter(t *testing.T) {
	number := func(text string) any { return json.Number(text) }
	for _, test := range []struct {
		want  string // as the seed has it
		shown any
		same  bool
	}{
		{`"true"`, "1", false},
		{`"true"`, true, false},
		{`true`, true, true},
		{`true`, "true", false},
		{`"1m"`, "60", false},
		{`"1h"`, number("3600"), false},
		{`"3600"`, number("3600"), false},
		{`3600`, number("3600"), true},
		{`3600`, "3600", false},
		{`1.50`, number("1.50"), true},
		{`123456789012345678`, number("123456789012345679"), false},
		{`123456789012345678`, number("123456789012345678"), true},
		{`[x, y]`, "x,y", false},
		{`[x, y]`, []any{"y", "x"}, false},
		{`[x, y]`, []any{"x", "y"}, true},
		{`"x"`, "x\n", false},
		{`"system"`, number("0"), false},
		{`""`, nil, false},
		{`{a: {b: "1"}}`, map[string]any{"a": map[string]any{"b": "1"}}, true},
		{`{a: {b: "1"}}`, map[string]any{"a": map[string]any{"b": "true"}}, false},
		{`{a: b}`, map[string]any{"a": "b", "c": ""}, false},
	} {
		for _, version := range []string{"1", "2"} {
			for _, field := range []string{"value", "ttl", "policy", "allowed_ips"} {
				t.Run(fmt.Sprintf("%s beside %v as %s in version %s", test.want, test.shown, field, version), func(t *testing.T) {
					path, data := "kv/app", map[string]any{field: test.shown}
					if test.shown == nil {
						delete(data, field)
					}
					if version == "2" {
						path, data = "kv/data/app", map[string]any{"data": data, "metadata": map[string]any{"version": number("1")}}
					}
					changes := startup(t, version, path, field+": "+test.want, data)
					if (changes == 0) != test.same {
						t.Errorf("%d changes", changes)
					}
				})
			}
		}
	}
}

// startup returns how many values a plan changes where there are some at path.
func startup(t *testing.T, version, path, value string, shown map[string]any) (changes int) {
	t.Helper()
	w := &world{data: map[string]map[string]any{
		"sys/mounts": {"kv/": map[string]any{"type": "kv", "options": map[string]any{"version": version}}},
		path:         shown,
	}}
	objects := desired(t, write(t, "s.yaml", fmt.Sprintf(
		"secrets: [{type: kv, options: {version: %s}}]\nstartupSecrets: [{type: kv, path: %s, data: {data: {%s}}}]\n", version, path, value)), seed.Resolver{})
	for _, c := range plan(t, w, objects, reconcile.Memory{HashKey: key}).Changes {
		if c.Action == reconcile.Update && c.Stage == object.StageValues {
			changes++
			for _, f := range c.Fields {
				if !f.Sensitive {
					t.Errorf("%s is shown", f.Field)
				}
			}
		}
	}
	return changes
}

// TestSurplusValues holds that surplus fields of a value are removed, even if the rest is as
// declared.
func TestSurplusValues(t *testing.T) {
	for version, path := range map[string]string{"1": "kv/app", "2": "kv/data/app"} {
		data := map[string]any{"a": "b", "old": "c"}
		if version == "2" {
			data = map[string]any{"data": data}
		}
		if got := startup(t, version, path, "a: b", data); got != 1 {
			t.Errorf("version %s: %d changes", version, got)
		}
	}
}

// TestMetadataIsComparedToTheLetter does the same for the metadata of identities.
func TestMetadataIsComparedToTheLetter(t *testing.T) {
	for _, test := range []struct {
		want  string
		shown map[string]any
		same  bool
	}{
		{`{flag: "true", ttl: 1m}`, map[string]any{"flag": "1", "ttl": "60"}, false},
		{`{flag: "true", ttl: 1m}`, map[string]any{"flag": "true", "ttl": "1m"}, true},
		{`{flag: "true"}`, map[string]any{"flag": "true", "more": ""}, false},
		{`{flag: true, n: 3}`, map[string]any{"flag": "1", "n": "3"}, true}, // Vault's texts for what is none
		{`{}`, nil, true},
	} {
		w := &world{data: map[string]map[string]any{"identity/entity/name/e": {"name": "e", "metadata": test.shown}}}
		objects := desired(t, write(t, "s.yaml", "entities: [{name: e, metadata: "+test.want+"}]\n"), seed.Resolver{})
		var b strings.Builder
		p := plan(t, w, objects, reconcile.Memory{HashKey: key})
		if err := p.Print(&b); err != nil {
			t.Fatal(err)
		}
		if p.Empty() != test.same {
			t.Errorf("%s beside %v:\n%s", test.want, test.shown, b.String())
		}
	}
}
