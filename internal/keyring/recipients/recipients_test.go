package recipients_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/recipients"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/transit"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// TestOpen makes a recipient of every kind, which is called as it is written, and refuses those
// whose means are missing.
func TestOpen(t *testing.T) {
	token := func(context.Context) (secret.Value, error) { return secret.New("t"), nil }
	all := recipients.Means{
		Transit: func(keyring.Form) (transit.Access, error) { return transit.Access{Token: token}, nil },
		AWS:     func(context.Context, string) (aws.Config, error) { return aws.Config{}, nil }, GoogleToken: token,
		AzureToken: func(context.Context, string) (secret.Value, error) { return secret.New("t"), nil },
	}
	for text, alone := range map[string]bool{ // whether it opens without means
		"transit:https://vault.example:8200/transit/k":                                          false,
		"age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p":                    true,
		"awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab": false,
		"gcpkms:projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k":                      false,
		"azurekv:https://ours.vault.azure.net/keys/k":                                           false,
		"kms-plugin:unix:/run/kms.sock":                                                         true,
	} {
		form, err := keyring.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if recipient, err := recipients.Open(form, all); err != nil || recipient.Name() != text {
			t.Errorf("%s: %v, %v", text, recipient, err)
		}
		if _, err := recipients.Open(form, recipients.Means{}); (err == nil) != alone || err != nil && (fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), text)) {
			t.Errorf("%s without means: %v", text, err)
		}
	}
	all.Transit = func(form keyring.Form) (transit.Access, error) {
		return transit.Access{}, fault.Misuse(errors.New(form.Options), "")
	}
	form, _ := keyring.Parse("transit:https://vault.example:8200/transit/k?login=x")
	if _, err := recipients.Open(form, all); err == nil || err.Error() != "login=x" {
		t.Error(err)
	}
	if _, err := recipients.Open(keyring.Form{Kind: "unknown"}, all); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
	bad, _ := keyring.Parse("age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q")
	if _, err := recipients.Open(bad, all); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
}
