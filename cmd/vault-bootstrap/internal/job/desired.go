package job

import (
	"context"
	"slices"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// wish is what a seed says, with its references resolved.
type wish struct {
	declared *seed.Seed
	objects  []seed.Object
	rules    harden.Rules
	login    []seed.LoginMethod
}

// desired reads the seed and resolves its references, within the time of a run.
func (j *Job) desired(ctx context.Context) (wish, error) {
	options := j.Options
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	declared, err := loadSeed(options.Seed)
	if err != nil {
		return wish{}, err
	}
	rules, err := states.RulesOf(declared.Harden())
	if err != nil {
		return wish{}, err
	}
	own := credentials{store: &options.Store, vault: &options.Vault, login: &options.Login, spool: &options.Spool, declared: declared.LoginPaths()}
	login, err := declared.Login(ctx, resolver(j.env, j.Store, own))
	if err != nil {
		return wish{}, err
	}
	own.declared = login // with the files that it names
	objects, err := declared.Objects(ctx, resolver(j.env, j.Store, own))
	return wish{declared, objects, rules, login}, err
}

// assign gives the bootstrap the wish. If that fails, the one before it stays.
func (w wish) assign(b *states.Bootstrap) error {
	prune, rules := b.Prune, b.Rules
	b.Prune, b.Rules = w.declared.Prune(), w.rules
	if err := b.Declare(w.objects); err != nil {
		b.Prune, b.Rules = prune, rules
		return err
	}
	b.Digest = sync.OnceValue(w.declared.Digest)
	return nil
}

// Reload reads the seed anew. One that is wrong changes nothing.
func (j *Job) Reload(ctx context.Context) error {
	wish, err := j.desired(ctx)
	if err != nil {
		return err
	}
	return j.reassign(ctx, wish)
}

// reassign gives the bootstrap a wish that was read anew. If that fails, the one before it
// stays, with its login. A session of a login that the seed no longer names ends.
func (j *Job) reassign(ctx context.Context, w wish) error {
	b := j.Bootstrap
	if sameLogin(w.login, j.declaredLogin) {
		return w.assign(b)
	}
	login, err := j.resolveLogin(w.login)
	if err != nil {
		return err
	}
	before, fromSeed := b.Login, b.SeedLogin
	b.Login, b.SeedLogin = login, j.Options.Login.declaredBy(w.login)
	if err := w.assign(b); err != nil {
		b.Login, b.SeedLogin = before, fromSeed
		return err
	}
	j.declaredLogin = w.login
	b.ForgetLogin(context.WithoutCancel(ctx))
	b.Log.Info("the seed says anew how to log in", "method", login.Name())
	return nil
}

// sameLogin compares what two seeds say, wherever in the files they do.
func sameLogin(a, b []seed.LoginMethod) bool {
	return slices.EqualFunc(a, b, func(x, y seed.LoginMethod) bool {
		x.Position, y.Position = seed.Position{}, seed.Position{}
		return x == y
	})
}
