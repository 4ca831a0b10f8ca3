package states

import (
	"context"
	"crypto/rand"
	"log/slog"

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
	b.observer.recall.begin()
	b.seeding.applied = applied{}
}

// Records returns the records of the walk.
func (b *Bootstrap) Records() Records { return b.records }

// LetGo ends a walk. Looks after it read everything.
func (b *Bootstrap) LetGo() { b.observer.recall.end() }

// Access returns how later runs log in.
func (b *Bootstrap) Access() *login.Access { return b.sessions.access }

// Close ends our login to Vault.
func (b *Bootstrap) Close(ctx context.Context) { b.sessions.access.Close(ctx) }

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
