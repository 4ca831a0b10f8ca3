package needle

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
	all := Of([]string{"password-1", "password-12", share})
	for text, want := range map[string][]string{
		"":                        nil,
		"passwor":                 nil,
		"password-":               nil,
		"password-1":              {"as it is 0"},
		"x password-1 password-1": {"as it is 2"},
		"password-12":             {"as it is 0", "as it is 0"}, // one is the beginning of the other
		"at the end " + share:     {"as it is 11"},
		"x" + base64.StdEncoding.EncodeToString([]byte("password-1")):   {"base64 1", "within base64 1"},
		hex.EncodeToString([]byte("password-1")) + ".":                  {"hex 0"},
		hex.EncodeToString([]byte("a share of thirty-three bytes, oh")): {"hex of what it encodes 0"},
		"a share of thirty-three bytes, oh":                             {"what it encodes 0"},
		base64.StdEncoding.EncodeToString([]byte("ab password-1")):      {"base64 4", "within base64 4"},
		base64.StdEncoding.EncodeToString([]byte("abc: password-1.")):   {"within base64, two bytes on 7"},
		base64.StdEncoding.EncodeToString([]byte("abcpassword-1 more")): {"within base64 4"},
		base64.StdEncoding.EncodeToString([]byte("abcdpassword-1 m")):   {"within base64, one byte on 6"},
	} {
		var got []string
		all.Search([]byte(text), func(n Needle, at int) { got = append(got, fmt.Sprintf("%s %d", n.Form, at)) })
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("in %q: %q, want %q", text, got, want)
		}
	}
}
