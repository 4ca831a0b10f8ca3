package keyring_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
)

// identity is an age identity, with what makes it one.
var identity = regexp.MustCompile(`(?is)AGE-SECRET-KEY-.+`)

// FuzzParse reads made-up forms: what is taken is canonical once it was written, and what is refused
// is a misuse whose error has no identity of age in it.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"transit:https://vault:8200/a/transit/k", "transit:http://[::1]/t/k", "age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
		"age:AGE-SECRET-KEY-1QQ", "awskms:arn:aws:kms:eu-central-1:111122223333:key/mrk-1", "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
		"azurekv:https://ours.vault.azure.net/keys/k", "kms-plugin:unix:///run/kms.sock", "kms-plugin:unix:/", "transit:https://a:b@c/d/e", "::",
		"transit:https://vault/t/k?login=jwt&token-file=%2Fx&role=r", "transit:https://vault/t/k?token=x&token=y",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := keyring.Parse(text)
		if err != nil {
			secret := identity.FindString(text)
			if fault.KindOf(err) != fault.Usage || fault.RemedyOf(err) == "" || secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if with, err := keyring.Parse(form.String() + "?" + form.Options); form.Options != "" && (err != nil || with != form) {
			t.Errorf("%q has the options %q, which are read as %+v: %v", text, form.Options, with, err)
		}
		form.Options = ""
		again, err := keyring.Parse(form.String())
		if err != nil || again != form || again.String() != form.String() {
			t.Errorf("%q is %q, which is %+v: %v", text, form, again, err)
		}
	})
}
