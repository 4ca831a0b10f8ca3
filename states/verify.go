package states

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Verified is what a check of all controls has shown.
type Verified struct {
	Results []harden.Result
	// Address and ClusterID are the active node's.
	Address, ClusterID string
	// Facts are what the controls were judged by.
	Facts harden.Facts
}

// Verify judges all controls and changes nothing. What it may not see is unknown. keys may be
// unknown, too: some logins do not need them.
func (o *Observer) Verify(ctx context.Context, keys harden.Fact[store.Keys], deep bool) (Verified, error) {
	replicas, err := o.lookAtReplicas(ctx)
	if err != nil {
		return Verified{}, err
	}
	active, found := replicas.Active()
	if !found {
		return Verified{}, fault.Wait(errors.New("no server is active"),
			"Only an unsealed Vault can be verified. 'vault-bootstrap status' shows how each server is, 'run' unseals them.")
	}
	facts := o.surroundings.newFacts(o.desired, active)
	if o.setting.Keyless {
		known, _ := keys.Get()
		if err := RefuseKeys(known); err != nil {
			return Verified{}, err
		}
	}
	view := o.viewToVerify(ctx, active, keys, &facts)
	groups := harden.AllGroups()
	if o.desired.declaration.Namespace != "" {
		groups = harden.WithoutServer(groups)
	}
	if !view.None() {
		defer o.access.Close(context.WithoutCancel(ctx))
		if err := gather.Vault(ctx, view, readable(groups, deep), o.setting.Reads, &facts); err != nil {
			o.setting.Log.Warn("not everything could be read", "error", err.Error())
		}
	}
	o.surroundings.look(ctx, groups, &facts)
	facts.Record = o.outlineOf(ctx, groups, keys)
	return Verified{Results: harden.Judge(facts, o.desired.declaration.Rules, deep), Address: active.Address, ClusterID: active.ClusterID, Facts: facts}, ctx.Err()
}

// outlineOf returns what is judged of the keys record. Where it could not be opened, its header shows
// that as well.
func (o *Observer) outlineOf(ctx context.Context, groups []harden.Group, keys harden.Fact[store.Keys]) harden.Fact[harden.Record] {
	record, known := keys.Get()
	if !known {
		var err error
		if record, err = o.records.Outline(ctx); err != nil {
			return harden.NotKnown[harden.Record](keys.Why())
		}
	}
	return o.surroundings.lookAtRecord(ctx, groups, record)
}

func readable(groups []harden.Group, deep bool) []harden.Group {
	var list []harden.Group
	for _, group := range groups {
		if group != harden.GroupTokens || deep {
			list = append(list, group)
		}
	}
	return list
}

// viewToVerify logs in by the role that only reads, or by our own. If neither works, the facts say
// why.
func (o *Observer) viewToVerify(ctx context.Context, active fsm.Replica, keys harden.Fact[store.Keys], facts *harden.Facts) vault.View {
	known, ok := keys.Get()
	facts.RootStored = harden.Known(known.Root != nil)
	if !ok {
		facts.RootStored = harden.NotKnown[bool](keys.Why())
	}
	if recorded := clusterOf(ctx, o.setting, o.records, known); recorded != "" && recorded != active.ClusterID {
		facts.Login = harden.NotKnown[bool]("the server belongs to another cluster than our records: nothing secret is shown to it")
		markUnknown(facts, facts.Login.Why())
		return vault.View{}
	}
	view, _, err := o.access.Ours(ctx, active.Address, known)
	works := err
	if err == nil && o.access.OnlyReads() {
		// The role that reads says nothing about the one that later runs need.
		works = o.access.Try(ctx, active.Address, known)
	}
	switch {
	case works == nil:
		facts.Login = harden.Known(true)
	case login.Refused(works):
		facts.Login = harden.Known(false)
	default:
		facts.Login = harden.NotKnown[bool](works.Error())
	}
	if err != nil {
		markUnknown(facts, fmt.Sprintf("our login does not work: %v", err))
	}
	return view
}

// clusterOf returns the ID of our cluster, as far as the records say it: where there are no keys, the
// checkpoint does, which not everybody may read.
func clusterOf(ctx context.Context, setting *Setting, records RecordReader, keys store.Keys) string {
	switch {
	case keys.Set != nil:
		return keys.Set.ClusterID
	case !setting.Keyless:
		return ""
	}
	checkpoint, err := records.Checkpoint(ctx)
	if err != nil {
		setting.Log.Warn("whether this is the Vault of our checkpoint is not known", "error", err.Error())
	}
	return checkpoint.ClusterID
}

// markUnknown marks everything that takes a token as unknown, with the reason.
func markUnknown(facts *harden.Facts, why string) {
	facts.Audit = harden.NotKnown[[]harden.AuditDevice](why)
	facts.Auth, facts.Secrets = harden.NotKnown[[]harden.Mount](why), harden.NotKnown[[]harden.Mount](why)
	facts.Server = harden.NotKnown[harden.Server](why)
	facts.CORS = harden.NotKnown[harden.CORS](why)
	facts.Headers, facts.Loggers = harden.NotKnown[[]harden.Header](why), harden.NotKnown[map[string]string](why)
	facts.Policies = harden.NotKnown[[]harden.Policy](why)
	facts.Passwords = harden.NotKnown[[]harden.PasswordPolicy](why)
	facts.Quotas = harden.NotKnown[[]harden.Quota](why)
	facts.GenerateRoot, facts.Rekey = harden.NotKnown[bool](why), harden.NotKnown[bool](why)
	facts.Key = harden.NotKnown[harden.Key](why)
	facts.Raft = harden.NotKnown[harden.Raft](why)
	facts.Roles = harden.NotKnown[[]harden.Role](why)
	facts.Tokens = harden.NotKnown[[]harden.Token](why)
}

// OrLockedOut returns how to log in by our own role, where a refusal means that we are locked
// out.
func OrLockedOut(access *login.Access) ceremony.LogIn {
	return func(ctx context.Context, address string, keys store.Keys) (*vault.Session, func(context.Context), error) {
		session, end, err := access.LogIn(ctx, address, keys)
		if err != nil && login.Refused(err) {
			err = fsm.LockedOut(err.Error())
		}
		return session, end, err
	}
}

// CeremonyLogins returns how to log in where a ceremony needs a token: by our own role, and with the
// credential for ceremonies, if there is one. name is that of our role.
func CeremonyLogins(access *login.Access, name string) []ceremony.LogIn {
	return []ceremony.LogIn{OrLockedOut(access), CredentialLogin(access.Dialer, name, access.Log)}
}

// CredentialLogin returns how to log in with the credential for ceremonies on record.
func CredentialLogin(dialer login.Dialer, name string, log *slog.Logger) ceremony.LogIn {
	way := login.NewCeremony(name)
	return func(ctx context.Context, address string, keys store.Keys) (*vault.Session, func(context.Context), error) {
		if keys.Ceremony == nil {
			return nil, nil, nil
		}
		session, err := way.Open(ctx, dialer, address, keys)
		if err != nil {
			err = fmt.Errorf("logging in with the credential for ceremonies: %w", err)
			if login.Refused(err) {
				err = fault.Misuse(err, "Somebody has removed it: 'vault-bootstrap break-glass run --ceremony-credential' makes another.")
			}
			return nil, nil, err
		}
		return session, func(ctx context.Context) {
			if err := session.RevokeSelf(ctx); err != nil {
				log.Warn("the token for a ceremony could not be revoked, it expires by itself", "error", err.Error())
			}
		}, nil
	}
}
