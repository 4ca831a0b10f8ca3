package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Replica is one Vault server. What it is asked is not in any namespace.
type Replica struct {
	address   string
	client    *api.Client
	transport *renewable // nil for a socket
	guard     *guard
	trust     trust
}

// Address returns the server's URL.
func (r *Replica) Address() string { return r.address }

// Health is what a server reports on sys/health.
type Health struct {
	// Code is the HTTP status code, which carries the meaning: 200 active, 429
	// standby, 472 DR secondary, 473 performance standby, 474 standby that cannot
	// reach its active node, 501 uninitialized, 503 sealed, 530 removed from raft.
	Code int
	// ClusterID and ClusterName are empty while the server is sealed.
	ClusterID   string
	ClusterName string
	// Product is what the server runs, and its version.
	Product product.Product
	// ServerTime is the server's clock.
	ServerTime time.Time
	// From is the address that the answer came from; invalid if that is not an IP address.
	From netip.Addr
}

// maxBody limits how much of an answer is read: sys/health and sys/init are small.
const maxBody = 1 << 20

// Health asks the server for its health. It fails if there is no answer, or one that is not
// Vault's: a load balancer's 503 must not pass for a sealed Vault.
func (r *Replica) Health(ctx context.Context) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var from netip.Addr
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if remote, err := netip.ParseAddrPort(got.Conn.RemoteAddr().String()); err == nil {
			from = remote.Addr()
		}
	}})
	code, body, err := r.raw(ctx, http.MethodGet, "sys/health", nil)
	if err != nil {
		return Health{}, err
	}
	var said struct {
		Initialized *bool  `json:"initialized"`
		Sealed      *bool  `json:"sealed"`
		ClusterID   string `json:"cluster_id"`
		ClusterName string `json:"cluster_name"`
		ServerTime  int64  `json:"server_time_utc"`
	}
	if code == http.StatusBadRequest && product.WantsTLS.In(string(body)) {
		return Health{}, errWantsTLS
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Initialized == nil || said.Sealed == nil {
		return Health{}, fmt.Errorf("the answer (%d) to sys/health is not Vault's: %q", code, oneLine(string(body)))
	}
	return Health{Code: code, ClusterID: said.ClusterID, ClusterName: said.ClusterName,
		Product: r.product(ctx, body), ServerTime: time.Unix(said.ServerTime, 0).UTC(), From: from}, nil
}

// product recognizes what the server runs by its answer to sys/health and, if that leaves it open,
// by the one to sys/seal-status.
func (r *Replica) product(ctx context.Context, health []byte) product.Product {
	found := product.Recognize(health, nil)
	if found.Kind != product.Unknown || found == (product.Product{}) {
		return found
	}
	code, seal, err := r.raw(ctx, http.MethodGet, "sys/seal-status", nil)
	if err != nil || code != http.StatusOK {
		return found
	}
	return product.Recognize(health, seal)
}

// SealStatus is the status of a server's seal.
type SealStatus struct {
	Type        string `json:"type"`
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Threshold   int    `json:"t"`
	Shares      int    `json:"n"`
	// Progress is how many shares were submitted since the last reset.
	Progress int    `json:"progress"`
	Storage  string `json:"storage_type"`
	// Recovery is whether a KMS or another Vault unseals it, so that sys/init returns recovery keys
	// instead of unseal keys.
	Recovery bool `json:"recovery_seal"`
	// ClusterID is empty while the server is sealed.
	ClusterID string `json:"cluster_id"`
	// Product is what the server runs, as far as this answer shows it: often the version alone.
	// Health knows more.
	Product product.Product `json:"-"`
}

// UnmarshalJSON reads the server's answer.
func (s *SealStatus) UnmarshalJSON(answer []byte) error {
	type plain SealStatus
	if err := json.Unmarshal(answer, (*plain)(s)); err != nil {
		return err
	}
	s.Product = product.Recognize(nil, answer)
	return nil
}

// Shareless reports whether the server can be initialized without recovery keys: OpenBao can since
// 2.6.0, if a KMS unseals it.
func (s SealStatus) Shareless() bool { return s.Recovery && s.Product.TakesNoRecoveryShares() }

// SealStatus asks the server for the status of its seal.
func (r *Replica) SealStatus(ctx context.Context) (SealStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var status SealStatus
	err := r.call(ctx, http.MethodGet, "sys/seal-status", nil, &status)
	return status, err
}

// Unseal submits one key share.
func (r *Replica) Unseal(ctx context.Context, share secret.Value) (SealStatus, error) {
	return r.unseal(ctx, map[string]any{"key": share.Reveal()})
}

// ResetUnseal makes the server forget shares from a caller that did not finish.
func (r *Replica) ResetUnseal(ctx context.Context) (SealStatus, error) {
	return r.unseal(ctx, map[string]any{"reset": true})
}

func (r *Replica) unseal(ctx context.Context, body map[string]any) (SealStatus, error) {
	// A raft member replays its log before it answers.
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	var status SealStatus
	err := r.call(ctx, http.MethodPut, "sys/unseal", body, &status)
	return status, err
}

// InitRequest says how to split the key of a new Vault.
type InitRequest struct {
	// Shares and Threshold are those of the unseal keys, or of the recovery keys if Recovery is
	// set.
	Shares, Threshold int
	Recovery          bool
	// ShareKeys are PGP public keys in base64, one for each share; RootKey is the one for the root
	// token. Vault's answer is ciphertext from the start.
	ShareKeys []string
	RootKey   string
}

// InitAnswer is the init response, which Vault returns once and never again.
type InitAnswer struct {
	// Shares and Root are base64 PGP messages. A share is inside in hex.
	Shares []string
	Root   string
}

// Initialize sends sys/init once, without any retry: after an error the client cannot know whether
// Vault was initialized.
func (r *Replica) Initialize(ctx context.Context, request InitRequest) (InitAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, InitTimeout)
	defer cancel()
	body := map[string]any{
		"secret_shares": request.Shares, "secret_threshold": request.Threshold,
		"pgp_keys": request.ShareKeys, "root_token_pgp_key": request.RootKey,
	}
	if request.Recovery {
		body = map[string]any{
			"recovery_shares": request.Shares, "recovery_threshold": request.Threshold,
			"recovery_pgp_keys": request.ShareKeys, "root_token_pgp_key": request.RootKey,
		}
	}
	var answer struct {
		Keys     []string `json:"keys_base64"`
		Recovery []string `json:"recovery_keys_base64"`
		Root     string   `json:"root_token"`
	}
	if err := r.call(ctx, http.MethodPut, "sys/init", body, &answer); err != nil {
		return InitAnswer{}, err
	}
	shares := answer.Keys
	if request.Recovery {
		shares = answer.Recovery
	}
	if len(shares) != request.Shares || answer.Root == "" {
		return InitAnswer{}, fmt.Errorf("the answer to sys/init holds %d shares instead of %d, or no root token", len(shares), request.Shares)
	}
	return InitAnswer{Shares: shares, Root: answer.Root}, nil
}

// call sends one request without a token and decodes the answer into out.
func (r *Replica) call(ctx context.Context, method, path string, in, out any) error {
	code, body, err := r.raw(ctx, method, path, in)
	if err != nil {
		return err
	}
	if code >= http.StatusMultipleChoices {
		return refusal(method, path, code, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s %s: decoding the answer (%d, %d bytes): %w", method, path, code, len(body), err)
	}
	return nil
}

// refusal reads Vault's error body, which has the form {"errors": […]}.
func refusal(method, path string, code int, body []byte) error {
	var said struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		said.Errors = []string{string(body)}
	}
	for i, message := range said.Errors {
		said.Errors[i] = oneLine(message)
	}
	return &Answer{Method: method, Path: path, Status: code, Messages: said.Errors}
}

// raw sends one request and returns the answer whatever its status.
func (r *Replica) raw(ctx context.Context, method, path string, in any) (int, []byte, error) {
	return r.rawAs(ctx, secret.Value{}, method, path, in)
}

// rawAs is raw with a token, unless it is empty.
func (r *Replica) rawAs(ctx context.Context, token secret.Value, method, path string, in any) (int, []byte, error) {
	if err := r.guard.check(); err != nil {
		return 0, nil, err
	}
	request := r.client.NewRequest(method, "/v1/"+path)
	request.ClientToken = token.Reveal()
	if in != nil {
		if err := request.SetJSONBody(in); err != nil {
			return 0, nil, fmt.Errorf("%s %s: encoding the request: %w", method, path, err)
		}
	}
	//nolint:staticcheck // deprecated in favour of calls that hide the status code, which is what matters here
	response, err := r.client.RawRequestWithContext(ctx, request)
	if response == nil {
		if err == nil {
			err = errors.New("no answer")
		}
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return response.StatusCode, body, nil
}
