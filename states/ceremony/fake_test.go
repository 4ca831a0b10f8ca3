package ceremony

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// memory is a keys record and a checkpoint in memory.
type memory struct {
	keys       store.Keys
	checkpoint store.Checkpoint
	writes     int
	loses      bool // the new shares of a rotation
}

func (m *memory) Keys(context.Context) (store.Keys, error) {
	keys := m.keys
	if m.loses && keys.Rotation != nil {
		rotation := *keys.Rotation
		rotation.Set, keys.Rotation = nil, &rotation
	}
	return keys, nil
}

func (m *memory) UpdateKeys(_ context.Context, change func(*store.Keys) error) error {
	m.writes++
	return change(&m.keys)
}

func (m *memory) UpdateCheckpoint(_ context.Context, change func(*store.Checkpoint) error) error {
	return change(&m.checkpoint)
}

// fakeVault is a server with key shares. A call of any method that is not written here panics,
// since the interface is nil.
type fakeVault struct {
	cluster.Replica
	code      int // of sys/health
	recovery  bool
	shares    []secret.Value // in force
	threshold int
	progress  []secret.Value // given to unseal
	resets    int

	rekey     *fakeRekey // in progress
	noRekey   error      // what the endpoint answers
	unchecked bool       // rekeys are without verification
}

// fakeRekey is a rekey in progress.
type fakeRekey struct {
	request          vault.RekeyRequest
	nonce            string
	given, fresh, ok []secret.Value
	fingerprints     []string
}

// sharesOf makes shares that differ by seed.
func sharesOf(seed byte, count int) []secret.Value {
	shares := make([]secret.Value, count)
	for i := range shares {
		shares[i] = secret.New(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{seed, byte(i + 1), byte(i + 1)}, 11)))
	}
	return shares
}

// decode reads a public key as Vault does.
func decode(key string) (pgp.Public, error) {
	content, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return pgp.Public{}, err
	}
	return pgp.ReadPublic(content, time.Unix(1e9+1, 0))
}

func answer(status int, words string) error {
	return &vault.Answer{Method: "PUT", Path: "x", Status: status, Messages: []string{words}}
}

func (v *fakeVault) Address() string { return "https://vault-0:8200" }

func (v *fakeVault) Health(context.Context) (vault.Health, error) {
	return vault.Health{Code: v.code, ClusterID: "c1", ServerTime: time.Unix(1e9, 0)}, nil
}

func (v *fakeVault) SealStatus(context.Context) (vault.SealStatus, error) {
	return vault.SealStatus{Sealed: v.code == http.StatusServiceUnavailable, Threshold: v.threshold, Shares: len(v.shares), Progress: len(v.progress), Recovery: v.recovery, Type: "shamir"}, nil
}

func (v *fakeVault) inForce(share secret.Value) bool {
	return slices.ContainsFunc(v.shares, share.Equal)
}

func (v *fakeVault) Unseal(_ context.Context, share secret.Value) (vault.SealStatus, error) {
	v.progress = append(v.progress, share)
	if len(v.progress) < v.threshold {
		return vault.SealStatus{Sealed: true}, nil
	}
	given := v.progress
	v.progress = nil
	if !slices.ContainsFunc(given, func(share secret.Value) bool { return !v.inForce(share) }) {
		v.code = http.StatusOK
		return vault.SealStatus{ClusterID: "c1"}, nil
	}
	return vault.SealStatus{}, answer(http.StatusBadRequest, "cipher: message authentication failed")
}

func (v *fakeVault) ResetUnseal(context.Context) (vault.SealStatus, error) {
	v.resets++
	v.progress = nil
	return vault.SealStatus{Sealed: true}, nil
}

func (v *fakeVault) Rekey(context.Context, bool, vault.Endpoints) (vault.RekeyStatus, error) {
	if v.noRekey != nil || v.rekey == nil {
		return vault.RekeyStatus{Required: v.threshold}, v.noRekey
	}
	status := vault.RekeyStatus{Started: true, Nonce: v.rekey.nonce, Verification: !v.unchecked, Required: v.threshold, Fingerprints: v.rekey.fingerprints}
	if v.rekey.fresh != nil {
		status.VerificationNonce = "verify"
	}
	return status, nil
}

func (v *fakeVault) BeginRekey(ctx context.Context, recovery bool, via vault.Endpoints, request vault.RekeyRequest) (vault.RekeyStatus, error) {
	v.rekey = &fakeRekey{request: request, nonce: "nonce"}
	for _, key := range request.ShareKeys {
		public, err := decode(key)
		if err != nil {
			return vault.RekeyStatus{}, err
		}
		v.rekey.fingerprints = append(v.rekey.fingerprints, public.Fingerprint)
	}
	return v.Rekey(ctx, recovery, via)
}

func (v *fakeVault) GiveRekey(_ context.Context, _ bool, _ vault.Endpoints, nonce string, share secret.Value) (vault.RekeyStatus, error) {
	if v.rekey == nil || nonce != v.rekey.nonce {
		return vault.RekeyStatus{}, answer(http.StatusBadRequest, "no rekey in progress")
	}
	v.rekey.given = append(v.rekey.given, share)
	if len(v.rekey.given) < v.threshold {
		return vault.RekeyStatus{}, nil
	}
	if slices.ContainsFunc(v.rekey.given, func(share secret.Value) bool { return !v.inForce(share) }) {
		v.rekey.given = nil
		return vault.RekeyStatus{}, answer(http.StatusBadRequest, "cipher: message authentication failed")
	}
	v.rekey.fresh = sharesOf('n', len(v.rekey.request.ShareKeys))
	status := vault.RekeyStatus{Complete: true, VerificationNonce: "verify"}
	for i, key := range v.rekey.request.ShareKeys {
		raw, err := base64.StdEncoding.DecodeString(v.rekey.fresh[i].Reveal())
		if err != nil {
			return status, err
		}
		message, err := pgp.Encrypt(key, hex.EncodeToString(raw))
		if err != nil {
			return status, err
		}
		status.Shares = append(status.Shares, message)
	}
	return status, nil
}

func (v *fakeVault) CancelRekey(context.Context, bool, vault.Endpoints, string) error {
	v.rekey = nil
	return nil
}

func (v *fakeVault) VerifyRekey(_ context.Context, _ bool, _ vault.Endpoints, nonce string, share secret.Value) (vault.RekeyStatus, error) {
	if v.rekey == nil || nonce != "verify" || !slices.ContainsFunc(v.rekey.fresh, share.Equal) {
		return vault.RekeyStatus{}, answer(http.StatusBadRequest, "incorrect key shares")
	}
	v.rekey.ok = append(v.rekey.ok, share)
	if len(v.rekey.ok) < v.rekey.request.Threshold {
		return vault.RekeyStatus{}, nil
	}
	v.shares, v.threshold, v.rekey = v.rekey.fresh, v.rekey.request.Threshold, nil
	return vault.RekeyStatus{Complete: true}, nil
}

// bench is a Vault with records, and an Administrator of it.
type bench struct {
	vault   *fakeVault
	records *memory
	admin   *Administrator
	notes   []string
}

// newBench returns an active Vault whose five shares, of which three are needed, are stored.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{vault: &fakeVault{code: http.StatusOK, shares: sharesOf('a', 5), threshold: 3}, records: &memory{}}
	b.records.keys.Set = &store.KeySet{Kind: store.UnsealKeys, Shares: sharesOf('a', 5), Threshold: 3, ClusterID: "c1"}
	clock := time.Unix(1e9, 0)
	b.admin = &Administrator{
		Cluster: &cluster.Cluster{Replicas: []cluster.Replica{b.vault}}, Records: b.records, Holder: "me", Log: slog.New(slog.DiscardHandler),
		Now:    func() time.Time { clock = clock.Add(time.Millisecond); return clock },
		Notify: func(_ bool, reason, _ string) { b.notes = append(b.notes, reason+" "+strconv.Itoa(b.records.writes)) },
	}
	return b
}
