package gcpkms_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/gcpkms"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

const (
	name  = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
	token = "ya29.hunter2"
)

// stub answers as Cloud KMS does, with real encryption, and refuses every field that it should not
// get.
type stub struct {
	*testing.T
	*httptest.Server
	aead cipher.AEAD
	// fails, if set, is the answer to every request.
	fails func(w http.ResponseWriter)
	// spoil, if not nil, changes an answer.
	spoil func(answer map[string]any)
}

func start(t *testing.T) *stub {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{T: t, aead: aead}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *stub) recipient() *gcpkms.Recipient {
	s.Helper()
	form, err := keyring.Parse("gcpkms:" + name)
	if err != nil {
		s.Fatal(err)
	}
	return gcpkms.New(form, gcpkms.Access{Endpoint: s.URL, Token: func(context.Context) (secret.Value, error) { return secret.New(token), nil }})
}

func sum(content []byte) string {
	return strconv.Itoa(int(crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))))
}

type body struct {
	Plaintext      *[]byte `json:"plaintext"`
	PlaintextSum   string  `json:"plaintextCrc32c"`
	Ciphertext     *[]byte `json:"ciphertext"`
	CiphertextSum  string  `json:"ciphertextCrc32c"`
	Additional     []byte  `json:"additionalAuthenticatedData"`
	AdditionalSum  string  `json:"additionalAuthenticatedDataCrc32c"`
	additionalSent bool
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.fails != nil {
		s.fails(w)
		return
	}
	var ask body
	content := json.NewDecoder(r.Body)
	content.DisallowUnknownFields()
	if err := content.Decode(&ask); err != nil {
		s.Errorf("it is asked for what it does not know: %v", err)
	}
	if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("Content-Type") != "application/json" {
		s.Errorf("it is asked %s %s with %v", r.Method, r.URL, r.Header)
	}
	if ask.additionalSent = len(ask.Additional) > 0; ask.additionalSent && ask.AdditionalSum != sum(ask.Additional) {
		s.Errorf("the sum of the additional data is %q", ask.AdditionalSum)
	}
	answer := map[string]any{}
	switch r.URL.Path {
	case "/v1/" + name + ":encrypt":
		if ask.Plaintext == nil || ask.Ciphertext != nil || ask.CiphertextSum != "" || ask.PlaintextSum != sum(*ask.Plaintext) {
			s.Errorf("it is asked to encrypt with the sums %q and %q", ask.PlaintextSum, ask.CiphertextSum)
			return
		}
		nonce := make([]byte, s.aead.NonceSize())
		_, _ = rand.Read(nonce)
		sealed := s.aead.Seal(nonce, nonce, *ask.Plaintext, ask.Additional)
		answer = map[string]any{"name": name + "/cryptoKeyVersions/7", "ciphertext": sealed, "ciphertextCrc32c": sum(sealed), "protectionLevel": "HSM",
			"verifiedPlaintextCrc32c": true, "verifiedAdditionalAuthenticatedDataCrc32c": ask.additionalSent}
	case "/v1/" + name + ":decrypt":
		if ask.Ciphertext == nil || ask.Plaintext != nil || ask.PlaintextSum != "" || ask.CiphertextSum != sum(*ask.Ciphertext) {
			s.Errorf("it is asked to decrypt with the sums %q and %q", ask.PlaintextSum, ask.CiphertextSum)
			return
		}
		plain, err := s.open(*ask.Ciphertext, ask.Additional)
		if err != nil {
			says(http.StatusBadRequest, "INVALID_ARGUMENT", "Decryption failed: verify that 'name' refers to the correct CryptoKey.")(w)
			return
		}
		answer = map[string]any{"plaintext": plain, "plaintextCrc32c": sum(plain), "usedPrimary": true, "protectionLevel": "HSM"}
	default:
		s.Errorf("it is asked at %s", r.URL.Path)
	}
	if s.spoil != nil {
		s.spoil(answer)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *stub) open(sealed, additional []byte) ([]byte, error) {
	if len(sealed) < s.aead.NonceSize() {
		return nil, errors.New("too short")
	}
	return s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], additional)
}

// says is an error as Google's APIs write it.
func says(code int, status, message string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "status": status, "message": message}})
	}
}

// TestRecipient does what every recipient must.
func TestRecipient(t *testing.T) {
	recipient := start(t).recipient()
	keyringtest.Recipient(t, recipient, 1)
	if _, version := keyringtest.Wrap(t, recipient); version != "7" {
		t.Errorf("the version is %q", version)
	}
}

// TestRefusals has each answer of KMS that a person would act on, as its documentation has it.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		what         string
		fails        func(http.ResponseWriter)
		wrap, unwrap keyring.Reason
	}{
		{"no token", says(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), keyring.Expired, keyring.Expired},
		{"permission", says(403, "PERMISSION_DENIED", "Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource '"+name+"' (or it may not exist)."), keyring.Refused, keyring.Refused},
		{"not there", says(404, "NOT_FOUND", "CryptoKey "+name+" not found."), keyring.KeyUnknown, keyring.KeyUnknown},
		{"location", says(400, "INVALID_ARGUMENT", "The request concerns location 'europe-west1' but was sent to location 'us-east1'."), keyring.WrongRegion, keyring.WrongRegion},
		{"disabled", says(400, "FAILED_PRECONDITION", name+"/cryptoKeyVersions/7 is not enabled, current state is: DISABLED."), keyring.KeyDisabled, keyring.KeyDisabled},
		{"to be destroyed", says(400, "FAILED_PRECONDITION", name+"/cryptoKeyVersions/7 is not enabled, current state is: DESTROY_SCHEDULED."), keyring.KeyDeleted, keyring.KeyDeleted},
		{"purpose", says(400, "INVALID_ARGUMENT", "The CryptoKey has the purpose ASYMMETRIC_SIGN."), keyring.KeyUnsuitable, keyring.CannotDecrypt},
		{"sum", says(400, "INVALID_ARGUMENT", "The checksum in field plaintext_crc32c did not match the data in field plaintext."), keyring.Corrupted, keyring.Corrupted},
		{"too many", says(429, "RESOURCE_EXHAUSTED", "Quota exceeded."), keyring.Unreachable, keyring.Unreachable},
		{"broken", says(500, "INTERNAL", "Internal error encountered."), keyring.Unreachable, keyring.Unreachable},
		{"a proxy's page", func(w http.ResponseWriter) { w.WriteHeader(503); _, _ = io.WriteString(w, "<html>") }, keyring.Unreachable, keyring.Unreachable},
		{"a portal's page", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") }, keyring.Corrupted, keyring.Corrupted},
		{"elsewhere", func(w http.ResponseWriter) { w.Header().Set("Location", "http://127.0.0.1:1/"); w.WriteHeader(307) }, keyring.Unreachable, keyring.Unreachable},
		{"it quotes our token", says(403, "PERMISSION_DENIED", "bad: "+token), keyring.Refused, keyring.Refused},
	} {
		s := start(t)
		wrapped, _ := keyringtest.Wrap(t, s.recipient())
		s.fails = test.fails
		keyringtest.WrapFails(t, s.recipient(), test.what, test.wrap, token)
		keyringtest.UnwrapFails(t, s.recipient(), test.what, wrapped, test.unwrap, token)
	}
}

// TestQuotes does not repeat a message that quotes the key that we sent.
func TestQuotes(t *testing.T) {
	s := start(t)
	s.fails = says(400, "INVALID_ARGUMENT", "bad: "+base64.StdEncoding.EncodeToString([]byte(keyringtest.Key.Reveal())))
	keyringtest.WrapFails(t, s.recipient(), "it quotes us", keyring.KeyUnsuitable)
}

// TestChecksums finds answers that were changed on the way, and those of another key.
func TestChecksums(t *testing.T) {
	s := start(t)
	wrapped, _ := keyringtest.Wrap(t, s.recipient())
	flip := func(field string) func(map[string]any) {
		return func(answer map[string]any) {
			if content, ok := answer[field].([]byte); ok {
				content[len(content)-1] ^= 1
			}
		}
	}
	set := func(field string, to any) func(map[string]any) {
		return func(answer map[string]any) { answer[field] = to }
	}
	for what, spoil := range map[string]func(map[string]any){
		"a byte of the ciphertext": flip("ciphertext"), "no sum of it": set("ciphertextCrc32c", nil), "another sum of it": set("ciphertextCrc32c", "1"),
		"not verified": set("verifiedPlaintextCrc32c", false), "its context neither": set("verifiedAdditionalAuthenticatedDataCrc32c", false),
		"another key": set("name", "projects/evil/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"), "no ciphertext": set("ciphertext", nil),
	} {
		s.spoil = spoil
		keyringtest.WrapFails(t, s.recipient(), what, keyring.Corrupted)
	}
	for what, spoil := range map[string]func(map[string]any){
		"a byte of the key": flip("plaintext"), "no sum of it": set("plaintextCrc32c", nil), "no key": set("plaintext", nil),
	} {
		s.spoil = spoil
		keyringtest.UnwrapFails(t, s.recipient(), what, wrapped, keyring.Corrupted)
	}
	s.spoil = func(answer map[string]any) { // a number without quotes means the same
		answer["plaintextCrc32c"] = json.Number(fmt.Sprint(answer["plaintextCrc32c"]))
	}
	keyringtest.Opens(t, s.recipient(), wrapped)
}

// TestTokens classifies what keeps us from a token, and a service that is gone.
func TestTokens(t *testing.T) {
	s := start(t)
	wrapped, _ := keyringtest.Wrap(t, s.recipient())
	form, _ := keyring.Parse("gcpkms:" + name)
	_, away := http.Get("http://127.0.0.1:1/")
	for err, want := range map[error]keyring.Reason{
		errors.New("there is no service account"): keyring.NoCredential, fmt.Errorf("asking the metadata server: %w", away): keyring.Unreachable,
		fmt.Errorf("%w: it is disabled", keyring.Expired): keyring.Expired, context.DeadlineExceeded: keyring.Unreachable,
	} {
		none := gcpkms.New(form, gcpkms.Access{Endpoint: s.URL, Token: func(context.Context) (secret.Value, error) { return secret.Value{}, err }})
		keyringtest.WrapFails(t, none, err.Error(), want)
		keyringtest.UnwrapFails(t, none, err.Error(), wrapped, want)
	}
	recipient := s.recipient()
	s.Close()
	keyringtest.UnwrapFails(t, recipient, "gone", wrapped, keyring.Unreachable, token)
	if !strings.HasPrefix(recipient.Name(), "gcpkms:projects/p/") {
		t.Errorf("it is called %q", recipient.Name())
	}
}

// TestDecrypt decrypts what another program has had encrypted, without additional data.
func TestDecrypt(t *testing.T) {
	s := start(t)
	nonce := make([]byte, s.aead.NonceSize())
	const theirs = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01, longer than any key of ours"
	sealed := s.aead.Seal(nonce, nonce, []byte(theirs), nil)
	if got, err := s.recipient().Decrypt(t.Context(), sealed, nil); err != nil || got.Reveal() != theirs {
		t.Errorf("%q, %v", got.Reveal(), err)
	}
	for what, bad := range map[string][]byte{"flipped": append(sealed[:len(sealed)-1:len(sealed)-1], sealed[len(sealed)-1]^1), "nothing": nil, "too long": make([]byte, keyring.MaxWrap+1)} {
		got, err := s.recipient().Decrypt(t.Context(), bad, nil)
		keyringtest.Fails(t, what, got, err, keyring.CannotDecrypt)
	}
	got, err := s.recipient().Decrypt(t.Context(), sealed, keyringtest.About)
	keyringtest.Fails(t, "with a context", got, err, keyring.CannotDecrypt)
}
