package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func ofRequests() map[product.Text]func(*speaker) string {
	return map[product.Text]func(*speaker) string{
		product.WantsTLS: func(s *speaker) string {
			tls := testbed.VaultFor(s.t, testbed.VaultOptions{TLS: true})
			response, err := http.Get("http://" + strings.TrimPrefix(tls.Nodes[0].Addr, "https://") + "/v1/sys/health")
			if err != nil {
				s.t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, _ := io.ReadAll(response.Body)
			return string(body)
		},
		product.UnsupportedPath:  func(s *speaker) string { return s.says(http.MethodGet, "sys/none", s.keys.RootToken, nil) },
		product.PermissionDenied: func(s *speaker) string { return s.says(http.MethodGet, "sys/mounts", "none", nil) },
		product.InvalidAccessor: func(s *speaker) string {
			return s.put("auth/token/lookup-accessor", fields{"accessor": "none"})
		},
		product.AlreadyInitialized: func(s *speaker) string {
			return s.says(http.MethodPut, "sys/init", "", fields{"secret_shares": 1, "secret_threshold": 1})
		},
		product.StorageHasState: func(s *speaker) string {
			raft := speakerOn(s.t, testbed.VaultOptions{Storage: "raft"})
			if err := raft.node.Stop(); err != nil {
				s.t.Fatal(err)
			}
			// As after a server that died in sys/init: raft has state, and the storage has no keys.
			if err := os.Remove(filepath.Join(raft.node.Dir, "data", "vault.db")); err != nil {
				s.t.Fatal(err)
			}
			if err := raft.node.Start(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			return raft.says(http.MethodPut, "sys/init", "", fields{"secret_shares": 1, "secret_threshold": 1})
		},
	}
}

// share returns a share of so many bytes that is nobody's.
func share(size int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, size)) }

func ofShares() map[product.Text]func(*speaker) string {
	unseal := func(shares ...string) func(*speaker) string {
		return func(s *speaker) string {
			sealed := speakerOn(s.t, testbed.VaultOptions{})
			if err := sealed.node.Restart(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			said := ""
			for _, each := range shares {
				said = sealed.says(http.MethodPut, "sys/unseal", "", fields{"key": each})
			}
			return said
		}
	}
	wrong := unseal(share(33), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 33)))
	return map[product.Text]func(*speaker) string{
		product.AuthenticationFailed: wrong, product.KeysNotDecrypted: wrong, product.InvalidKey: wrong,
		product.NotHexOrBase64: unseal("§"), product.KeyShort: unseal(share(2)), product.KeyLong: unseal(share(99)),
		product.AuditSetupFailed: func(s *speaker) string {
			audited := speakerOn(s.t, testbed.VaultOptions{})
			dir := filepath.Join(s.t.TempDir(), "logs")
			if err := os.Mkdir(dir, 0o700); err != nil {
				s.t.Fatal(err)
			}
			audited.must(http.MethodPut, "sys/audit/file", fields{"type": "file", "options": fields{"file_path": filepath.Join(dir, "log")}})
			if err := audited.node.Stop(); err != nil {
				s.t.Fatal(err)
			}
			// A file takes the directory's place.
			if err := os.Rename(dir, dir+".old"); err != nil {
				s.t.Fatal(err)
			}
			write(s.t, dir, "")
			if err := audited.node.Start(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			said := ""
			for _, each := range audited.keys.Shares {
				said = audited.says(http.MethodPut, "sys/unseal", "", fields{"key": each})
			}
			return said
		},
	}
}

func ofCeremonies() map[product.Text]func(*speaker) string {
	root := func(shares ...string) func(*speaker) string {
		return func(s *speaker) string {
			var begun struct{ Nonce string }
			if err := s.node.Call(s.t.Context(), http.MethodPut, "sys/generate-root/attempt", "", fields{}, &begun); err != nil {
				s.t.Fatal(err)
			}
			defer func() { _ = s.says(http.MethodDelete, "sys/generate-root/attempt", "", nil) }()
			said := ""
			for _, each := range shares {
				said = s.says(http.MethodPut, "sys/generate-root/update", "", fields{"nonce": begun.Nonce, "key": each})
			}
			return said
		}
	}
	newShares := func(s *speaker) string {
		one := speakerOn(s.t, testbed.VaultOptions{})
		var begun, done struct {
			Nonce             string
			VerificationNonce string `json:"verification_nonce"`
		}
		ctx := s.t.Context()
		err := one.node.Call(ctx, http.MethodPut, "sys/rekey/init", "", fields{"secret_shares": 2, "secret_threshold": 2, "require_verification": true}, &begun)
		for _, each := range one.keys.Shares {
			if err == nil {
				err = one.node.Call(ctx, http.MethodPut, "sys/rekey/update", "", fields{"nonce": begun.Nonce, "key": each}, &done)
			}
		}
		if err != nil {
			s.t.Fatal(err)
		}
		said := ""
		for _, each := range one.keys.Shares { // the old ones
			said = one.says(http.MethodPut, "sys/rekey/verify", "", fields{"nonce": done.VerificationNonce, "key": each})
		}
		return said
	}
	return map[product.Text]func(*speaker) string{
		product.RootAborted:        root(share(33), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 33))),
		product.KeyNotComputed:     root(share(33), share(32)),
		product.VerificationFailed: newShares, product.IncorrectNewShares: newShares,
		product.RootInProgress: func(s *speaker) string {
			s.must(http.MethodPut, "sys/generate-root/attempt", fields{})
			defer s.must(http.MethodDelete, "sys/generate-root/attempt", nil)
			return s.put("sys/generate-root/attempt", fields{})
		},
		product.RekeyInProgress: func(s *speaker) string {
			path := "sys/rekey/init"
			if s.onOpenBao() {
				path = "sys/rotate/root/init"
			}
			in := fields{"secret_shares": 2, "secret_threshold": 2}
			var begun struct{ Nonce string }
			if err := s.node.Call(s.t.Context(), http.MethodPut, path, s.keys.RootToken, in, &begun); err != nil {
				s.t.Fatal(err)
			}
			defer s.must(http.MethodDelete, path, fields{"nonce": begun.Nonce})
			return s.put(path, in)
		},
	}
}

func ofObjects() map[product.Text]func(*speaker) string {
	return map[product.Text]func(*speaker) string{
		product.EnterpriseOnly:       func(s *speaker) string { return s.put("sys/replication/dr/primary/enable", fields{}) },
		product.UnsupportedOperation: func(s *speaker) string { return s.says(http.MethodDelete, "sys/key-status", s.keys.RootToken, nil) },
		product.UpgradingKV: func(s *speaker) string {
			s.must(http.MethodPut, "sys/mounts/kv", fields{"type": "kv", "options": fields{"version": "1"}})
			for i := range 500 { // so that the upgrade takes a while
				s.must(http.MethodPut, fmt.Sprintf("kv/%d", i), fields{"a": "b"})
			}
			s.must(http.MethodPut, "sys/mounts/kv/tune", fields{"options": fields{"version": "2"}})
			return s.put("kv/data/a", fields{"data": fields{"a": "b"}})
		},
		product.IgnoredParameters: func(s *speaker) string {
			var answer json.RawMessage
			if err := s.node.Call(s.t.Context(), http.MethodPost, "auth/token/create", s.keys.RootToken, fields{"nonsense": 1, "ttl": "1m"}, &answer); err != nil {
				s.t.Fatal(err)
			}
			return string(answer)
		},
		product.CASRequired: func(s *speaker) string {
			s.must(http.MethodPut, "sys/mounts/cas", fields{"type": "kv", "options": fields{"version": "2"}})
			for s.put("cas/config", fields{"cas_required": true}) != "" { // it takes a moment to upgrade
				if s.t.Context().Err() != nil {
					s.t.Fatal(s.t.Context().Err())
				}
			}
			return s.put("cas/data/a", fields{"data": fields{"a": "b"}})
		},
		product.NamespaceSealed: func(s *speaker) string {
			_ = s.put("sys/namespaces/shut", fields{"seal": `seal "shamir" { shares = 1 threshold = 1 }`})
			_ = s.put("sys/namespaces/shut/seal", fields{})
			return s.says(http.MethodGet, "shut/sys/mounts", s.keys.RootToken, nil)
		},
		product.RootNamespaceOnly: func(s *speaker) string {
			_ = s.put("sys/namespaces/inner", fields{})
			return s.put("inner/sys/config/cors", fields{"enabled": true, "allowed_origins": "https://a.example"})
		},
		product.AuditByAPIRefused: func(s *speaker) string {
			guarded := speakerOn(s.t, testbed.VaultOptions{Guarded: true})
			in := fields{"type": "file", "options": fields{"file_path": "/proc/self/none/log"}}
			return guarded.put("sys/audit/file", in)
		},
		// The table of audit devices cannot be written: a directory is in its place.
		product.AuditRegistered: func(s *speaker) string {
			halfway := speakerOn(s.t, testbed.VaultOptions{})
			table := filepath.Join(halfway.node.Dir, "data", "core", "_audit")
			if err := os.RemoveAll(table); err != nil {
				s.t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(table, "x"), 0o700); err != nil {
				s.t.Fatal(err)
			}
			in := fields{"type": "file", "options": fields{"file_path": filepath.Join(s.t.TempDir(), "log")}}
			if halfway.put("sys/audit/file", in) == "" {
				s.t.Fatal("the device was enabled")
			}
			if said := halfway.put("sys/audit/file", in); said != "" {
				return said
			}
			return "it was enabled"
		},
	}
}
