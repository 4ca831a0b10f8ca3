package job

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// CeremonyOptions say how the endpoints that take key shares are reached where the server wants a
// token.
type CeremonyOptions struct {
	// Rights is whether our own login may use them: auto, always or never.
	Rights string
	// Credential is whether a login of its own for them is made.
	Credential bool
}

// OwnLoginOptions say how our own login works, for verbs that need it only where the server asks
// for a token: by the flags, or as the seed says.
type OwnLoginOptions struct {
	Store *StoreOptions
	Vault *VaultOptions
	Login LoginOptions
	Seed  []string
}

// LogIns returns how to log in at servers for a ceremony, with records of a kind. What the login
// needs is read when it is used, unless flags choose it: most servers ask for none.
func (o *OwnLoginOptions) LogIns(ctx context.Context, env Lookup, records store.Store, kind StoreKind, servers *Servers, log *slog.Logger) ([]ceremony.LogIn, error) {
	access := sync.OnceValues(func() (*login.Access, error) {
		methods, err := o.methods(ctx, env, records, kind)
		return &login.Access{Dialer: servers.Cluster, Methods: methods, Clock: servers.Members().Clock, Log: log, Now: time.Now}, err
	})
	if len(o.Login.Methods)+len(o.Seed) > 0 {
		if _, err := access(); err != nil {
			return nil, err
		}
	}
	own := func(ctx context.Context, address string, keys store.Keys) (*vault.Session, func(context.Context), error) {
		ours, err := access()
		if err != nil {
			return nil, nil, err
		}
		return states.OrLockedOut(ours)(ctx, address, keys)
	}
	return []ceremony.LogIn{own, states.CredentialLogin(servers.Cluster, o.Store.Name, log)}, nil
}

// methods returns our own login, by the flags or as the seed says.
func (o *OwnLoginOptions) methods(ctx context.Context, env Lookup, records store.Store, kind StoreKind) (login.Chain, error) {
	declared := &seed.Seed{}
	if len(o.Seed) > 0 {
		var err error
		if declared, err = seed.Load(o.Seed); err != nil {
			return nil, err
		}
	}
	own := credentials{store: o.Store, vault: o.Vault, login: &o.Login, declared: declared.LoginPaths()}
	methods, err := declared.Login(ctx, resolver(env, records, own))
	if err != nil {
		return nil, err
	}
	return o.Login.resolve(env, kind, o.Store.Name, o.Vault.certificate(env), methods)
}
