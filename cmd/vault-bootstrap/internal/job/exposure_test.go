package job

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// held returns keys with shares.
func held() store.Keys {
	return store.Keys{Set: &store.KeySet{Kind: store.UnsealKeys, Shares: secret.Values([]string{"s"}), Threshold: 1}}
}

// TestIdentityBesideTheRecords finds an identity in the directory of the records, however it is named.
func TestIdentityBesideTheRecords(t *testing.T) {
	recipient, file, key := identity(t)
	dir := t.TempDir()
	beside := filepath.Join(dir, "below", "identity.txt")
	check(t, os.Mkdir(filepath.Dir(beside), 0o700))
	check(t, os.WriteFile(beside, []byte(key.String()+"\n"), 0o600))
	link := filepath.Join(t.TempDir(), "link")
	check(t, os.Symlink(dir, link))
	for name, test := range map[string]struct {
		wrap  store.Wrap
		files []string
		want  string // beside, elsewhere, or not known
	}{
		"elsewhere":             {store.Wrap{Recipient: recipient}, []string{file}, "elsewhere"},
		"beside":                {store.Wrap{Recipient: recipient}, []string{beside}, "beside"},
		"by a link":             {store.Wrap{Recipient: recipient}, []string{filepath.Join(link, "below", "identity.txt")}, "beside"},
		"an escrow beside":      {store.Wrap{Recipient: recipient, Escrow: true}, []string{beside}, "beside"},
		"an escrow":             {store.Wrap{Recipient: recipient, Escrow: true}, nil, "elsewhere"},
		"not given":             {store.Wrap{Recipient: recipient}, nil, "not known"},
		"a KMS":                 {store.Wrap{Recipient: "kms-plugin:unix:/run/kms.sock"}, []string{beside}, "elsewhere"},
		"a recipient of others": {store.Wrap{Recipient: "age:age1x"}, []string{beside}, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			options := &StoreOptions{Name: "x", Store: "file:" + dir, Encrypt: RecipientOptions{To: []string{recipient}, Identities: test.files}}
			records, _, err := options.open(noVariables)
			check(t, err)
			wantBeside(t, options.newIdentities(noVariables, records).record(t.Context(), store.Keys{Set: held().Set, Sealing: &store.Sealing{Wraps: []store.Wrap{test.wrap}}}), test.want)
		})
	}
}

func wantBeside(t *testing.T, record harden.Record, want string) {
	t.Helper()
	got := "not known"
	is, known := record.Recipients[0].Beside.Get()
	if known {
		got = map[bool]string{true: "beside", false: "elsewhere"}[is]
	}
	if got != want || !known && record.Recipients[0].Beside.Why() == "" {
		t.Errorf("the identity lies %s (%s), want %s", got, record.Recipients[0].Beside.Why(), want)
	}
}

// mounts are the objects that files come from, by pod and path.
type mounts map[string]string

func (m mounts) Object(_ context.Context, pod, path string) (string, error) {
	object, known := m[pod+" "+path]
	if !known {
		return "", errors.New("no such pod")
	}
	return object, nil
}

// TestIdentityFromASecret finds an identity that a pod has from an object of its namespace.
func TestIdentityFromASecret(t *testing.T) {
	named := func(pairs ...string) Lookup {
		return func(name string) (string, bool) {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1], true
				}
			}
			return "", false
		}
	}
	for name, test := range map[string]struct {
		env         Lookup
		file        string
		known, want bool
	}{
		"no pod name":     {named(), "/identity/key.txt", false, false},
		"from the Secret": {named("POD_NAME", "us"), "/identity/key.txt", true, true},
		"from elsewhere":  {named("POD_NAME", "us"), "/csi/key.txt", true, false},
		"another pod":     {named("POD_NAME", "gone"), "/identity/key.txt", false, false},
	} {
		got := (&identities{env: test.env}).mounted(t.Context(), mounts{"us /identity/key.txt": `Secret "ns/identity"`, "us /csi/key.txt": ""}, test.file)
		if is, known := got.Get(); is != test.want || known != test.known {
			t.Errorf("%s: %v, %v (%s)", name, is, known, got.Why())
		}
	}
}

// TestWarnOfExposure warns once, and only where nothing else says it.
func TestWarnOfExposure(t *testing.T) {
	clear := held()
	encrypted := held()
	encrypted.Sealing = &store.Sealing{Wraps: []store.Wrap{{Recipient: "kms-plugin:unix:/run/kms.sock"}}}
	operators := store.Keys{Set: &store.KeySet{Custody: []store.CustodyShare{{Message: "m"}}}}
	rules := func(spec harden.Spec) harden.Rules {
		made, err := harden.NewRules(spec)
		check(t, err)
		return made
	}
	base := harden.DefaultRules(harden.Base)
	exception := harden.ExceptionSpec{Control: harden.KeysEncrypted, Reason: "r", Expires: time.Now().AddDate(1, 0, 0).Format(time.DateOnly)}
	for name, test := range map[string]struct {
		keys    store.Keys
		rules   harden.Rules
		goal    fsm.State
		keyless bool
		// run and watch are whether a run warns, and a watch, which ends with no summary.
		run, watch bool
	}{
		"in clear":                  {clear, base, fsm.Hardened, false, true, true},
		"not initialized":           {store.Keys{Epoch: 3}, base, fsm.Hardened, false, false, false},
		"encrypted":                 {encrypted, base, fsm.Hardened, false, false, false},
		"with operators":            {operators, base, fsm.Hardened, false, false, false},
		"no keys of ours":           {clear, base, fsm.Hardened, true, false, false},
		"baseline":                  {clear, rules(harden.Spec{Profile: "baseline"}), fsm.Hardened, false, true, true},
		"production fails":          {clear, rules(harden.Spec{Profile: "production"}), fsm.Hardened, false, false, false},
		"production is not reached": {clear, rules(harden.Spec{Profile: "production"}), fsm.Seeded, false, true, true},
		"accepted":                  {clear, rules(harden.Spec{Profile: "baseline", Exceptions: []harden.ExceptionSpec{exception}}), fsm.Hardened, false, false, false},
		"advised":                   {clear, rules(harden.Spec{Profile: "production", Advise: []string{harden.KeysEncrypted}}), fsm.Hardened, false, false, true},
	} {
		for summary, want := range map[bool]bool{true: test.run, false: test.watch} {
			options := &RunOptions{Store: StoreOptions{Name: "x", Store: "file:" + t.TempDir(), Keys: StoredKeys}}
			if test.keyless {
				options.Store.Keys = NoKeys
			}
			records, _, err := options.Store.open(noVariables)
			check(t, err)
			job := &Job{Options: options, Goal: test.goal, Store: records, atRest: atRest{identities: options.Store.newIdentities(noVariables, records), rules: test.rules}}
			var log bytes.Buffer
			for range 3 {
				job.WarnOfExposure(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), test.keys, summary)
			}
			if got := strings.Count(log.String(), "keys at rest"); got != map[bool]int{true: 1}[want] {
				t.Errorf("%s, with a summary %v: %d warnings, want %v: %s", name, summary, got, want, log.String())
			}
			if want && (!strings.Contains(log.String(), "keys reseal --keys-to=") || !strings.Contains(log.String(), records.Location().Keys)) {
				t.Errorf("%s: it names no command, or no record: %s", name, log.String())
			}
		}
	}
}
