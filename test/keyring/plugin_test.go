package keyring_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/kms/pkg/service"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/kmsplugin"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// servePlugin serves a plugin with Kubernetes' own code and the real gRPC until stop is called or
// the test ends.
func servePlugin(t *testing.T, socket string, plugin service.Service) (stop func()) {
	t.Helper()
	server := service.NewGRPCService(socket, time.Second, plugin)
	done := make(chan error, 1)
	go func() { done <- server.ListenAndServe() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := testbed.Poll(ctx, 5*time.Millisecond, "the plugin", func(ctx context.Context) error {
		connection, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			_ = connection.Close()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		server.Close()
		if err := <-done; err != nil {
			t.Errorf("serving the plugin: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func openPlugin(t *testing.T, socket string) *kmsplugin.Recipient {
	t.Helper()
	form, err := keyring.Parse("kms-plugin:unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	return kmsplugin.New(form)
}

// socketFor returns a path that is short enough for a socket.
func socketFor(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "kms.sock")
}

// local is a plugin with a key in memory, whose answers can be had wrong.
type local struct {
	aead   cipher.AEAD
	keyID  string
	health string
	fails  error
	// spoil, if not nil, changes an answer.
	spoil func(*service.EncryptResponse)
}

func newLocal(t *testing.T) *local {
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
	return &local{aead: aead, keyID: "key/1", health: "ok"}
}

func (l *local) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: l.health, KeyID: l.keyID}, nil
}

func (l *local) Encrypt(_ context.Context, uid string, data []byte) (*service.EncryptResponse, error) {
	if l.fails != nil {
		return nil, l.fails
	}
	if len(uid) < 16 {
		return nil, errors.New("a call has no ID")
	}
	nonce := make([]byte, l.aead.NonceSize())
	_, _ = rand.Read(nonce)
	answer := &service.EncryptResponse{
		Ciphertext: l.aead.Seal(nil, nonce, data, []byte(l.keyID)), KeyID: l.keyID,
		Annotations: map[string][]byte{"nonce.example.org": nonce, "zeros.example.org": make([]byte, 3)},
	}
	if l.spoil != nil {
		l.spoil(answer)
	}
	return answer, nil
}

func (l *local) Decrypt(_ context.Context, uid string, ask *service.DecryptRequest) ([]byte, error) {
	nonce := ask.Annotations["nonce.example.org"]
	switch {
	case l.fails != nil:
		return nil, l.fails
	case len(uid) < 16 || len(ask.Annotations) != 2 || string(ask.Annotations["zeros.example.org"]) != "\x00\x00\x00" || len(nonce) != l.aead.NonceSize():
		return nil, errors.New("a call has no ID, or not its annotations")
	}
	return l.aead.Open(nil, nonce, ask.Ciphertext, []byte(ask.KeyID))
}

// TestPlugin speaks with the code of Kubernetes' own plugins, also after a restart and with
// another key.
func TestPlugin(t *testing.T) {
	t.Parallel()
	socket, plugin := socketFor(t), newLocal(t)
	stop := servePlugin(t, socket, plugin)
	recipient := openPlugin(t, socket)
	keyringtest.Recipient(t, recipient, 1)
	wrapped, version := keyringtest.Wrap(t, recipient)
	if version != "key/1" {
		t.Errorf("the version is %q", version)
	}
	stop()
	keyringtest.UnwrapFails(t, recipient, "a plugin that is gone", wrapped, keyring.Unreachable)
	plugin.keyID = "key/2"
	servePlugin(t, socket, plugin)
	keyringtest.Opens(t, recipient, wrapped)
	if _, version := keyringtest.Wrap(t, recipient); version != "key/2" {
		t.Errorf("with another key the version is %q", version)
	}
	other := socketFor(t)
	servePlugin(t, other, newLocal(t))
	keyringtest.UnwrapFails(t, openPlugin(t, other), "the wrap of another plugin", wrapped, keyring.CannotDecrypt)
}

// TestPluginRefusals has every code of gRPC that a plugin may answer with.
func TestPluginRefusals(t *testing.T) {
	t.Parallel()
	socket, plugin := socketFor(t), newLocal(t)
	servePlugin(t, socket, plugin)
	recipient := openPlugin(t, socket)
	wrapped, _ := keyringtest.Wrap(t, recipient)
	for _, test := range []struct {
		fails        error
		health       string
		wrap, unwrap keyring.Reason
	}{
		{errors.New("anything"), "ok", keyring.KeyUnsuitable, keyring.CannotDecrypt},
		{errors.New("anything"), "the KMS is away", keyring.Unreachable, keyring.Unreachable},
		{status.Error(codes.Internal, "é %"), "ok", keyring.KeyUnsuitable, keyring.CannotDecrypt},
		{status.Error(codes.Internal, ""), "", keyring.Unreachable, keyring.Unreachable},
		{status.Error(codes.Unavailable, "no"), "ok", keyring.Unreachable, keyring.Unreachable},
		{status.Error(codes.ResourceExhausted, "no"), "ok", keyring.Unreachable, keyring.Unreachable},
		{status.Error(codes.DeadlineExceeded, "no"), "ok", keyring.Unreachable, keyring.Unreachable},
		{status.Error(codes.PermissionDenied, "no"), "ok", keyring.Refused, keyring.Refused},
		{status.Error(codes.Unauthenticated, "no"), "ok", keyring.Expired, keyring.Expired},
		{status.Error(codes.NotFound, "no"), "ok", keyring.KeyUnknown, keyring.KeyUnknown},
		{status.Error(codes.FailedPrecondition, "no"), "ok", keyring.KeyDisabled, keyring.KeyDisabled},
		{status.Error(codes.Unimplemented, "no"), "ok", keyring.KeyUnsuitable, keyring.KeyUnsuitable},
		{status.Error(codes.Code(99), "no"), "ok", keyring.Unreachable, keyring.Unreachable},
	} {
		plugin.fails, plugin.health = test.fails, test.health
		keyringtest.WrapFails(t, recipient, test.fails.Error(), test.wrap)
		keyringtest.UnwrapFails(t, recipient, test.fails.Error(), wrapped, test.unwrap)
	}
	plugin.fails = status.Error(codes.Internal, "é % of a text")
	_, err := recipient.Unwrap(t.Context(), wrapped, keyringtest.About)
	if !strings.Contains(err.Error(), "INTERNAL: é % of a text") {
		t.Errorf("what the plugin says is shown as %v", err)
	}
	plugin.fails, plugin.health = status.Error(codes.Internal, "I got "+base64.StdEncoding.EncodeToString([]byte(keyringtest.Key.Reveal()))), "ok"
	keyringtest.WrapFails(t, recipient, "a message that quotes the key", keyring.KeyUnsuitable)
}

// TestPluginAnswers refuses what does not open again, or is more than we store.
func TestPluginAnswers(t *testing.T) {
	t.Parallel()
	socket, plugin := socketFor(t), newLocal(t)
	servePlugin(t, socket, plugin)
	for what, test := range map[string]struct {
		spoil func(*service.EncryptResponse)
		want  keyring.Reason
	}{
		"no ciphertext": {func(r *service.EncryptResponse) { r.Ciphertext = nil }, keyring.Corrupted},
		"no key ID":     {func(r *service.EncryptResponse) { r.KeyID = "" }, keyring.Corrupted},
		"too much":      {func(r *service.EncryptResponse) { r.Annotations["x.example.org"] = make([]byte, 9000) }, keyring.KeyUnsuitable},
		"far too much":  {func(r *service.EncryptResponse) { r.Annotations["x.example.org"] = make([]byte, 1<<20) }, keyring.Unreachable},
	} {
		plugin.spoil = test.spoil
		keyringtest.WrapFails(t, openPlugin(t, socket), what, test.want)
	}
}

// TestNoPlugin has no socket, a file in its place, a socket that says nothing, and one where
// something else listens.
func TestNoPlugin(t *testing.T) {
	t.Parallel()
	wrapped, _ := keyringtest.Wrap(t, func() keyring.Recipient {
		socket := socketFor(t)
		servePlugin(t, socket, newLocal(t))
		return openPlugin(t, socket)
	}())
	none, file := socketFor(t), socketFor(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := socketFor(t)
	listener, err := net.Listen("unix", other)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			_ = connection.Close()
		}
	}()
	for what, socket := range map[string]string{"no socket": none, "a file": file, "something else": other} {
		keyringtest.WrapFails(t, openPlugin(t, socket), what, keyring.Unreachable)
		keyringtest.UnwrapFails(t, openPlugin(t, socket), what, wrapped, keyring.Unreachable)
	}
	silent := socketFor(t)
	held, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	got, err := openPlugin(t, silent).Unwrap(ctx, wrapped, keyringtest.About)
	keyringtest.Fails(t, "a silent socket", got, err, keyring.Unreachable)
}
