package agekey_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"filippo.io/age/tag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
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

// TestRecipients has native recipients of both kinds do what each must.
func TestRecipients(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	recipient, file := keys(t)
	keyringtest.Recipient(t, open(t, recipient, nil, file), 1)
	keyringtest.Recipient(t, open(t, hybrid.Recipient().String(), nil, file, write(t, hybrid.String(), 0o440)), 7)
}

// TestForm opens a wrap with age alone: the digest of the context, and then the key.
func TestForm(t *testing.T) {
	recipient, file := keys(t)
	wrapped, _ := keyringtest.Wrap(t, open(t, recipient, nil))
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
	bound, _ := keyring.Bind(keyringtest.Key, keyringtest.About)
	if err != nil || string(inside) != bound.Reveal() {
		t.Errorf("there are %d bytes inside: %v", len(inside), err)
	}
}

// TestEscrow has a recipient whose identity is not here wrap, and say why it does not unwrap.
func TestEscrow(t *testing.T) {
	recipient, _ := keys(t)
	_, another := keys(t)
	for name, escrow := range map[string]*agekey.Recipient{"no identity": open(t, recipient, nil), "another one": open(t, recipient, nil, another)} {
		wrapped, _ := keyringtest.Wrap(t, escrow)
		keyringtest.UnwrapFails(t, escrow, name, wrapped, keyring.NoIdentity)
	}
	form, _ := keyring.Parse("age:" + recipient)
	without, err := agekey.New(form, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, _ := keyringtest.Wrap(t, without)
	keyringtest.UnwrapFails(t, without, "nil", wrapped, keyring.NoIdentity)
}

// TestTagged wraps for a key of hardware without its plugin, as for an escrow.
func TestTagged(t *testing.T) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uncompressed := key.PublicKey().Bytes()
	x, y := new(big.Int).SetBytes(uncompressed[1:33]), new(big.Int).SetBytes(uncompressed[33:])
	recipient, err := tag.NewClassicRecipient(elliptic.MarshalCompressed(elliptic.P256(), x, y))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	escrow := open(t, recipient.String(), nil)
	wrapped, _ := keyringtest.Wrap(t, escrow)
	if !bytes.Contains(wrapped, []byte("\n-> p256tag ")) {
		t.Errorf("it begins %.60q", wrapped)
	}
	keyringtest.UnwrapFails(t, escrow, "an escrow", wrapped, keyring.NoIdentity)
	device := write(t, plugin.EncodeIdentity("test", []byte("x")), 0o600)
	keyringtest.UnwrapFails(t, open(t, recipient.String(), nil, device), "the plugin is not here", wrapped, keyring.NoIdentity)
}

// TestAnother does not open the wrap of another recipient.
func TestAnother(t *testing.T) {
	recipient, file := keys(t)
	other, _ := keys(t)
	wrapped, _ := keyringtest.Wrap(t, open(t, other, nil))
	keyringtest.UnwrapFails(t, open(t, recipient, nil, file), "of another recipient", wrapped, keyring.CannotDecrypt)
}

// TestBadRecipients refuses a recipient that was not copied whole.
func TestBadRecipients(t *testing.T) {
	recipient, _ := keys(t)
	flipped := []byte(recipient)
	if flipped[10] == 'q' {
		flipped[10] = 'p'
	} else {
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

func (p *patient) Show(_, message string) { p.met = append(p.met, message) }
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
	keyringtest.WrapFails(t, open(t, recipient, nil), "no plugin", keyring.NoIdentity)

	ourselves, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(ourselves, filepath.Join(os.Getenv("PATH"), "age-plugin-test")); err != nil {
		t.Fatal(err)
	}
	wrapped, _ := keyringtest.Wrap(t, open(t, recipient, nil))
	person := &patient{pin: "1234"}
	keyringtest.Opens(t, open(t, recipient, person, file), wrapped)
	if fmt.Sprint(person.met) != "[touch it PIN true]" {
		t.Errorf("the person met %q", person.met)
	}
	keyringtest.UnwrapFails(t, open(t, recipient, &patient{pin: "0000"}, file), "wrong PIN", wrapped, keyring.NoIdentity, "0000")
	keyringtest.UnwrapFails(t, open(t, recipient, nil, file), "nobody", wrapped, keyring.NoIdentity)
	keyringtest.UnwrapFails(t, open(t, recipient, person), "an escrow", wrapped, keyring.NoIdentity)
}
