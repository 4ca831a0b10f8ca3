package ceremony

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// LogIn logs in at address. The caller owns the session and must call end. The session is nil where
// there is no such login.
type LogIn func(ctx context.Context, address string, keys store.Keys) (session *vault.Session, end func(context.Context), err error)

// entry is a way to the endpoints that take key shares, which the server has let us through.
type entry struct {
	vault.Endpoints
	login func(context.Context) // ends our own login; nil if there is none
}

// close ends the login that the entry needed, if any.
func (e entry) close(ctx context.Context) {
	if e.login != nil {
		e.login(context.WithoutCancel(ctx))
	}
}

// enterRoot finds the endpoints that generate a root token, and returns what they show. The caller
// must close the entry.
func (a *Administrator) enterRoot(ctx context.Context, replica cluster.Replica, keys store.Keys, given secret.Value) (entry, vault.RootAttempt, error) {
	return enter(ctx, a, replica.Address(), keys, given, replica.RootAttempt)
}

// enterRekey finds the endpoints that exchange key shares, and returns what they show. The caller
// must close the entry.
func (a *Administrator) enterRekey(ctx context.Context, replica cluster.Replica, keys store.Keys, recovery bool, given secret.Value) (entry, vault.RekeyStatus, error) {
	return enter(ctx, a, replica.Address(), keys, given, func(ctx context.Context, via vault.Endpoints) (vault.RekeyStatus, error) {
		return replica.Rekey(ctx, recovery, via)
	})
}

// enter asks for the status of a ceremony until an endpoint answers: the old one; if that is
// closed, the one that wants a token; and both with the token of our own login if the server wants
// one and none is given. The error is the server's if none lets us through.
func enter[S any](ctx context.Context, a *Administrator, address string, keys store.Keys, given secret.Value, status func(context.Context, vault.Endpoints) (S, error)) (entry, S, error) {
	var none S
	way := entry{Endpoints: vault.Endpoints{Token: given}}
	shown, err := status(ctx, way.Endpoints)
	if err == nil || !EndpointClosed(err) {
		return way, shown, err
	}
	if code := httpstatus.Of(err); code == http.StatusMethodNotAllowed || code == http.StatusNotFound {
		way.Authenticated = true
	}
	if !given.Empty() {
		if way.Authenticated {
			shown, err = status(ctx, way.Endpoints)
		}
		return way, shown, err
	}
	for i, logIn := range a.LogIns {
		session, end, failed := logIn(ctx, address, keys)
		switch {
		case failed != nil && fault.KindOf(failed) == fault.Transient:
			return way, none, fmt.Errorf("logging in to %s, where the server wants a token: %w", address, failed)
		case failed != nil:
			err = fmt.Errorf("%w; %w", err, failed)
			continue
		case session == nil:
			continue
		}
		way.Token, way.login = session.Token(), end
		shown, refused := status(ctx, way.Endpoints)
		if refused == nil {
			if i > 0 {
				a.Log.Warn("our own login may not do it, so the credential for ceremonies is used")
			}
			return way, shown, nil
		}
		way.close(ctx)
		way.Token, way.login, err = secret.Value{}, nil, refused
		if !EndpointClosed(refused) {
			break
		}
	}
	return way, none, err
}

// SharesGrants are the privileges by which our login reaches the endpoints that take key shares, on
// servers that ask for a token there. Each path is exact, and none is sys/rotate/root itself, which
// exchanges the shares without asking for the present ones.
//
// They are for the login of a record that holds the shares, and so is worth as much as they are. A
// server that has no recovery keys hands out new ones on sys/rotate/recovery/init without a quorum.
func SharesGrants() []policy.Grant {
	var grants []policy.Grant
	for _, via := range []vault.Endpoints{{}, {Authenticated: true}} {
		for _, path := range slices.Concat(via.RootPaths(), via.RekeyPaths(false), via.RekeyPaths(true)) {
			grants = append(grants, policy.Grant{Path: path, Capabilities: sharesCapabilities})
		}
	}
	return grants
}

// sharesCapabilities are to begin and to feed, to look at, and to cancel. Neither product asks for
// sudo.
var sharesCapabilities = []string{"update", "read", "delete"}

// opening says how to have the server let us through at endpoints that are closed to us. family is
// what its configuration calls them, and paths are those that a token needs.
func opening(via vault.Endpoints, err error, family string, paths []string) string {
	listener := fmt.Sprintf("set disable_unauthed_%s_endpoints = false on a second listener of OpenBao, on loopback, and use that one. "+
		"A listener is read when the server starts, and a restart seals it.", strings.ReplaceAll(family, "-", "_"))
	if via.Authenticated && httpstatus.Of(err) == http.StatusNotFound { // as generate-root of 2.5.3 to 2.5.5
		return "This version of OpenBao has closed the endpoint and has no other: " + listener
	}
	text := "The server wants a token here, and our own login may not do it: 'vault-bootstrap seed policy' prints the policy that lets it. " +
		"Or give a token with --token-file whose policy says"
	for _, path := range paths {
		text += fmt.Sprintf("\n  path %q { capabilities = [\"%s\"] }", path, strings.Join(sharesCapabilities, `", "`))
	}
	if via.Authenticated {
		return text + "\nOr " + listener
	}
	return text + fmt.Sprintf("\nOr set enable_unauthenticated_access = [%q] in Vault's configuration, send it SIGHUP, and take that back afterwards.", family)
}
