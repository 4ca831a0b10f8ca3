package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// ErrNoLeader means that a server does not know an active node.
var ErrNoLeader = errors.New("it does not know an active node")

// Leader returns the address that the active node gives to its peers, or ErrNoLeader.
func (r *Replica) Leader(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var said struct {
		Address string `json:"leader_address"`
	}
	if err := r.call(ctx, http.MethodGet, "sys/leader", nil, &said); err != nil {
		return "", err
	}
	if said.Address == "" {
		return "", ErrNoLeader
	}
	return said.Address, nil
}

// Join makes a server join the raft cluster whose active node is at leader. The request includes
// the CA that we trust, since the server may not know it. An empty server with raft storage joins
// while it is sealed; Vault refuses if the server has data. A server that uses raft for ha_storage
// only joins once it is unsealed: leader is empty then, since it finds the active node in the
// shared storage.
func (r *Replica) Join(ctx context.Context, leader string) error {
	ca, err := r.trust.authority()
	if err != nil {
		return err
	}
	body := map[string]any{}
	if leader != "" {
		body["leader_api_addr"] = leader
	}
	if ca != "" {
		body["leader_ca_cert"] = ca
		body["leader_tls_servername"] = r.trust.name
	}
	// The server answers when the leader has accepted or refused it.
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	var said struct {
		Joined bool `json:"joined"`
	}
	if err := r.call(ctx, http.MethodPost, "sys/storage/raft/join", body, &said); err != nil {
		return err
	}
	if !said.Joined {
		return errors.New("it reports that it has not joined")
	}
	return nil
}

// trust is how the servers' certificates are verified.
type trust struct{ file, content, name string }

// authority returns the CA as PEM, or "" if the system's CAs are used.
func (t trust) authority() (string, error) {
	if t.content != "" || t.file == "" {
		return t.content, nil
	}
	content, err := os.ReadFile(t.file)
	if err != nil {
		return "", fmt.Errorf("reading the CA's certificate: %w", err)
	}
	return string(content), nil
}
