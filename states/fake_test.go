package states

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// memory is the records of a holder, in memory.
type memory struct {
	keys       store.Keys
	checkpoint store.Checkpoint
	mirror     store.Mirror
	away       error // what the next delivery fails with
	loses      int   // so many deliveries, which succeed and store nothing
	full       error // what rehearsals fail with
	deliveries int
	delivering func() // before each of them
	saved      func() // after each write of the checkpoint
}

func (m *memory) Keys(context.Context) (store.Keys, error)             { return m.keys, nil }
func (m *memory) Outline(context.Context) (store.Keys, error)          { return m.keys, nil }
func (m *memory) Checkpoint(context.Context) (store.Checkpoint, error) { return m.checkpoint, nil }
func (m *memory) Epoch() int64                                         { return 1 }

func (m *memory) UpdateKeys(_ context.Context, change func(*store.Keys) error) error {
	return change(&m.keys)
}

func (m *memory) Rehearse(_ context.Context, change func(*store.Keys) error) error {
	rehearsed := m.keys
	return errors.Join(change(&rehearsed), m.full)
}

func (m *memory) Deliver(_ context.Context, change func(*store.Keys) error) error {
	m.deliveries++
	if m.delivering != nil {
		m.delivering()
	}
	if err := m.away; err != nil {
		m.away = nil // it is back at the next try
		return err
	}
	if m.deliveries <= m.loses {
		return nil
	}
	return change(&m.keys)
}

func (m *memory) UpdateCheckpoint(_ context.Context, change func(*store.Checkpoint) error) error {
	err := change(&m.checkpoint)
	if m.saved != nil {
		m.saved()
	}
	return err
}

func (m *memory) Show(_ context.Context, mirror store.Mirror) error {
	m.mirror = mirror
	return nil
}

// fakeReplica is an empty server that can be initialized, unsealed and joined. It panics at calls
// that it does not know.
type fakeReplica struct {
	cluster.Replica
	address  string
	code     int
	shares   []secret.Value // in force
	given    []secret.Value
	storage  string
	joined   []string
	refuses  error // what sys/init answers
	requests []vault.InitRequest
	endable  bool // whether sys/init could be cut off by the end of a context
}

func (r *fakeReplica) Address() string { return r.address }

func (r *fakeReplica) Health(context.Context) (vault.Health, error) {
	return vault.Health{Code: r.code, ClusterID: "c1"}, nil
}

func (r *fakeReplica) Leader(context.Context) (string, error) { return "https://leader:8200", nil }

func (r *fakeReplica) SealStatus(context.Context) (vault.SealStatus, error) {
	return vault.SealStatus{
		Type: "shamir", Initialized: r.code != http.StatusNotImplemented, Sealed: r.code == http.StatusServiceUnavailable,
		Threshold: 2, Shares: 3, Storage: r.storage, Progress: len(r.given),
	}, nil
}

// Initialize answers as Vault does: ciphertext, with the shares in hex.
func (r *fakeReplica) Initialize(ctx context.Context, request vault.InitRequest) (vault.InitAnswer, error) {
	r.requests, r.endable = append(r.requests, request), ctx.Done() != nil
	if r.refuses != nil {
		return vault.InitAnswer{}, r.refuses
	}
	var answer vault.InitAnswer
	var err error
	for i, key := range request.ShareKeys {
		raw := slices.Repeat([]byte{'s', byte(i + 1), byte(i + 1)}, 11)
		r.shares = append(r.shares, secret.New(base64.StdEncoding.EncodeToString(raw)))
		message, err := pgp.Encrypt(key, hex.EncodeToString(raw))
		if err != nil {
			return answer, err
		}
		answer.Shares = append(answer.Shares, message)
	}
	answer.Root, err = pgp.Encrypt(request.RootKey, "root")
	r.code = http.StatusServiceUnavailable
	return answer, err
}

func (r *fakeReplica) Unseal(_ context.Context, share secret.Value) (vault.SealStatus, error) {
	r.given = append(r.given, share)
	if len(r.given) < 2 {
		return vault.SealStatus{Sealed: true}, nil
	}
	given := r.given
	r.given = nil
	for _, share := range given {
		if !slices.ContainsFunc(r.shares, share.Equal) {
			return vault.SealStatus{}, answered(http.StatusBadRequest, "cipher: message authentication failed")
		}
	}
	r.code = http.StatusOK
	return vault.SealStatus{ClusterID: "c1"}, nil
}

func (r *fakeReplica) ResetUnseal(context.Context) (vault.SealStatus, error) {
	r.given = nil
	return vault.SealStatus{Sealed: true}, nil
}

func (r *fakeReplica) Join(_ context.Context, leader string) error {
	r.joined = append(r.joined, leader)
	return nil
}

// site is a Vault with records, and a Bootstrap of it.
type site struct {
	*Bootstrap
	replica *fakeReplica
	server  *vaulttest.Server // where tokens live
	store   *memory
	logged  *strings.Builder
	ticking sync.Mutex
	clock   time.Time
	dir     spool.Dir
}

// newSite returns an empty Vault of one replica, with the Lease held.
func newSite(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	s := &site{server: vaulttest.New(t), store: &memory{}, logged: &strings.Builder{}, clock: time.Unix(1e9, 0), dir: spool.Dir(t.TempDir())}
	s.replica = &fakeReplica{address: s.server.Address, code: http.StatusNotImplemented, storage: "raft"}
	setting := &Setting{
		Name: "vb", Holder: "me", Writes: 4, Reads: 8, Log: slog.New(slog.NewTextHandler(s.logged, nil)),
		Now: func() time.Time { // a look asks for the time from several goroutines
			s.ticking.Lock()
			defer s.ticking.Unlock()
			s.clock = s.clock.Add(time.Millisecond)
			return s.clock
		},
	}
	members := &cluster.Cluster{Replicas: []cluster.Replica{s.replica}, Expected: 1}
	methods := login.Chain{login.AppRole{Mount: "approle", RoleName: "vb"}}
	desired, err := NewDesired("vb", methods, Declaration{})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		Sources: Sources{
			Setting: setting, Cluster: members, Records: s.store, Desired: desired,
			Access: &login.Access{Dialer: s.server.Cluster, Methods: methods, Clock: members.Clock, Log: setting.Log, Now: setting.Now},
		},
		SpoolLocations: []spool.Location{s.dir}, Preflight: func(context.Context) error { return nil },
		Split: ceremony.KeySplit{Shares: 3, Threshold: 2}, Recovery: ceremony.KeySplit{Shares: 1, Threshold: 1},
	}
	for _, each := range change {
		each(&config)
	}
	s.Bootstrap = New(config)
	s.Hold(s.store)
	return s
}

// outside is a look that shows nothing of what is inside Vault.
func (s *site) outside(t *testing.T) *Look {
	t.Helper()
	look, err := s.LookOutside(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return look
}
