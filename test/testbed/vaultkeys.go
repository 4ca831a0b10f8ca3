package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// VaultKeys are what initializing by hand gave, for suites that begin with a Vault
// which somebody else has initialized.
type VaultKeys struct {
	// Shares are the unseal key shares, base64, of which Threshold are needed.
	Shares    []string
	Threshold int
	RootToken string
}

// VaultError is an answer of Vault that is none of 2xx.
type VaultError struct {
	Method, Path string
	Status       int
	Body         string
}

func (e *VaultError) Error() string {
	return fmt.Sprintf("%s %s: status %d: %s", e.Method, e.Path, e.Status, e.Body)
}

// Call sends one request to this node's API, without retries and without following
// redirects. The path begins after /v1/. The body in, if not nil, is sent as JSON,
// and out, if not nil, is decoded from the answer; an answer other than 2xx is a
// *VaultError.
func (n *VaultNode) Call(ctx context.Context, method, path, token string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("calling %s %s: %w", method, path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, n.Addr+"/v1/"+path, &body)
	if err != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, err)
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return &VaultError{Method: method, Path: path, Status: resp.StatusCode, Body: string(bytes.TrimSpace(answer))}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// Initialize initializes the cluster through its first node, as a person with the
// API would: a Shamir seal, no PGP.
func (c *VaultCluster) Initialize(ctx context.Context, shares, threshold int) (VaultKeys, error) {
	in := map[string]int{"secret_shares": shares, "secret_threshold": threshold}
	var out struct {
		KeysBase64 []string `json:"keys_base64"`
		RootToken  string   `json:"root_token"`
	}
	if err := c.Nodes[0].Call(ctx, http.MethodPost, "sys/init", "", in, &out); err != nil {
		return VaultKeys{}, fmt.Errorf("initializing vault: %w", err)
	}
	return VaultKeys{Shares: out.KeysBase64, Threshold: threshold, RootToken: out.RootToken}, nil
}

// Unseal unseals every node, the first one first since the others may have to join
// it, and waits until one of them is active.
func (c *VaultCluster) Unseal(ctx context.Context, keys VaultKeys) error {
	if err := c.Nodes[0].Unseal(ctx, keys); err != nil {
		return err
	}
	if err := c.each(func(n *VaultNode) error { return n.Unseal(ctx, keys) }); err != nil {
		return err
	}
	return Poll(ctx, pollInterval, "an active node", func(ctx context.Context) error {
		_, err := c.Active(ctx)
		return err
	})
}

// Active returns the active node as of now, or an error if there is none.
func (c *VaultCluster) Active(ctx context.Context) (*VaultNode, error) {
	var errs []error
	for _, n := range c.Nodes {
		// Only the active node answers 200; a standby says 429.
		err := n.Call(ctx, http.MethodGet, "sys/health", "", nil, nil)
		if err == nil {
			return n, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
	}
	return nil, fmt.Errorf("finding the active node: %w", errors.Join(errs...))
}

// RaftServer is one line of the raft configuration.
type RaftServer struct {
	NodeID string `json:"node_id"`
	Leader bool
	// Voter becomes true about 10 s after the server joined (autopilot's
	// server_stabilization_time): until then, losing the leader loses the cluster.
	Voter bool
}

// RaftServers returns who belongs to the raft cluster, as its active node sees it.
func (c *VaultCluster) RaftServers(ctx context.Context, token string) ([]RaftServer, error) {
	active, err := c.Active(ctx)
	if err != nil {
		return nil, err
	}
	var out struct {
		Data struct {
			Config struct{ Servers []RaftServer }
		}
	}
	err = active.Call(ctx, http.MethodGet, "sys/storage/raft/configuration", token, nil, &out)
	return out.Data.Config.Servers, err
}

// Unseal gives the node key shares until it is unsealed. A node that has still to
// join its peers is waited for.
func (n *VaultNode) Unseal(ctx context.Context, keys VaultKeys) error {
	var given time.Time
	return Poll(ctx, pollInterval, n.Name+" to be unsealed", func(ctx context.Context) error {
		var s struct {
			Initialized, Sealed bool
		}
		if err := n.Call(ctx, http.MethodGet, "sys/seal-status", "", nil, &s); err != nil {
			return err
		}
		switch {
		case s.Initialized && !s.Sealed:
			return nil
		case !s.Initialized:
			return errors.New("it is not initialized and has not joined")
		case time.Since(given) < 2*time.Second:
			// A joining node takes the shares, and unseals only after its leader agreed.
			return errors.New("it has the key shares and is still sealed")
		}
		for _, share := range keys.Shares[:keys.Threshold] {
			in := map[string]string{"key": share}
			if err := n.Call(ctx, http.MethodPost, "sys/unseal", "", in, nil); err != nil {
				return err
			}
		}
		given = time.Now()
		return errors.New("it has the key shares and is still sealed")
	})
}
