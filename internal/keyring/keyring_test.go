package keyring_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// TestParse reads every kind of form, and writes it as it is canonically.
func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		form      keyring.Form
		canonical string
	}{
		"transit:https://Vault.example:8200/a/transit/key-1": {
			keyring.Form{Kind: keyring.Transit, Server: "https://vault.example:8200", Mount: "a/transit", Key: "key-1"}, "transit:https://vault.example:8200/a/transit/key-1",
		},
		"transit:http://127.0.0.1:8200/transit/k/": {
			keyring.Form{Kind: keyring.Transit, Server: "http://127.0.0.1:8200", Mount: "transit", Key: "k"}, "transit:http://127.0.0.1:8200/transit/k",
		},
		"transit:https://vault:8200/transit/k?role=vb&login=kubernetes&token-file=%2frun/t": {
			keyring.Form{Kind: keyring.Transit, Server: "https://vault:8200", Mount: "transit", Key: "k", Options: "login=kubernetes&role=vb&token-file=%2Frun%2Ft"}, "transit:https://vault:8200/transit/k",
		},
		"transit:https://[::1]:8200/transit/k": {
			keyring.Form{Kind: keyring.Transit, Server: "https://[::1]:8200", Mount: "transit", Key: "k"}, "",
		},
		"age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p": {
			keyring.Form{Kind: keyring.Age, Key: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}, "",
		},
		"awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab": {
			keyring.Form{Kind: keyring.AWS, Region: "eu-central-1", Key: "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}, "",
		},
		"awskms:arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/team/vault": {
			keyring.Form{Kind: keyring.AWS, Region: "us-gov-west-1", Key: "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/team/vault"}, "",
		},
		"gcpkms:projects/example.com:p-1/locations/europe-west1/keyRings/r/cryptoKeys/k": {
			keyring.Form{Kind: keyring.Google, Key: "projects/example.com:p-1/locations/europe-west1/keyRings/r/cryptoKeys/k"}, "",
		},
		"azurekv:https://Ours.vault.azure.net:443/keys/Vault-Keys/": {
			keyring.Form{Kind: keyring.Azure, Server: "https://ours.vault.azure.net", Key: "vault-keys"}, "azurekv:https://ours.vault.azure.net/keys/vault-keys",
		},
		"kms-plugin:unix:///run/kms/../kms.sock": {
			keyring.Form{Kind: keyring.KMSPlugin, Server: "/run/kms.sock"}, "kms-plugin:unix:/run/kms.sock",
		},
	} {
		if want.canonical == "" {
			want.canonical = text
		}
		form, err := keyring.Parse(text)
		if err != nil || form != want.form || form.String() != want.canonical {
			t.Errorf("%s: %+v, %v", text, form, err)
		}
		form.Options = "" // which is not of the name
		if again, err := keyring.Parse(form.String()); err != nil || again != form {
			t.Errorf("%s, read again: %+v, %v", form, again, err)
		}
	}
}

// TestParseRefuses names what is wrong with a form and how it is written, and repeats no secret.
func TestParseRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                          "no known kind",
		"vault:https://v/transit/k": "no known kind",
		"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2el":                                  "no known kind",
		"transit:vault:8200/transit/k":                                              "has no host",
		"transit:http://vault:8200/transit/k":                                       "https://",
		"transit:https://vault:8200/k":                                              "does not name a mount and a key",
		"transit:https://vault:8200/v1/transit/k":                                   "of the API",
		"transit:https://vault/transit/../k":                                        "\"..\"",
		"transit:https://vault/transit//k":                                          "\"\"",
		"transit:https://vault/transit/k?x=hunter2&x=y":                             "the option \"x\" is given twice",
		"transit:https://vault/transit/k?token=":                                    "the option \"token\" has no value",
		"transit:https://vault/k?token=hunter2":                                     "does not name a mount and a key",
		"transit:https://u:hunt?er2@vault/transit/k":                                "an option whose name",
		"transit:https://vault/transit/k?x=%zzhunter2":                              "NAME=VALUE",
		"azurekv:https://abc.vault.azure.net/keys/k?x=y":                            "query",
		"transit:https://u:hunter2@vault/transit/k":                                 "a user name or password",
		"transit:https://u:hunter2@va ult/x/k":                                      "not a URL",
		"age:AGE-SECRET-KEY-1HUNTER2":                                               "which is secret",
		"age:age-plugin-yubikey-1hunter2":                                           "which is secret",
		"age:ssh-ed25519 AAAA":                                                      "SSH keys",
		"age:AGE1QL3Z":                                                              "does not begin with age1",
		"awskms:alias/vault":                                                        "region and account are missing",
		"awskms:1234abcd-12ab-34cd-56ef-1234567890":                                 "region and account are missing",
		"awskms:arn:aws:s3:::bucket":                                                "not the ARN of a key",
		"awskms:arn:aws:kms::111122223333:key/x":                                    "not the ARN of a key",
		"gcpkms:projects/p/locations/l/keyRings/r":                                  "not the resource name",
		"gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1": "names a version",
		"azurekv:http://x.vault.azure.net/keys/k":                                   "https://",
		"azurekv:https://vault.azure.net.evil.example/keys/k":                       "is not that of an Azure Key Vault",
		"azurekv:https://abc.vault.azure.net/keys/k/0123":                           "names a version",
		"azurekv:https://abc.vault.azure.net/secrets/k":                             "the path is not",
		"azurekv:https://abc.vault.azure.net:8443/keys/k":                           "is not that of an Azure Key Vault",
		"kms-plugin:/run/kms.sock":                                                  "not a socket",
		"kms-plugin:unix:kms.sock":                                                  "absolute path",
		"kms-plugin:unix:/" + strings.Repeat("x", 120):                              "at most 107",
	} {
		form, err := keyring.Parse(text)
		if err == nil || !strings.Contains(err.Error(), says) || fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), "Write ") {
			t.Errorf("%q: %+v, %v (%s)", text, form, err, fault.RemedyOf(err))
		}
		if err != nil && strings.Contains(strings.ToLower(err.Error()), "hunter2") {
			t.Errorf("%q is repeated: %v", text, err)
		}
	}
}

// TestCanonical holds the text that a context becomes: wraps of today are opened with it tomorrow.
func TestCanonical(t *testing.T) {
	about := keyring.Context{"record": "vault-bootstrap", "a": "é = 1", "key": "k1"}
	text, err := keyring.Canonical(about)
	if want := "a=é = 1\nkey=k1\nrecord=vault-bootstrap\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
	for _, bad := range []keyring.Context{{"": "x"}, {"x": ""}, {"a=b": "c"}, {"a": "b\nc=d"}, {"a\n": "b"}, {"a": "\xff"}} {
		if text, err := keyring.Canonical(bad); err == nil {
			t.Errorf("%q becomes %q", bad, text)
		}
	}
}

// TestBind binds a key to a context, and finds every other one.
func TestBind(t *testing.T) {
	key, about := secret.New("\x00key\xff"), keyring.Context{"record": "a"}
	bound, err := keyring.Bind(key, about)
	digest := sha256.Sum256([]byte("record=a\n"))
	if err != nil || bound.Reveal() != string(digest[:])+"\x00key\xff" {
		t.Errorf("%x, %v", bound.Reveal(), err)
	}
	if back, err := keyring.Unbind(bound, about); err != nil || !back.Equal(key) {
		t.Errorf("%x, %v", back.Reveal(), err)
	}
	for name, test := range map[string]struct {
		bound string
		about keyring.Context
		says  string
	}{
		"another record": {bound.Reveal(), keyring.Context{"record": "b"}, "another record"},
		"no context":     {bound.Reveal(), nil, "another record"},
		"only a digest":  {string(digest[:]), about, "32 bytes"},
		"too long":       {bound.Reveal() + strings.Repeat("x", keyring.MaxKey), about, "bytes inside"},
	} {
		if back, err := keyring.Unbind(secret.New(test.bound), test.about); err == nil || !back.Empty() || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFailed has an error of every reason found by its reason, with the kind that says whether to try
// again.
func TestFailed(t *testing.T) {
	cause := errors.New("connection refused")
	for reason, kind := range map[keyring.Reason]fault.Kind{
		keyring.Unreachable: fault.Transient, keyring.Corrupted: fault.Transient, keyring.Refused: fault.Terminal, keyring.NoIdentity: fault.Terminal,
	} {
		err := fmt.Errorf("opening the record: %w", keyring.Failed("age:age1x", "unwrapping the key", reason, cause, "Wait."))
		if !errors.Is(err, reason) || !errors.Is(err, cause) || fault.KindOf(err) != kind || fault.RemedyOf(err) != "Wait." {
			t.Errorf("%s: %v, of kind %s", reason, err, fault.KindOf(err))
		}
		if want := `opening the record: unwrapping the key with "age:age1x": ` + string(reason) + ": connection refused"; err.Error() != want {
			t.Errorf("it says %q", err)
		}
	}
}

// TestSaid repeats a service's message shortly, and no secret.
func TestSaid(t *testing.T) {
	for message, want := range map[string]string{
		"two\n\tlines\x00 ":      "two lines",
		"you sent c2VjcmV0, bad": "(a message that is not repeated, since it quotes what was sent)",
		strings.Repeat("x", 400): strings.Repeat("x", 300) + "…",
	} {
		if got := keyring.Said(message, "", "c2VjcmV0"); got != want {
			t.Errorf("%q", got)
		}
	}
}
