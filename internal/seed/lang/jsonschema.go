package lang

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// JSONSchema returns a JSON Schema (draft 2020-12) of the language for editors, generated from the
// table that the parser uses.
func JSONSchema() ([]byte, error) {
	schema := mappingSchema(language(), false)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "vault-bootstrap seed"
	schema["description"] = "What a Vault is to hold."
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

type node = map[string]any

// mappingSchema returns the schema of a mapping with these keys.
func mappingSchema(keys []key, open bool) node {
	properties, patterns, required := node{}, node{}, []string{}
	for _, k := range keys {
		inner := keySchema(k)
		if k.prefix {
			patterns["^"+k.name+"."] = inner
			continue
		}
		properties[k.name] = inner
		if k.required {
			required = append(required, k.name)
		}
	}
	schema := node{"type": "object", "properties": properties, "additionalProperties": open}
	if len(patterns) > 0 {
		schema["patternProperties"] = patterns
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// keySchema returns the schema of the value of a row of the table. null stands for a list or
// mapping whose entries are all commented out.
func keySchema(k key) node {
	var schema node
	switch k.kind {
	case text, prose, duration:
		schema = node{"type": []string{"string", "number"}}
		if len(k.values) > 0 {
			schema = node{"enum": k.values}
		}
	case proseOrTruth:
		schema = node{"type": []string{"string", "number", "boolean"}}
	case truth:
		schema = node{"type": "boolean"}
	case words:
		schema = node{"type": []string{"array", "string"}, "items": node{"type": []string{"string", "number", "boolean", "object"}}}
	case free:
		schema = node{"type": []string{"object", "null"}}
	case one:
		schema = nullable(mappingSchema(k.fields, k.open))
	case many:
		schema = node{"type": []string{"array", "null"}, "items": mappingSchema(k.fields, k.open)}
	case named:
		inner := mappingSchema(k.fields[1:], k.open)
		schema = node{"anyOf": []node{
			{"type": []string{"array", "null"}, "items": mappingSchema(k.fields, k.open)},
			{"type": "object", "additionalProperties": nullable(inner)},
		}}
	case children:
		item := mappingSchema(k.fields, true)
		schema = node{"type": []string{"object", "null"}, "additionalProperties": node{"anyOf": []node{
			{"type": []string{"array", "null"}, "items": item}, item,
		}}}
	}
	if k.about != "" {
		schema["description"] = k.about
	}
	if example, ok := exampleOf(k); ok {
		schema["examples"] = []any{example}
	}
	return schema
}

func nullable(schema node) node {
	schema["type"] = []string{"object", "null"}
	return schema
}

// exampleOf returns a row's example as a JSON value.
func exampleOf(k key) (any, bool) {
	var value any
	if k.example == "" || yaml.Unmarshal([]byte(k.example), &value) != nil {
		return nil, false
	}
	return value, true
}
