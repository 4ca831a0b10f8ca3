package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// loginWay is one way to log in, with its own options.
type loginWay struct {
	*LoginOptions
	name string // of the method
	// at is where the seed names it; zero if the seed does not.
	at value.Position
}

// ways returns the ways to log in: those of --login, otherwise those that the seed declares,
// otherwise the default for the kind of store. Other flags override what the seed says about a way.
func (o *LoginOptions) ways(kind StoreKind, declared []seed.LoginMethod) []loginWay {
	if !o.declaredBy(declared) {
		methods := o.Methods
		if len(methods) == 0 {
			methods = []string{defaultMethod(kind)}
		}
		ways := make([]loginWay, len(methods))
		for i, method := range methods {
			ways[i] = loginWay{LoginOptions: o, name: method}
		}
		return ways
	}
	ways := make([]loginWay, len(declared))
	for i, each := range declared {
		ways[i] = loginWay{LoginOptions: o.with(each), name: each.Method, at: each.Position}
	}
	return ways
}

// declaredBy reports whether the seed chooses the methods.
func (o *LoginOptions) declaredBy(declared []seed.LoginMethod) bool {
	return len(o.Methods) == 0 && len(declared) > 0
}

// with returns the options, with the seed's values where no flag is given.
func (o *LoginOptions) with(declared seed.LoginMethod) *LoginOptions {
	merged := *o
	for _, each := range []struct {
		flag  string
		field *string
		value string
	}{
		{"login-path", &merged.Mount, declared.Path},
		{"login-token-file", &merged.TokenFile, declared.TokenFile},
		{"login-audience", &merged.Audience, declared.Audience},
		{"kubernetes-host", &merged.Host, declared.KubernetesHost},
		{"login-principal", &merged.Principal, declared.Principal},
		{"login-password-file", &merged.PasswordFile, declared.PasswordFile},
		{"login-ca", &merged.CAFile, declared.CAFile},
		{"login-region", &merged.Region, declared.Region},
	} {
		if each.value != "" && (o.Given == nil || !o.Given(each.flag)) {
			*each.field = each.value
		}
	}
	return &merged
}

// chain returns the logins. It skips those that are not possible here, unless none is.
func chain(ways []loginWay, make func(loginWay) (login.Method, error)) (login.Chain, error) {
	var chain login.Chain
	var absent []error
	mounts := map[string]bool{}
	for i, way := range ways {
		same := func(other loginWay) bool { return other.name == way.name }
		if !slices.Contains(lang.LoginMethods(), way.name) || slices.ContainsFunc(ways[:i], same) {
			return nil, fault.Misuse(fmt.Errorf("--login=%q is not one of the methods, or is named twice", way.name), "They are "+strings.Join(lang.LoginMethods(), ", ")+".")
		}
		if mounts[way.mountPath()] {
			return nil, fault.Misuse(fmt.Errorf("several login methods would share the path %q", way.mountPath()), "Omit --login-path, or the paths in the seed: each is then at the path of its type.")
		}
		mounts[way.mountPath()] = true
		method, err := make(way)
		if err != nil {
			absent = append(absent, way.locate(err))
			continue
		}
		chain = append(chain, method)
	}
	if len(chain) == 0 {
		return nil, errors.Join(absent...)
	}
	return chain, nil
}

// mountPath returns the path of the auth method; by default its type.
func (w loginWay) mountPath() string {
	if path := strings.Trim(w.Mount, "/"); path != "" {
		return path
	}
	return w.name
}

// locate adds the position in the seed of the way that failed.
func (w loginWay) locate(err error) error {
	if w.at.File == "" {
		return err
	}
	return fmt.Errorf("%s: the login method %q: %w", w.at, w.name, err)
}

// GrowingPolicy has our login carry a second policy, which is made from the seed and which it writes
// itself. FixedPolicy has it carry one for everything, which only root writes.
const (
	GrowingPolicy = "grow"
	FixedPolicy   = "fixed"
)

// Grows reports whether our policy grows with the seed.
func (o *StoreOptions) Grows() (bool, error) {
	switch o.Policy {
	case "", GrowingPolicy:
		return true, nil
	case FixedPolicy:
		return false, nil
	}
	return false, fault.Misuse(fmt.Errorf("--policy=%q is neither grow nor fixed", o.Policy), "Omit the flag for grow: our login widens the policy that is made from the seed, within limits.")
}
