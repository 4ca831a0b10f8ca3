package states

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Dialer opens sessions at a replica.
type Dialer interface {
	Session(address string, token secret.Value) (*vault.Session, error)
	Login(ctx context.Context, address, path string, credential map[string]secret.Value) (*vault.Session, error)
	LoginBy(ctx context.Context, address string, method vault.Method) (*vault.Session, error)
}

// Access logs in to Vault and keeps the sessions. Those who only look get views of them.
type Access struct {
	*Setting
	Dialer Dialer
	// Login is how later runs log in.
	Login Login
	// SeedLogin is whether the seed says so, and no flag.
	SeedLogin bool
	// ReadsOnly has it log in by the role that only reads, where there is one, and with our
	// own where that is not made yet. Vault itself then refuses every write.
	ReadsOnly bool
	// Servers are asked for their clocks, to explain a refusal.
	Servers cluster.Servers

	own *vault.Session // our login, at ownAt
	// ownAt is the address of the server that own is a session at.
	ownAt string
	// ownLent is whether it is a token that somebody else keeps alive.
	ownLent bool
	// ownReads is whether it is that of the role that only reads.
	ownReads bool
	given    *vault.Session // made latest with a token that was given to us
	refused  refusals       // how long the login has been refused
	glass    *glass         // the root token of break-glass, while it is in use
}

// opener is what an Observer needs of an Access.
type opener interface {
	// with returns a view with a token at address.
	with(address string, token secret.Value) (vault.View, error)
	// asBreakGlass returns a view with the root token of the break-glass that this process
	// makes; ok is false if it makes none.
	asBreakGlass(address string) (view vault.View, ok bool, err error)
	// usesGlass reports whether the break-glass of that ID is this process's own.
	usesGlass(id string) bool
	// ours returns a view with our own login, which is kept. fresh is whether the login was
	// made just now.
	ours(ctx context.Context, address string, keys store.Keys) (view vault.View, fresh bool, err error)
	// onlyReads reports whether the login that is kept is by the role that only reads.
	onlyReads() bool
	// lapse forgets the login that is kept, whose token has ended.
	lapse()
	// refusedForGood reports whether refusals of our login have lasted long enough to count;
	// accepted ends their count.
	refusedForGood() bool
	accepted()
	// try reports whether our own role lets us in, and ends that login.
	try(ctx context.Context, address string, keys store.Keys) error
	// method is how later runs log in: its objects are declared beside those of the seed.
	method() Login
	// hint says what to look at when the login does not work, and flags are the flags that
	// choose it, with a space before them; none if the seed does.
	hint() string
	flags() string
	// Close ends what is open.
	Close(ctx context.Context)
}

func (a *Access) with(address string, token secret.Value) (vault.View, error) {
	session, err := a.Dialer.Session(address, token)
	if err != nil {
		return vault.View{}, err
	}
	a.given = session
	return session.View(), nil
}

func (a *Access) asBreakGlass(address string) (vault.View, bool, error) {
	if a.glass == nil {
		return vault.View{}, false, nil
	}
	session, err := a.glassSession(address)
	if err != nil {
		return vault.View{}, true, err
	}
	a.given = session
	return session.View(), true, nil
}

func (a *Access) usesGlass(id string) bool { return a.glass != nil && a.glass.id == id }

func (a *Access) ours(ctx context.Context, address string, keys store.Keys) (vault.View, bool, error) {
	kept := a.own
	session, err := a.login(ctx, address, keys)
	if err != nil {
		return vault.View{}, false, err
	}
	return session.View(), session != kept, nil
}

func (a *Access) onlyReads() bool { return a.ownReads }

func (a *Access) lapse() { a.own = nil }

func (a *Access) refusedForGood() bool { return a.refused.final(a.Now(), a.Login.Settles()) }

func (a *Access) accepted() { a.refused.clear() }

func (a *Access) method() Login { return a.Login }

func (a *Access) hint() string { return a.Login.Hint() }

func (a *Access) flags() string {
	if a.SeedLogin {
		return ""
	}
	return " " + a.Login.Flags()
}

// behind returns the session that a look was made with, for the act that follows it; nil
// if there was none, or it is not kept any more.
func (a *Access) behind(view vault.View) *vault.Session {
	for _, session := range []*vault.Session{a.own, a.given} {
		if view.Of(session) {
			return session
		}
	}
	return nil
}
