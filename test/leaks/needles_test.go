package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
)

// TestNeedles finds secrets in each form, at the edges of a text and beside those that
// begin alike, once each.
func TestNeedles(t *testing.T) {
	share := base64.StdEncoding.EncodeToString([]byte("a share of thirty-three bytes, oh"))
	all := needlesOf([]string{"password-1", "password-12", share})
	for text, want := range map[string][]string{
		"":                        nil,
		"passwor":                 nil,
		"password-":               nil,
		"password-1":              {"as it is 0"},
		"x password-1 password-1": {"as it is 2"},
		"password-12":             {"as it is 0", "as it is 0"}, // one is the beginning of the other
		"at the end " + share:     {"as it is 11"},
		"x" + base64.StdEncoding.EncodeToString([]byte("password-1")):   {"base64 1"},
		hex.EncodeToString([]byte("password-1")) + ".":                  {"hex 0"},
		hex.EncodeToString([]byte("a share of thirty-three bytes, oh")): {"hex of what it encodes 0"},
	} {
		var got []string
		all.search([]byte(text), func(n needle, at int) { got = append(got, fmt.Sprintf("%s %d", n.form, at)) })
		if !slices.Equal(got, want) {
			t.Errorf("in %q: %q, want %q", text, got, want)
		}
	}
}
