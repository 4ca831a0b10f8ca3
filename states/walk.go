package states

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Setting returns what all parts share.
func (b *Bootstrap) Setting() *Setting { return b.setting }

// LogTo makes all parts log to log.
func (b *Bootstrap) LogTo(log *slog.Logger) {
	b.setting.Log, b.sessions.access.Log, b.admin.Log, b.opener.unsealer.Log, b.initializing.delivery.log = log, log, log, log, log
}

// NotifyBy sets how operators are notified of unusual events.
func (b *Bootstrap) NotifyBy(notify func(warning bool, reason, message string)) {
	b.admin.Notify = notify
}

// Desire sets the desired state of Vault from now on.
func (b *Bootstrap) Desire(desired *Desired) { b.observer.desired = desired }

// Hold begins a walk, whose records are fenced: nothing carries over from an earlier one.
func (b *Bootstrap) Hold(records Records) {
	b.records.Records, b.admin.Records = records, records
	b.setting.done.take()
	if b.observer.desired != nil {
		go b.observer.desired.digest() // the end of the walk needs it; computed while Vault is busy
	}
	b.observer.recall.begin()
	b.seeding.applied = applied{}
}

// Records returns the records of the walk.
func (b *Bootstrap) Records() Records { return b.records }

// Done returns what was changed since the walk began, and forgets it.
func (b *Bootstrap) Done() Changes { return b.setting.done.take() }

// LetGo ends a walk. Looks after it read everything.
func (b *Bootstrap) LetGo() { b.observer.recall.end() }

// Access returns how later runs log in.
func (b *Bootstrap) Access() *login.Access { return b.sessions.access }

// Close ends our login to Vault.
func (b *Bootstrap) Close(ctx context.Context) { b.sessions.access.Close(ctx) }

// Changes are what a walk has changed, by name, in the order in which it happened.
type Changes struct {
	// Initialized, Unsealed and Joined are addresses of replicas.
	Initialized, Unsealed, Joined []string
	// Created, Updated and Deleted are IDs of objects.
	Created, Updated, Deleted []string
	// Fixed are IDs of controls.
	Fixed []string
	// Revoked are tokens, as people call them.
	Revoked []string
}

// done collects changes. It is safe for concurrent use, and a nil one collects nothing.
type done struct {
	mu      sync.Mutex
	changes Changes
}

// note adds a name to the list that it is given, unless a list holds it that says more: what was
// created and then written again counts as created.
func (d *done) note(list func(*Changes) *[]string, name string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	to := list(&d.changes)
	if slices.Contains(*to, name) || to == &d.changes.Updated && slices.Contains(d.changes.Created, name) {
		return
	}
	*to = append(*to, name)
}

// take returns what was collected, and begins anew.
func (d *done) take() Changes {
	if d == nil {
		return Changes{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.changes
	d.changes = Changes{}
	return taken
}

func (c *Changes) initialized() *[]string { return &c.Initialized }
func (c *Changes) unsealed() *[]string    { return &c.Unsealed }
func (c *Changes) joined() *[]string      { return &c.Joined }
func (c *Changes) created() *[]string     { return &c.Created }
func (c *Changes) updated() *[]string     { return &c.Updated }
func (c *Changes) deleted() *[]string     { return &c.Deleted }
func (c *Changes) fixed() *[]string       { return &c.Fixed }
func (c *Changes) revoked() *[]string     { return &c.Revoked }

// sessions are the sessions that looks were made with.
type sessions struct {
	access     *login.Access
	breakGlass *ceremony.BreakGlass
}

// behind returns the session that a look was made with; nil if it is no longer kept.
func (s *sessions) behind(view vault.View) *vault.Session {
	if session := s.breakGlass.Behind(view); session != nil {
		return session
	}
	return s.access.Behind(view)
}

// newID returns a random, unique name of 26 letters and digits.
func newID() string { return rand.Text() }

// newSecret returns a secret of 128 random bits.
func newSecret() secret.Value { return secret.New(rand.Text()) }
