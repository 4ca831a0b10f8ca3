package job

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// resolved is a seed with its references resolved.
type resolved struct {
	declared *seed.Seed
	// given is whether there is a seed at all.
	given   bool
	objects []object.Object
	rules   harden.Rules
	login   []seed.LoginMethod
	// ceremonies says whether our login may reach the endpoints that take key shares.
	ceremonies ceremony.Rights
	credential bool // whether there is a login of its own for them
	grows      bool // whether our policy grows with the seed
	// namespace is the Vault namespace of the seed.
	namespace string
}

// desired reads the seed and resolves its references, within the time of a run.
func (j *Job) desired(ctx context.Context) (resolved, error) {
	options := j.Options
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	declared, err := seed.Load(options.Seed)
	if err != nil {
		return resolved{}, err
	}
	rules, err := states.RulesOf(declared)
	if err != nil {
		return resolved{}, err
	}
	own := credentials{store: &options.Store, vault: &options.Vault, login: &options.Login, spool: &options.Spool, tokenFile: options.Token.File, declared: declared.LoginPaths()}
	login, err := declared.Login(ctx, resolver(j.env, j.Store, own))
	if err != nil {
		return resolved{}, err
	}
	own.declared = login // which names files, too
	objects, err := declared.Objects(ctx, resolver(j.env, j.Store, own))
	if err != nil {
		return resolved{}, err
	}
	if options.Custody.Ceremonies.Credential && options.Vault.SeedNamespace(j.env) != "" {
		return resolved{}, fault.Misuse(errors.New("--ceremony-credential excludes --vault-namespace"),
			"Key shares are the server's, and a login in a namespace does not reach what takes them. Where the server wants a token, give break-glass one with --token-file.")
	}
	grows, err := options.Store.Grows()
	if err != nil {
		return resolved{}, err
	}
	ceremonies, err := ceremony.ParseRights(options.Custody.Ceremonies.Rights)
	return resolved{
		declared: declared, given: len(options.Seed) > 0, objects: objects, rules: rules, login: login, grows: grows,
		ceremonies: ceremonies, credential: options.Custody.Ceremonies.Credential, namespace: options.Vault.SeedNamespace(j.env),
	}, err
}

// warningsOf returns the warnings about a seed, as 'seed validate' prints them.
func warningsOf(declared *seed.Seed, rules harden.Rules) []string {
	texts := slices.Clone(rules.Warnings)
	for _, warning := range declared.Warnings() {
		texts = append(texts, warning.String())
	}
	return texts
}

// desire returns the desired state of Vault, with the names of a setting.
func (r resolved) desire(setting *states.Setting, methods login.Chain) (*states.Desired, error) {
	var digest func() string // of nothing, it would replace that of the seed on record
	if r.given {
		digest = sync.OnceValue(r.declared.Digest)
	}
	return states.NewDesired(setting.Name, methods, states.Declaration{
		Objects: r.objects, Prune: r.declared.Prune(), Rules: r.rules, Namespace: r.namespace, Keyless: setting.Keyless,
		Ceremonies: r.ceremonies, Credential: r.credential, Grows: r.grows, Digest: digest,
	})
}

// Reload reads the seed again. An invalid one changes nothing.
func (j *Job) Reload(ctx context.Context) error {
	resolved, err := j.desired(ctx)
	if err != nil {
		return err
	}
	return j.reassign(ctx, resolved)
}

// reassign gives the bootstrap a seed that was read again. If that fails, the previous one stays,
// with its login. The session of a login that the seed no longer names ends.
func (j *Job) reassign(ctx context.Context, r resolved) error {
	b := j.Bootstrap
	methods, same := b.Access().Methods, sameLogin(r.login, j.declaredLogin)
	if !same {
		var err error
		if methods, err = j.resolveLogin(r.login); err != nil {
			return err
		}
	}
	desired, err := r.desire(b.Setting(), methods)
	if err != nil {
		return err
	}
	b.Desire(desired)
	j.atRest.rules = r.rules
	if same {
		return nil
	}
	j.declaredLogin = r.login
	b.Access().Change(context.WithoutCancel(ctx), methods, j.Options.Login.declaredBy(r.login))
	b.Setting().Log.Info("the seed has changed how later runs log in", "method", methods.Name())
	return nil
}

// sameLogin reports whether two seeds declare the same login methods, wherever in their files.
func sameLogin(a, b []seed.LoginMethod) bool {
	return slices.EqualFunc(a, b, func(x, y seed.LoginMethod) bool {
		x.Position, y.Position = value.Position{}, value.Position{}
		return x == y
	})
}
