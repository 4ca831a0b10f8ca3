package harden

import (
	"slices"
	"testing"
	"time"
)

// TestInnerNamespacesAreJudged holds that a control names the namespace of what it blames, that a
// namespace that could not be looked into keeps it from holding, and that a sealed one does not.
func TestInnerNamespacesAreJudged(t *testing.T) {
	wild := Known([]Policy{{Name: "app", Rules: []Rule{{Path: "*", Capabilities: []string{"read"}}}}})
	tame := Known([]Policy{{Name: "app"}})
	inner := func(path string, policies Fact[[]Policy]) Inner {
		return Inner{Path: path, Facts: Facts{Policies: policies}}
	}
	unread := inner("foreign", NotKnown[[]Policy]("our policy does not let us"))
	accept := func(object string) Rules {
		return Rules{Exceptions: []Exception{{Control: "wildcard-policies", Object: object, Reason: "r", Until: time.Now().Add(time.Hour)}}}
	}
	for name, test := range map[string]struct {
		policies Fact[[]Policy]
		inner    []Inner
		rules    Rules
		status   Status
		objects  []string
	}{
		"none":             {tame, nil, Rules{}, Holds, nil},
		"all hold":         {tame, []Inner{inner("a", tame)}, Rules{}, Holds, nil},
		"one fails":        {tame, []Inner{inner("a", tame), inner("a/b", wild)}, Rules{}, Fails, []string{"a/b/app"}},
		"two fail":         {wild, []Inner{inner("a", wild)}, Rules{}, Fails, []string{"app", "a/app"}},
		"one accepted":     {wild, []Inner{inner("a", wild)}, accept("a/app"), Fails, []string{"app"}},
		"unread":           {tame, []Inner{unread}, Rules{}, Unknown, []string{"foreign/"}},
		"unread, accepted": {tame, []Inner{unread}, accept("foreign/"), Accepted, nil},
		"unread and bad":   {wild, []Inner{unread}, Rules{}, Fails, []string{"app"}},
		"bad and unread":   {tame, []Inner{unread, inner("a", wild)}, Rules{}, Fails, []string{"a/app"}},
		"root unread":      {NotKnown[[]Policy]("no"), []Inner{inner("a", tame)}, Rules{}, Unknown, nil},
		"sealed":           {tame, []Inner{{Path: "shut", Sealed: true}}, Rules{}, Holds, nil},
	} {
		facts := Facts{Now: time.Now(), Policies: test.policies, Inner: test.inner}
		control, _ := Find("wildcard-policies")
		got := judge(control, facts, test.rules)
		if got.Status != test.status || test.status != Accepted && !slices.Equal(got.Objects, test.objects) {
			t.Errorf("%s: got %q, %q (%s)", name, got.Status, got.Objects, got.Seen)
		}
	}
}

// TestInnerFixes holds that a fix is made in the namespace that needs it.
func TestInnerFixes(t *testing.T) {
	open := Known([]Mount{{Path: "users", Type: "userpass", NoLockout: true}})
	facts := Facts{Auth: Known([]Mount{}), Inner: []Inner{{Path: "a/b", Facts: Facts{Auth: open}}}}
	control, _ := Find("user-lockout")
	result := judge(control, facts, Rules{})
	calls := result.Fix(facts, Limits{})
	if result.Status != Fails || len(calls) != 1 || calls[0].Path != "a/b/sys/auth/users/tune" {
		t.Errorf("got %q and %+v", result.Status, calls)
	}
}

// TestServerDoesNotApplyInNamespace holds that a run in a namespace is not judged by the server.
func TestServerDoesNotApplyInNamespace(t *testing.T) {
	for _, result := range Judge(Facts{Now: time.Now(), Namespace: "team"}, DefaultRules(Production), true) {
		server := len(WithoutServer(result.Groups)) < len(result.Groups)
		if (result.Status == Inapplicable) != server {
			t.Errorf("%s: %q, %s", result.ID, result.Status, result.Seen)
		}
	}
}
