package harden_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// recipient returns one whose identity lies elsewhere.
func recipient(name string, since, proven time.Time) harden.Recipient {
	return harden.Recipient{Name: name, Beside: harden.Known(false), Since: since, Proven: proven}
}

// records are keys records in which the controls about them come to as many findings as they have.
func records() map[string]harden.Record {
	kms, safe := recipient("kms", now, now), recipient("safe", now, time.Time{})
	beside, elsewhere := recipient("beside", now, now), recipient("elsewhere", now, now)
	beside.Beside, elsewhere.Beside = harden.Known(true), harden.NotKnown[bool]("where the identity of elsewhere is kept is not known here")
	old := now.AddDate(-2, 0, 0)
	return map[string]harden.Record{
		"no keys":                   {},
		"in clear":                  {Stored: true, Shares: true, Clear: []string{"key shares", "secret ID"}},
		"with operators":            {Stored: true, Operators: true},
		"with operators, our login": {Stored: true, Operators: true, Clear: []string{"secret ID"}},
		"operators and a recipient": {Stored: true, Operators: true, Recipients: []harden.Recipient{kms}},
		"no shares":                 {Stored: true},
		"one recipient":             {Stored: true, Shares: true, Recipients: []harden.Recipient{kms}},
		"and an escrow":             {Stored: true, Shares: true, Recipients: []harden.Recipient{kms, safe}},
		"beside":                    {Stored: true, Shares: true, Recipients: []harden.Recipient{kms, beside, elsewhere}},
		"perhaps beside":            {Stored: true, Shares: true, Recipients: []harden.Recipient{kms, elsewhere}},
		"an old escrow":             {Stored: true, Shares: true, Recipients: []harden.Recipient{kms, recipient("safe", old, time.Time{})}},
		"an old escrow, tried":      {Stored: true, Shares: true, Recipients: []harden.Recipient{kms, recipient("safe", old, now.AddDate(0, -1, 0))}},
		"nobody tried":              {Stored: true, Shares: true, Recipients: []harden.Recipient{recipient("kms", old, old), recipient("safe", old, old)}},
	}
}

func TestRecordControls(t *testing.T) {
	const yes, no, never, unread = harden.Holds, harden.Fails, harden.Inapplicable, harden.Unknown
	for name, want := range map[string]struct {
		encrypted, second, proven harden.Status
		blamed                    string // of the first that fails
	}{
		"no keys":                   {never, never, never, ""},
		"in clear":                  {no, never, never, "key shares, secret ID"},
		"with operators":            {yes, never, never, ""},
		"with operators, our login": {no, never, never, "secret ID"},
		"operators and a recipient": {yes, never, yes, ""},
		"no shares":                 {yes, never, never, ""},
		"one recipient":             {yes, no, yes, "kms"},
		"and an escrow":             {yes, yes, yes, ""},
		"beside":                    {no, yes, yes, "beside"},
		"perhaps beside":            {unread, yes, yes, ""},
		"an old escrow":             {yes, yes, no, "safe"},
		"an old escrow, tried":      {yes, yes, yes, ""},
		"nobody tried":              {yes, yes, no, "kms, safe"},
	} {
		t.Run(name, func(t *testing.T) {
			record, ok := records()[name]
			if !ok {
				t.Fatal("there is no such record")
			}
			facts := hardened()
			facts.Record = harden.Known(record)
			results := harden.Judge(facts, harden.DefaultRules(harden.Production), false)
			blamed := ""
			for _, each := range []struct {
				id   string
				want harden.Status
			}{{"keys-encrypted", want.encrypted}, {"keys-second-recipient", want.second}, {"recipients-proven", want.proven}} {
				got := find(t, results, each.id)
				if got.Status != each.want || !got.Required {
					t.Errorf("%s: %s (%s), required %v, want %s", each.id, got.Status, got.Found(), got.Required, each.want)
				}
				if got.Status == harden.Fails && blamed == "" {
					blamed = strings.Join(got.Objects, ", ")
				}
			}
			if blamed != want.blamed {
				t.Errorf("blamed: %s, want %s", blamed, want.blamed)
			}
		})
	}
}

// TestProofAge holds that the limit of the seed counts, to the second.
func TestProofAge(t *testing.T) {
	facts := hardened()
	facts.Record = harden.Known(harden.Record{Stored: true, Shares: true, Recipients: []harden.Recipient{recipient("kms", now.Add(-time.Hour), now.Add(-time.Hour))}})
	for limit, want := range map[string]harden.Status{"1h": harden.Holds, "59m59s": harden.Fails} {
		if got := find(t, harden.Judge(facts, rules(t, harden.Spec{Limits: map[string]string{"proof-age": limit}}), false), "recipients-proven"); got.Status != want {
			t.Errorf("with a limit of %s: %s", limit, got.Message())
		}
	}
}

// TestNoStoredKeys holds that nothing about a record is demanded where none holds keys, and that it is
// said why.
func TestNoStoredKeys(t *testing.T) {
	facts := weak()
	facts.Keyless, facts.Record = true, harden.NotKnown[harden.Record]("unread")
	for _, result := range harden.Judge(facts, harden.DefaultRules(harden.Strict), false) {
		if slices.Contains(result.Groups, harden.GroupRecord) && (result.Status != harden.Inapplicable || !strings.Contains(result.Seen, "--keys=none")) {
			t.Errorf("%s", result.Message())
		}
	}
}

// TestRecordIsNotJudgedUnasked holds that runs without rules do not look at the record.
func TestRecordIsNotJudgedUnasked(t *testing.T) {
	for profile, want := range map[harden.Profile]bool{harden.Base: false, harden.Baseline: false, harden.Production: true, harden.Strict: true} {
		if got := slices.Contains(harden.DefaultRules(profile).Groups(), harden.GroupRecord); got != want {
			t.Errorf("%s: %v", profile, got)
		}
	}
}
