package awskms_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/awskms"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
)

const (
	account = "arn:aws:kms:eu-central-1:111122223333:"
	arn     = account + "key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// stub records what KMS is asked, and can answer with another key's ARN. The suite in
// test/keyring has an emulator of KMS, which signs and encrypts.
type stub struct {
	asked  []map[string]any
	answer string
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ask := map[string]any{"target": r.Header.Get("X-Amz-Target")}
	_ = json.NewDecoder(r.Body).Decode(&ask)
	s.asked = append(s.asked, ask)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": s.answer, "CiphertextBlob": []byte("ciphertext"), "Plaintext": []byte(keyringtest.Key.Reveal())})
}

func (s *stub) open(t *testing.T, key string) *awskms.Recipient {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	form, err := keyring.Parse("awskms:" + key)
	if err != nil {
		t.Fatal(err)
	}
	return awskms.New(form, awskms.Access{Endpoint: server.URL, Config: func(_ context.Context, region string) (aws.Config, error) {
		if region != "eu-central-1" {
			t.Errorf("the region is %q", region)
		}
		return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKID", "hunter2", "")}, nil
	}})
}

// TestRequests sends the context as the encryption context, and names the key, unless that is an
// alias, which may lead to another key when the wrap is opened.
func TestRequests(t *testing.T) {
	for key, decrypts := range map[string][]string{
		arn: {"CiphertextBlob", "EncryptionContext", "KeyId", "target"}, account + "alias/vault": {"CiphertextBlob", "EncryptionContext", "target"},
	} {
		s := &stub{answer: arn}
		recipient := s.open(t, key)
		wrapped, version := keyringtest.Wrap(t, recipient)
		keyringtest.Opens(t, recipient, wrapped)
		if version != strings.TrimPrefix(arn, account+"key/") || len(s.asked) != 2 {
			t.Fatalf("the version is %q after %d requests", version, len(s.asked))
		}
		for i, want := range [][]string{{"EncryptionContext", "KeyId", "Plaintext", "target"}, decrypts} {
			about := map[string]string{}
			for name, value := range s.asked[i]["EncryptionContext"].(map[string]any) {
				about[name] = value.(string)
			}
			if got := slices.Sorted(maps.Keys(s.asked[i])); !slices.Equal(got, want) || !maps.Equal(about, keyringtest.About) {
				t.Errorf("%s: it is asked %s with %q and the context %v", key, s.asked[i]["target"], got, about)
			}
		}
	}
}

// TestAnotherKey refuses the answer of a key that was not asked: otherwise who can write the record
// could have it opened with a key of their own.
func TestAnotherKey(t *testing.T) {
	const ours, theirs = account + "alias/vault", "arn:aws:kms:eu-central-1:999988887777:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	for _, test := range []struct{ key, answer string }{
		{arn, theirs}, {arn, account + "key/other"}, {arn, ""}, {ours, theirs}, {ours, ""}, {ours, strings.Replace(arn, "eu-central-1", "eu-west-1", 1)},
	} {
		s := &stub{answer: test.answer}
		recipient := s.open(t, test.key)
		keyringtest.WrapFails(t, recipient, test.answer+" for "+test.key, keyring.Corrupted, "hunter2")
		s.answer = arn
		wrapped, _ := keyringtest.Wrap(t, recipient)
		s.answer = test.answer
		keyringtest.UnwrapFails(t, recipient, test.answer+" for "+test.key, wrapped, keyring.CannotDecrypt, "hunter2")
	}
}

// TestDecrypt decrypts what another program has had encrypted: the blob as it is, with its context.
func TestDecrypt(t *testing.T) {
	s := &stub{answer: arn}
	recipient := s.open(t, arn)
	got, err := recipient.Decrypt(t.Context(), []byte("ciphertext"), map[string]string{"Tool": "bank-vaults"})
	if err != nil || got.Reveal() != keyringtest.Key.Reveal() || len(s.asked) != 1 {
		t.Fatalf("%v after %d requests", err, len(s.asked))
	}
	want := map[string]any{
		"target": "TrentService.Decrypt", "KeyId": arn, "CiphertextBlob": "Y2lwaGVydGV4dA==", "EncryptionContext": map[string]any{"Tool": "bank-vaults"},
	}
	if !reflect.DeepEqual(s.asked[0], want) {
		t.Errorf("it is asked %v", s.asked[0])
	}
	s.answer = account + "key/other"
	got, err = recipient.Decrypt(t.Context(), []byte("ciphertext"), nil)
	keyringtest.Fails(t, "another key", got, err, keyring.CannotDecrypt, "hunter2")
	got, err = recipient.Decrypt(t.Context(), nil, nil)
	keyringtest.Fails(t, "nothing", got, err, keyring.CannotDecrypt)
}
