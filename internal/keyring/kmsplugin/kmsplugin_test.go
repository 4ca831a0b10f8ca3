package kmsplugin

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// serve has a handler answer over HTTP/2 at a socket. A real server of gRPC, which does not break
// the protocol on command, is in test/keyring.
func serve(t *testing.T, handler http.HandlerFunc) *Recipient {
	t.Helper()
	dir, err := os.MkdirTemp("", "kms") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &protocols, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	form, err := keyring.Parse("kms-plugin:unix:" + socket)
	if err != nil {
		t.Fatal(err)
	}
	return New(form)
}

// frame puts a message as gRPC does.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// answers writes a header, a body and a status.
func answers(status int, kind string, body []byte, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write(body)
		if code != "" {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", code)
		}
	}
}

// TestBrokenProtocol has a server that does not keep to the protocol.
func TestBrokenProtocol(t *testing.T) {
	const grpc = "application/grpc"
	good := frame(write(field{encryptedCiphertext, []byte("c")}, field{encryptedKeyID, []byte("k")}))
	compressed := bytes.Clone(good)
	compressed[0] = 1
	for what, test := range map[string]struct {
		handler http.HandlerFunc
		want    keyring.Reason
	}{
		"a page":                {answers(200, "text/html", []byte("<html>"), "0"), keyring.Unreachable},
		"an error of HTTP":      {answers(503, grpc, nil, ""), keyring.Unreachable},
		"a redirect":            {answers(307, grpc, nil, ""), keyring.Unreachable},
		"no status":             {answers(200, grpc, good, ""), keyring.Unreachable},
		"a strange status":      {answers(200, grpc, good, "fine"), keyring.Unreachable},
		"no message":            {answers(200, grpc, nil, "0"), keyring.Unreachable},
		"half a prefix":         {answers(200, grpc, good[:3], "0"), keyring.Unreachable},
		"half a message":        {answers(200, grpc, good[:len(good)-1], "0"), keyring.Unreachable},
		"two messages":          {answers(200, grpc, append(bytes.Clone(good), good...), "0"), keyring.Unreachable},
		"a compressed message":  {answers(200, grpc, compressed, "0"), keyring.Unreachable},
		"no message of KMS":     {answers(200, grpc, frame([]byte{0x0a, 0x7f, 0}), "0"), keyring.Corrupted},
		"an empty message":      {answers(200, grpc, frame(nil), "0"), keyring.Corrupted},
		"a cut connection":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, keyring.Unreachable},
		"an endless message":    {answers(200, grpc, append(frame(make([]byte, 1<<17))[:5], make([]byte, 1<<17)...), "0"), keyring.Unreachable},
		"it does not know this": {answers(200, grpc, nil, "12"), keyring.KeyUnsuitable},
		"its status fails, too": {answers(200, grpc, nil, "13"), keyring.Unreachable},
		"an older protocol":     {statusOf("v1", "ok"), keyring.Unreachable},
		"healthy":               {statusOf("v2beta1", "ok"), keyring.KeyUnsuitable},
	} {
		keyringtest.WrapFails(t, serve(t, test.handler), what, test.want)
	}
}

// statusOf says how the plugin is, and fails at everything else.
func statusOf(version, health string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2.KeyManagementService/Status" {
			answers(200, "application/grpc", frame(write(field{statusVersion, []byte(version)}, field{statusHealthz, []byte(health)})), "0")(w, r)
			return
		}
		answers(200, "application/grpc", nil, "2")(w, r)
	}
}

// TestEnds ends with the context, also while the answer is on its way.
func TestEnds(t *testing.T) {
	for what, handler := range map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"halfway": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			_, _ = w.Write([]byte{0, 0})
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		wrapped, _, err := serve(t, handler).Wrap(ctx, keyringtest.Key, keyringtest.About)
		cancel()
		if wrapped != nil {
			t.Errorf("%s: there is a wrap", what)
		}
		keyringtest.Fails(t, what, secret.Value{}, err, keyring.Unreachable)
	}
}

// FuzzRead reads made-up messages, and those that are written come back.
func FuzzRead(f *testing.F) {
	f.Add(write(field{1, []byte("ciphertext")}, field{2, []byte("key")}, field{3, write(field{1, []byte("name")}, field{2, []byte("value")})}))
	f.Add([]byte{0x08, 0x96, 0x01})
	f.Fuzz(func(t *testing.T, message []byte) {
		fields, err := read(message)
		if err != nil {
			return
		}
		again, err := read(write(fields...))
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		for _, f := range fields {
			if want := last(fields, f.number); len(want) > 0 && !bytes.Equal(last(again, f.number), want) {
				t.Errorf("field %d has changed", f.number)
			}
		}
	})
}
