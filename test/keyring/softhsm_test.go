//go:build cgo

package keyring_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"
	"k8s.io/kms/pkg/service"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
)

// softHSM is where Debian's package has the library, which is an HSM in software.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// hsm is a plugin whose key is in an HSM, by PKCS#11, and never leaves it.
type hsm struct {
	mu       sync.Mutex // PKCS#11 does one thing at a time in a session
	library  *pkcs11.Ctx
	session  pkcs11.SessionHandle
	key      pkcs11.ObjectHandle
	loggedIn bool
}

const nonceSize = 12

// newHSM makes a token with a key in it.
func newHSM(t *testing.T) *hsm {
	t.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		t.Skipf("SoftHSM is not installed (Debian's package softhsm2): %v", err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", dir), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", config)
	h := &hsm{library: pkcs11.New(softHSM)}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(h.library.Initialize())
	t.Cleanup(func() { _ = h.library.Finalize(); h.library.Destroy() })
	slots, err := h.library.GetSlotList(false)
	check(err)
	check(h.library.InitToken(slots[0], "so-pin", "vault-bootstrap"))
	slots, err = h.library.GetSlotList(true) // the token is in another slot now
	check(err)
	h.session, err = h.library.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	check(err)
	check(h.library.Login(h.session, pkcs11.CKU_SO, "so-pin"))
	check(h.library.InitPIN(h.session, "1234"))
	check(h.library.Logout(h.session))
	check(h.login())
	_, err = h.library.GenerateKey(h.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, "kek"), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
	})
	check(err)
	check(h.find())
	return h
}

func (h *hsm) login() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.library.Login(h.session, pkcs11.CKU_USER, "1234"); err != nil {
		return err
	}
	h.loggedIn = true
	return nil
}

// find finds the key, whose handle is for one login.
func (h *hsm) find() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.library.FindObjectsInit(h.session, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, "kek")}); err != nil {
		return err
	}
	found, _, err := h.library.FindObjects(h.session, 1)
	if err == nil && len(found) != 1 {
		err = errors.New("the token has no key")
	}
	if err == nil {
		h.key = found[0]
	}
	return errors.Join(err, h.library.FindObjectsFinal(h.session))
}

// logout is what happens when an HSM restarts: it does nothing until somebody logs in again.
func (h *hsm) logout() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loggedIn = false
	return h.library.Logout(h.session)
}

func (h *hsm) Status(context.Context) (*service.StatusResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	health := "ok"
	if !h.loggedIn {
		health = "not logged in to the token"
	}
	return &service.StatusResponse{Version: "v2", Healthz: health, KeyID: "kek"}, nil
}

func (h *hsm) mechanism(nonce []byte) ([]*pkcs11.Mechanism, *pkcs11.GCMParams) {
	params := pkcs11.NewGCMParams(nonce, []byte("kek"), 128)
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, params
}

func (h *hsm) Encrypt(_ context.Context, _ string, data []byte) (*service.EncryptResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce)
	mechanism, params := h.mechanism(nonce)
	defer params.Free()
	if err := h.library.EncryptInit(h.session, mechanism, h.key); err != nil {
		return nil, err
	}
	sealed, err := h.library.Encrypt(h.session, data)
	return &service.EncryptResponse{Ciphertext: append(nonce, sealed...), KeyID: "kek"}, err
}

func (h *hsm) Decrypt(_ context.Context, _ string, ask *service.DecryptRequest) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ask.KeyID != "kek" || len(ask.Ciphertext) <= nonceSize {
		return nil, errors.New("not of this HSM")
	}
	mechanism, params := h.mechanism(ask.Ciphertext[:nonceSize])
	defer params.Free()
	if err := h.library.DecryptInit(h.session, mechanism, h.key); err != nil {
		return nil, err
	}
	return h.library.Decrypt(h.session, ask.Ciphertext[nonceSize:])
}

// TestHSM keeps the key in an HSM, by PKCS#11, behind a plugin.
func TestHSM(t *testing.T) {
	h, socket := newHSM(t), socketFor(t)
	servePlugin(t, socket, h)
	recipient := openPlugin(t, socket)
	keyringtest.Recipient(t, recipient, 1)
	wrapped, version := keyringtest.Wrap(t, recipient)
	if version != "kek" {
		t.Errorf("the version is %q", version)
	}
	if err := h.logout(); err != nil {
		t.Fatal(err)
	}
	keyringtest.WrapFails(t, recipient, "the HSM has restarted", keyring.Unreachable)
	keyringtest.UnwrapFails(t, recipient, "the HSM has restarted", wrapped, keyring.Unreachable)
	if err := errors.Join(h.login(), h.find()); err != nil {
		t.Fatal(err)
	}
	keyringtest.Opens(t, recipient, wrapped)
	ofAnother := socketFor(t)
	servePlugin(t, ofAnother, newLocal(t))
	elsewhere, _ := keyringtest.Wrap(t, openPlugin(t, ofAnother))
	keyringtest.UnwrapFails(t, recipient, "the wrap of another plugin", elsewhere, keyring.CannotDecrypt)
}
