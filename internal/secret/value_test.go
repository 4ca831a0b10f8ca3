package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

const text = "hvs.the-text-that-must-not-show"

type record struct {
	Name   string
	Token  secret.Value
	hidden secret.Value
	Many   []secret.Value
	ByName map[string]secret.Value
	Ptr    *secret.Value
}

func sample() record {
	v := secret.New(text)
	return record{"x", v, v, []secret.Value{v}, map[string]secret.Value{"k": v}, &v}
}

func TestNeverShown(t *testing.T) {
	r := sample()
	outputs := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T"} {
		outputs["record "+verb] = fmt.Sprintf(verb, r)
		outputs["value "+verb] = fmt.Sprintf(verb, r.Token)
		outputs["pointer "+verb] = fmt.Sprintf(verb, r.Ptr)
		outputs["hidden "+verb] = fmt.Sprintf(verb, r.hidden)
	}
	outputs["error"] = fmt.Errorf("unsealing with %v: %w", r, errors.New("no")).Error()

	asJSON, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	outputs["json"] = string(asJSON)
	asYAML, err := yaml.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	outputs["yaml"] = string(asYAML)
	asXML, err := xml.Marshal(r.Token)
	if err != nil {
		t.Fatal(err)
	}
	outputs["xml"] = string(asXML)

	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("x", "record", r, "value", r.Token)
		outputs[name] = b.String()
	}

	hexText := fmt.Sprintf("%x", text)
	for name, output := range outputs {
		if strings.Contains(output, text) || strings.Contains(strings.ToLower(output), hexText) {
			t.Errorf("%s shows the secret: %s", name, output)
		}
	}
}

func TestReveal(t *testing.T) {
	if got := secret.New(text).Reveal(); got != text {
		t.Errorf("Reveal() = %q", got)
	}
	if !(secret.Value{}).Empty() || !secret.New("").Empty() || secret.New("a").Empty() {
		t.Error("Empty is wrong")
	}
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) {
		t.Error("Equal is wrong")
	}
}

func TestDecodingIsRefused(t *testing.T) {
	var r struct{ Token secret.Value }
	if err := json.Unmarshal([]byte(`{"Token":"REDACTED"}`), &r); !errors.Is(err, secret.ErrUnmarshal) {
		t.Errorf("decoding gave %v, want ErrUnmarshal", err)
	}
}

func TestValuesOfTexts(t *testing.T) {
	texts := []string{"one", "", "three"}
	values := secret.Values(texts)
	if got := secret.Reveal(values); !slices.Equal(got, texts) {
		t.Errorf("got %q", got)
	}
	if values[0].Empty() || !values[1].Empty() || !values[0].Equal(secret.New("one")) || values[0].Equal(values[2]) {
		t.Error("values are mistaken for each other")
	}
	if values[0].String() != secret.Redacted || values[0].GoString() != secret.Redacted {
		t.Error("a value is shown")
	}
}

func TestWithheld(t *testing.T) {
	v := secret.Withheld()
	switch {
	case v.Empty() || !v.IsWithheld() || v.Reveal() != "":
		t.Error("a withheld secret is empty, or has a text")
	case v.Equal(secret.Withheld()) || v.Equal(secret.New("")) || secret.New("a").Equal(v):
		t.Error("a withheld secret equals something")
	case secret.New("").IsWithheld() || secret.New("a").IsWithheld() || (secret.Value{}).IsWithheld():
		t.Error("another value counts as withheld")
	case fmt.Sprintf("%+v", v) != secret.Redacted:
		t.Errorf("it is shown as %+v", v)
	}
}
