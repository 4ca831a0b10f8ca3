package states

import (
	"context"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Ceremonies says whether our own login may reach the endpoints that take key shares, on servers
// that ask for a token there: Vault since 2.0, OpenBao since 2.5. Without it, generating a root
// token and exchanging the key shares need the token of somebody else.
type Ceremonies int

const (
	// CeremoniesAuto allows it where the keys record holds the shares: who can log in as we do
	// usually can read that record, too. Where operators hold the shares, a login that may begin or
	// cancel a ceremony is not worth what the record is worth.
	CeremoniesAuto Ceremonies = iota
	// CeremoniesAlways allows it where operators hold the shares as well.
	CeremoniesAlways
	// CeremoniesNever allows it nowhere.
	CeremoniesNever
)

var ceremoniesNames = [...]string{"auto", "always", "never"}

// ParseCeremonies reads what --ceremonies says.
func ParseCeremonies(text string) (Ceremonies, error) {
	for i, name := range ceremoniesNames {
		if text == name {
			return Ceremonies(i), nil
		}
	}
	return CeremoniesAuto, fault.Misuse(fmt.Errorf("--ceremonies=%q is none of auto, always and never", text), "Omit the flag for auto: our login may use the endpoints that take key shares if the record holds the shares.")
}

func (c Ceremonies) allowed(holdsShares bool) bool {
	return c == CeremoniesAlways || c == CeremoniesAuto && holdsShares
}

// credentialObjects returns what the login for ceremonies needs; none if there is to be none.
func (d *Desired) credentialObjects() []object.Object {
	if !d.declaration.Credential {
		return nil
	}
	grants := ceremony.SharesGrants()
	for _, path := range []string{"auth/token/revoke-self", "sys/capabilities-self"} {
		grants = append(grants, policy.Grant{Path: path, Capabilities: []string{"update"}})
	}
	return login.NewCeremony(d.name).Objects(policy.HCL(grants, nil))
}

// renewalGrants lets our own login renew the credential for ceremonies, when the keys are rotated.
func (d *Desired) renewalGrants() []policy.Grant {
	if !d.declaration.Credential {
		return nil
	}
	var grants []policy.Grant
	written, read := login.NewCeremony(d.name).RenewPaths()
	for _, path := range written {
		grants = append(grants, policy.Grant{Path: path, Capabilities: []string{"update"}})
	}
	for _, path := range read {
		grants = append(grants, policy.Grant{Path: path, Capabilities: []string{"read"}})
	}
	return grants
}

// ensureCredential makes the credential for ceremonies while root is there, if it is to be one and
// none on record works.
func (h *hardening) ensureCredential(ctx context.Context, address string, look *Look) error {
	desired := h.observer.desired
	if !desired.declaration.Credential {
		return nil
	}
	keys, err := h.records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	way, dialer := login.NewCeremony(desired.name), h.sessions.access.Dialer
	session, err := way.Open(ctx, dialer, address, keys)
	if err == nil {
		return session.RevokeSelf(ctx)
	}
	if !login.Refused(err) {
		return fmt.Errorf("logging in for ceremonies: %w", err)
	}
	err = way.MakeCredential(ctx, h.sessions.behind(look.root), keys.Ceremony, func(credential store.AppRole) error {
		return h.records.UpdateKeys(ctx, func(keys *store.Keys) error {
			keys.Ceremony = &credential
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("creating the credential for ceremonies: %w", err)
	}
	return nil
}

// CeremonyLogins returns how to log in where a ceremony needs a token: by our own role, and with the
// credential for ceremonies, if there is one. name is that of our role.
func CeremonyLogins(access *login.Access, name string) []ceremony.LogIn {
	way := login.NewCeremony(name)
	other := func(ctx context.Context, address string, keys store.Keys) (*vault.Session, func(context.Context), error) {
		if keys.Ceremony == nil {
			return nil, nil, nil
		}
		session, err := way.Open(ctx, access.Dialer, address, keys)
		if err != nil {
			return nil, nil, fmt.Errorf("logging in with the credential for ceremonies: %w", err)
		}
		return session, func(ctx context.Context) {
			if err := session.RevokeSelf(ctx); err != nil {
				access.Log.Warn("the token for a ceremony could not be revoked, it expires by itself", "error", err.Error())
			}
		}, nil
	}
	return []ceremony.LogIn{OrLockedOut(access), other}
}
