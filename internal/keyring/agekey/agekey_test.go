package agekey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// TestMain is the plugin as well: age finds it as age-plugin-test in PATH.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "age-plugin-test" {
		os.Exit(pluginMain())
	}
	os.Exit(m.Run())
}

// pluginMain is a plugin that encrypts to the native key in its recipient's data, and asks for a
// PIN before it decrypts.
func pluginMain() int {
	p, err := plugin.New("test")
	if err != nil {
		return 1
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) { return age.ParseX25519Recipient(string(data)) })
	p.HandleIdentity(func(data []byte) (age.Identity, error) {
		inner, err := age.ParseX25519Identity(string(data))
		return asking{p, inner}, err
	})
	return p.Main()
}

type asking struct {
	plugin *plugin.Plugin
	age.Identity
}

func (a asking) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if err := a.plugin.DisplayMessage("touch it"); err != nil {
		return nil, err
	}
	if pin, err := a.plugin.RequestValue("PIN", true); err != nil || pin != "1234" {
		return nil, errors.New("wrong PIN")
	}
	return a.Identity.Unwrap(stanzas)
}

var (
	key   = secret.New("\x00\x01 a data key of 32 bytes \xfe\xff\n\n")
	about = keyring.Context{"record": "vault-bootstrap", "key": "k1"}
)

// keys returns a native recipient, and a file with its identity.
func keys(t *testing.T) (recipient, file string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Recipient().String(), write(t, "# a comment\n\n"+identity.String()+"\n", 0o600)
}

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t *testing.T, recipient string, person agekey.Person, files ...string) *agekey.Recipient {
	t.Helper()
	form, err := keyring.Parse("age:" + recipient)
	if err != nil {
		t.Fatal(err)
	}
	identities, err := agekey.ReadIdentities(files, person)
	if err != nil {
		t.Fatal(err)
	}
	made, err := agekey.New(form, identities, person)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func wrap(t *testing.T, by keyring.Recipient) []byte {
	t.Helper()
	wrapped, version, err := by.Wrap(t.Context(), key, about)
	if err != nil || version != "" || len(wrapped) == 0 || len(wrapped) > keyring.MaxWrap || bytes.Contains(wrapped, []byte(key.Reveal())) {
		t.Fatalf("wrapped %d bytes of version %q: %v", len(wrapped), version, err)
	}
	return wrapped
}

// fails checks an error's reason and kind, that it has a remedy, and that it has no key in it.
func fails(t *testing.T, what string, got secret.Value, err error, want keyring.Reason) {
	t.Helper()
	if !errors.Is(err, want) || !got.Empty() || fault.RemedyOf(err) == "" || strings.Count(fault.RemedyOf(err), ". ") > 1 {
		t.Errorf("%s: %v (%s), not %q", what, err, fault.RemedyOf(err), want)
	}
	if err != nil && strings.Contains(err.Error(), key.Reveal()) {
		t.Errorf("%s: the error has the key in it", what)
	}
}

// TestNative wraps for a native recipient of both kinds, and unwraps with a file of identities.
func TestNative(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	recipient, file := keys(t)
	for to, file := range map[string]string{recipient: file, hybrid.Recipient().String(): write(t, hybrid.String(), 0o440)} {
		opened := open(t, to, nil, file)
		wrapped := wrap(t, opened)
		if got, err := opened.Unwrap(t.Context(), wrapped, about); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", to, err)
		}
		if opened.Name() != "age:"+to {
			t.Errorf("it is called %q", opened.Name())
		}
	}
}

// TestForm opens a wrap with age alone: the digest of the context, and then the key.
func TestForm(t *testing.T) {
	recipient, file := keys(t)
	wrapped := wrap(t, open(t, recipient, nil))
	content, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	identities, err := age.ParseIdentities(content)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := io.ReadAll(plain)
	bound, _ := keyring.Bind(key, about)
	if err != nil || string(inside) != bound.Reveal() {
		t.Errorf("there are %d bytes inside: %v", len(inside), err)
	}
}

// TestEscrow has a recipient whose identity is not here wrap, and say why it does not unwrap.
func TestEscrow(t *testing.T) {
	recipient, _ := keys(t)
	_, another := keys(t)
	for name, escrow := range map[string]*agekey.Recipient{"no identity": open(t, recipient, nil), "another one": open(t, recipient, nil, another)} {
		got, err := escrow.Unwrap(t.Context(), wrap(t, escrow), about)
		fails(t, name, got, err, keyring.NoIdentity)
	}
	form, _ := keyring.Parse("age:" + recipient)
	without, err := agekey.New(form, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := without.Unwrap(t.Context(), wrap(t, without), about)
	fails(t, "nil", got, err, keyring.NoIdentity)
}

// TestDamaged finds every flipped byte of a wrap, and a wrap of another key, record or recipient.
func TestDamaged(t *testing.T) {
	recipient, file := keys(t)
	opened := open(t, recipient, nil, file)
	wrapped := wrap(t, opened)
	for i := range wrapped {
		flipped := bytes.Clone(wrapped)
		flipped[i] ^= 1
		got, err := opened.Unwrap(t.Context(), flipped, about)
		fails(t, fmt.Sprintf("byte %d flipped", i), got, err, keyring.CannotDecrypt)
	}
	other, _ := keys(t)
	for name, bad := range map[string][]byte{
		"empty": nil, "truncated": wrapped[:len(wrapped)-1], "longer": append(bytes.Clone(wrapped), 0),
		"too long": bytes.Repeat([]byte("x"), keyring.MaxWrap+1), "of another recipient": wrap(t, open(t, other, nil)),
	} {
		got, err := opened.Unwrap(t.Context(), bad, about)
		fails(t, name, got, err, keyring.CannotDecrypt)
	}
	got, err := opened.Unwrap(t.Context(), wrapped, keyring.Context{"record": "another", "key": "k1"})
	fails(t, "another record", got, err, keyring.CannotDecrypt)
}

// TestRefusedKeys refuses what is no key, and a context that means nothing.
func TestRefusedKeys(t *testing.T) {
	recipient, _ := keys(t)
	opened := open(t, recipient, nil)
	for name, test := range map[string]struct {
		key   secret.Value
		about keyring.Context
	}{
		"empty": {secret.Value{}, about}, "too long": {secret.New(strings.Repeat("x", keyring.MaxKey+1)), about}, "context": {key, keyring.Context{"a=": "b"}},
	} {
		if wrapped, _, err := opened.Wrap(t.Context(), test.key, test.about); err == nil || wrapped != nil {
			t.Errorf("%s is wrapped", name)
		}
	}
}

// TestBadRecipients refuses a recipient that was not copied whole.
func TestBadRecipients(t *testing.T) {
	recipient, _ := keys(t)
	flipped := []byte(recipient)
	if flipped[10]++; flipped[10] == 'b' || flipped[10] == 'i' || flipped[10] == 'o' || flipped[10] > 'z' {
		flipped[10] = 'q'
	}
	for _, bad := range []string{recipient[:len(recipient)-1], string(flipped), "age1pq1qqqqqq"} {
		form, err := keyring.Parse("age:" + bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := agekey.New(form, nil, nil); fault.KindOf(err) != fault.Usage || err == nil || fault.RemedyOf(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestBadIdentities names the file and the line, and nothing of what stands in it.
func TestBadIdentities(t *testing.T) {
	_, good := keys(t)
	content, _ := os.ReadFile(good)
	for says, file := range map[string]string{
		"mode 0604":                 write(t, string(content), 0o604),
		"mode 0620":                 write(t, string(content), 0o620),
		"there is none":             write(t, "# nothing\n", 0o600),
		"line 2 is not":             write(t, "#\nAGE-SECRET-KEY-1HUNTER2\n", 0o600),
		"line 1 is not":             write(t, "AGE-PLUGIN-HUNTER2\n", 0o600),
		"encrypted itself":          write(t, "age-encryption.org/v1\n", 0o600),
		"more than":                 write(t, strings.Repeat("#\n", 1<<20), 0o600),
		"no such file or directory": filepath.Join(t.TempDir(), "none"),
	} {
		_, err := agekey.ReadIdentities([]string{good, file}, nil)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), file) || fault.KindOf(err) != fault.Usage || fault.RemedyOf(err) == "" || strings.Contains(err.Error(), "HUNTER2") {
			t.Errorf("%v, not %q", err, says)
		}
	}
}

// patient answers a plugin.
type patient struct {
	pin string
	met []string
}

func (p *patient) Tell(_, message string) { p.met = append(p.met, message) }
func (p *patient) Ask(_, prompt string, secret bool) (string, error) {
	p.met = append(p.met, fmt.Sprintf("%s %v", prompt, secret))
	return p.pin, nil
}

// TestPlugin wraps and unwraps by a plugin of age, with and without a person.
func TestPlugin(t *testing.T) {
	native, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipient := plugin.EncodeRecipient("test", []byte(native.Recipient().String()))
	file := write(t, plugin.EncodeIdentity("test", []byte(native.String())), 0o600)

	t.Setenv("PATH", t.TempDir())
	_, _, err = open(t, recipient, nil).Wrap(t.Context(), key, about)
	fails(t, "no plugin", secret.Value{}, err, keyring.NoIdentity)

	ourselves, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(ourselves, filepath.Join(os.Getenv("PATH"), "age-plugin-test")); err != nil {
		t.Fatal(err)
	}
	wrapped := wrap(t, open(t, recipient, nil))
	person := &patient{pin: "1234"}
	got, err := open(t, recipient, person, file).Unwrap(t.Context(), wrapped, about)
	if err != nil || !got.Equal(key) || fmt.Sprint(person.met) != "[touch it PIN true]" {
		t.Errorf("%v, after %q", err, person.met)
	}
	got, err = open(t, recipient, &patient{pin: "0000"}, file).Unwrap(t.Context(), wrapped, about)
	fails(t, "wrong PIN", got, err, keyring.NoIdentity)
	got, err = open(t, recipient, nil, file).Unwrap(t.Context(), wrapped, about)
	fails(t, "nobody", got, err, keyring.NoIdentity)
	got, err = open(t, recipient, person).Unwrap(t.Context(), wrapped, about)
	fails(t, "an escrow", got, err, keyring.NoIdentity)
}

// TestEnds ends with the context.
func TestEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	recipient, file := keys(t)
	opened := open(t, recipient, nil, file)
	_, _, err := opened.Wrap(ctx, key, about)
	fails(t, "wrapping", secret.Value{}, err, keyring.Unreachable)
	got, err := opened.Unwrap(ctx, wrap(t, opened), about)
	fails(t, "unwrapping", got, err, keyring.Unreachable)
}
