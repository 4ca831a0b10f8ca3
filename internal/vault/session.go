package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Session makes logical calls with one token. Its calls can safely be sent twice, so they are
// repeated when the network or an election cuts them off.
type Session struct {
	client  *api.Client
	timeout time.Duration
	guard   *guard
}

// Session returns a session with token at the replica at address.
func (c *Cluster) Session(address string, token secret.Value) (*Session, error) {
	replica, err := c.Replica(address)
	if err != nil {
		return nil, err
	}
	client, err := replica.client.CloneWithHeaders()
	if err != nil {
		return nil, fmt.Errorf("preparing a session at %s: %w", address, err)
	}
	client.SetToken(token.Reveal())
	if c.config.Namespace != "" {
		client.SetNamespace(c.config.Namespace)
	}
	return &Session{client: client, timeout: c.config.Timeout, guard: &c.guard}, nil
}

// Namespace returns the session's namespace, without slashes at its ends; empty for the root
// namespace.
func (s *Session) Namespace() string { return s.client.Namespace() }

// InRoot returns the session in the root namespace, with the same token: only there are the root
// tokens and what belongs to the server as a whole.
func (s *Session) InRoot() *Session {
	if s.Namespace() == "" {
		return s
	}
	return &Session{client: s.client.WithNamespace(""), timeout: s.timeout, guard: s.guard}
}

// Read returns the data at path, and false if there is none. The path may end in a query, as in
// "sys/config/ui/headers/X-A?multivalue=true".
func (s *Session) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	path, values, err := parameters(path)
	if err != nil {
		return nil, false, fmt.Errorf("reading %s: %w", path, err)
	}
	return s.data(ctx, func(ctx context.Context) (*api.Secret, error) {
		return s.read(ctx, path, values)
	})
}

// parameters cuts the query off a path.
func parameters(path string) (string, url.Values, error) {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	return path, values, err
}

// List returns the names below path, and false if there are none.
func (s *Session) List(ctx context.Context, path string) ([]string, bool, error) {
	data, found, err := s.data(ctx, func(ctx context.Context) (*api.Secret, error) {
		return s.client.Logical().ListWithContext(ctx, path)
	})
	return texts(data["keys"]), found, err
}

// Write writes data to path and returns what Vault answers, which may be nothing.
func (s *Session) Write(ctx context.Context, path string, data map[string]any) (map[string]any, error) {
	answer, _, err := s.data(ctx, func(ctx context.Context) (*api.Secret, error) {
		return s.client.Logical().WriteWithContext(ctx, path, data)
	})
	return answer, err
}

// Put is Write that also returns Vault's warnings, such as those about unrecognized fields.
func (s *Session) Put(ctx context.Context, path string, data map[string]any) (map[string]any, []string, error) {
	answer, err := s.repeat(ctx, func(ctx context.Context) (*api.Secret, error) {
		return s.client.Logical().WriteWithContext(ctx, path, data)
	})
	if err != nil || answer == nil {
		return nil, nil, err
	}
	return answer.Data, answer.Warnings, nil
}

// Delete deletes what is at path, which may end in a query, as that of Read may.
func (s *Session) Delete(ctx context.Context, path string) error {
	path, values, err := parameters(path)
	if err != nil {
		return fmt.Errorf("deleting %s: %w", path, err)
	}
	_, _, err = s.data(ctx, func(ctx context.Context) (*api.Secret, error) {
		return s.client.Logical().DeleteWithDataWithContext(ctx, path, values)
	})
	return err
}

func (s *Session) data(ctx context.Context, call func(context.Context) (*api.Secret, error)) (map[string]any, bool, error) {
	answer, err := s.repeat(ctx, call)
	if err != nil {
		return nil, false, err
	}
	if answer == nil || answer.Data == nil {
		return nil, false, nil
	}
	return answer.Data, true, nil
}

// The waits between repeated calls: about 6 s in all, longer than an election on a quiet network;
// anything longer is left to the next cycle.
const (
	firstWait  = 100 * time.Millisecond
	maxWait    = 2 * time.Second
	maxTries   = 6
	waitJitter = 20 // percent
)

func (s *Session) repeat(ctx context.Context, call func(context.Context) (*api.Secret, error)) (*api.Secret, error) {
	backoff := retry.NewExponential(firstWait)
	backoff = retry.WithCappedDuration(maxWait, backoff)
	backoff = retry.WithJitterPercent(waitJitter, backoff)
	backoff = retry.WithMaxRetries(maxTries, backoff)
	var last error
	answer, err := retry.DoValue(ctx, backoff, func(ctx context.Context) (*api.Secret, error) {
		if err := s.guard.check(); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		answer, err := call(ctx)
		last = simplify(err)
		if last != nil && retryable(last) {
			return nil, retry.RetryableError(last)
		}
		return answer, last
	})
	if err != nil && last != nil && !errors.Is(err, last) {
		return nil, fmt.Errorf("%w (last: %w)", err, last) // go-retry knows only that ctx ended
	}
	return answer, err
}

// Identity describes a token.
type Identity struct {
	Accessor string
	// Policies are the token's own, IdentityPolicies those of its entity and its groups.
	Policies, IdentityPolicies []string
	// Elsewhere is whether it has policies of other namespaces.
	Elsewhere bool
	// Orphan is whether the token stays valid when its parent is revoked.
	Orphan bool
	// Type is service or batch.
	Type string
}

// Identity looks the session's own token up.
func (s *Session) Identity(ctx context.Context) (Identity, error) {
	data, _, err := s.Read(ctx, "auth/token/lookup-self")
	if err != nil {
		return Identity{}, err
	}
	identity := Identity{}
	identity.Accessor, _ = data["accessor"].(string)
	identity.Orphan, _ = data["orphan"].(bool)
	identity.Type, _ = data["type"].(string)
	identity.Policies = texts(data["policies"])
	identity.IdentityPolicies = texts(data["identity_policies"])
	elsewhere, _ := data["external_namespace_policies"].(map[string]any)
	identity.Elsewhere = len(elsewhere) > 0
	return identity, nil
}

// texts returns the strings of a decoded JSON list.
func texts(list any) []string {
	items, _ := list.([]any)
	var found []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// Capabilities returns what the session's token may do on each path.
func (s *Session) Capabilities(ctx context.Context, paths []string) (map[string][]string, error) {
	if len(paths) == 0 {
		return map[string][]string{}, nil
	}
	data, err := s.Write(ctx, "sys/capabilities-self", map[string]any{"paths": paths})
	if err != nil {
		return nil, err
	}
	capabilities := map[string][]string{}
	for _, path := range paths {
		capabilities[path] = texts(data[path])
	}
	return capabilities, nil
}

// RevokeSelf revokes the session's token.
func (s *Session) RevokeSelf(ctx context.Context) error {
	_, err := s.Write(ctx, "auth/token/revoke-self", nil)
	return err
}

// Dead reports whether Vault refuses the session's token. An error means that this is not known.
func (s *Session) Dead(ctx context.Context) (bool, error) {
	_, err := s.Identity(ctx)
	switch {
	case err == nil:
		return false, nil
	case httpstatus.Of(err) == http.StatusForbidden:
		return true, nil
	default:
		return false, err
	}
}
