package harden

import (
	"slices"
	"strings"
)

// tokenControls check every token there is.
func tokenControls() []Control {
	return []Control{
		{
			ID: "root-tokens", Name: "Root tokens are revoked after use", Severity: Critical, Profile: Production, Groups: []Group{GroupTokens}, Deep: true,
			Why:    "A root token opens everything, never expires and leaves no name in the audit log.",
			How:    "Looking up every token by its accessor, for the policy 'root'.",
			Remedy: "Make sure first that its holder can log in. Then revoke it by its accessor, with vault token revoke -accessor ACCESSOR, or all that are not ours with --revoke-foreign-root.",
			Source: docs + "concepts/tokens#root-tokens",
			Check: on(tokensOf, func(tokens []Token, _ Limits) Finding {
				return blame(accessors(tokens, Token.isRoot), "token", "A root token is valid", "No root token is valid")
			}),
		},
		{
			ID: "lasting-tokens", Name: "Tokens expire", Severity: Medium, Profile: Strict, Groups: []Group{GroupTokens}, Deep: true,
			Why: "A token that never expires, or that its holder can renew forever, stays valid for whoever finds it.",
			How: "Looking up every token by its accessor: those that never expire, periodic ones, and orphans created by hand that outlive the limit 'lease-ttl'. " +
				"Tokens of logins are orphans by nature and not counted as such.",
			Remedy: "Revoke it by its accessor, and let its holder log in instead.",
			Source: docs + "concepts/tokens#token-time-to-live-periodic-tokens-and-explicit-max-ttls",
			Check: on(tokensOf, func(tokens []Token, limits Limits) Finding {
				return blame(accessors(tokens, func(t Token) bool {
					byHand := strings.HasPrefix(t.Path, "auth/token/create")
					return !t.isRoot() && (t.TTL == 0 || t.Periodic || t.Orphan && byHand && t.TTL > limits.LeaseTTL)
				}), "token", "A token does not expire, or outlives the limit", "Every token expires")
			}),
		},
	}
}

func tokensOf(f Facts) Fact[[]Token] { return f.Tokens }

func (t Token) isRoot() bool { return slices.Contains(t.Policies, "root") }

func accessors(tokens []Token, bad func(Token) bool) []string {
	var found []string
	for _, token := range tokens {
		if bad(token) {
			found = append(found, token.Accessor)
		}
	}
	return found
}
