package job

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// noVariables is an environment without variables.
func noVariables(string) (string, bool) { return "", false }

// identity returns a recipient of age, and the file with its identity.
func identity(t *testing.T) (recipient, file string, key *age.X25519Identity) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	check(t, err)
	file = filepath.Join(t.TempDir(), "identity.txt")
	check(t, os.WriteFile(file, []byte(key.String()+"\n"), 0o600))
	return "age:" + key.Recipient().String(), file, key
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened returns records in a directory, and a session.
func opened(t *testing.T, dir string, options RecipientOptions) (store.Store, *fencing.Session) {
	t.Helper()
	records, _, err := (&StoreOptions{Name: "x", Store: "file:" + dir, Encrypt: options}).Open(noVariables)
	check(t, err)
	check(t, records.Preflight(t.Context()))
	session, err := fencing.Begin(t.Context(), records, storetest.LeaseOptions("me"))
	check(t, err)
	t.Cleanup(func() { _ = session.Close() })
	return records, session
}

func TestRecipientsAreRefused(t *testing.T) {
	ours, file, _ := identity(t)
	open := filepath.Join(t.TempDir(), "open.txt")
	check(t, os.WriteFile(open, []byte("x"), 0o644))
	empty := filepath.Join(t.TempDir(), "empty")
	check(t, os.WriteFile(empty, nil, 0o600))
	const server = "transit:https://vault:8200/transit/x?"
	for name, test := range map[string]struct {
		options RecipientOptions
		says    string
	}{
		"an identity for nobody":     {RecipientOptions{Identities: []string{file}}, "there are none"},
		"no kind":                    {RecipientOptions{To: []string{"vault:x"}}, "of no known kind"},
		"twice":                      {RecipientOptions{To: []string{ours, ours}}, "twice"},
		"transit without a token":    {RecipientOptions{To: []string{"transit:https://vault:8200/transit/x"}}, "--keys-token-file"},
		"a file that all can read":   {RecipientOptions{To: []string{ours}, Identities: []string{open}}, "others can read"},
		"no certificate":             {RecipientOptions{To: []string{ours}, CA: empty}, "no certificate"},
		"a CA that is not there":     {RecipientOptions{To: []string{ours}, CA: file + "x"}, "--keys-ca"},
		"a method that there is not": {RecipientOptions{To: []string{server + "login=ldap"}}, "login=ldap"},
		"another method's option":    {RecipientOptions{To: []string{server + "login=kubernetes&role=r&user=me"}}, "\"user\""},
		"a login without its role":   {RecipientOptions{To: []string{server + "login=jwt&token-file=/x"}}, "needs the option role"},
		"a secret among the options": {RecipientOptions{To: []string{server + "login=approle&role-id=r&secret-id=AGE-SECRET-KEY-1QQQ"}}, "secret-id"},
		"options without a login":    {RecipientOptions{To: []string{server + "ca=" + file}}, "needs a login"},
		"a role without a login":     {RecipientOptions{To: []string{server + "role=r"}, TokenFile: file}, "\"role\""},
		"a certificate, and no key":  {RecipientOptions{To: []string{server + "client-cert=" + file}, TokenFile: file}, "belong together"},
		"a server's CA not there":    {RecipientOptions{To: []string{server + "ca=" + file + "x"}, TokenFile: file}, "the option ca"},
		"one server twice":           {RecipientOptions{To: []string{server + "login=gcp&role=r", server + "login=gcp&role=s"}}, "twice"},
		"an identity as recipient":   {RecipientOptions{To: []string{"age:AGE-SECRET-KEY-1QQQ"}}, "--keys-to"},
		"an identity not there":      {RecipientOptions{To: []string{ours}, Identities: []string{file + "x"}}, "--keys-identity"},
		"an ARN that is no key":      {RecipientOptions{To: []string{"awskms:arn:aws:s3:::bucket"}}, "awskms:"},
		"keys that are not ours":     {RecipientOptions{To: []string{ours}}, "--keys=none exclude each other"},
		"an escrow, and no one here": {RecipientOptions{To: []string{ours}}, "nothing here could open them again"},
	} {
		options := &StoreOptions{Name: "x", Store: "file:" + t.TempDir(), Encrypt: test.options}
		if name == "keys that are not ours" {
			options.Keys = NoKeys
		}
		records, _, err := options.Open(noVariables)
		if err == nil {
			err = records.Preflight(t.Context())
		}
		if err == nil || fault.KindOf(err) != fault.Usage || fault.RemedyOf(err) == "" || !strings.Contains(err.Error()+fault.RemedyOf(err), test.says) {
			t.Errorf("%s: %v (%s): %s", name, err, fault.KindOf(err), fault.RemedyOf(err))
		}
		if strings.Contains(err.Error(), "AGE-SECRET-KEY-1QQQ") {
			t.Errorf("%s: %v shows an identity", name, err)
		}
	}
}

func TestExportAndImport(t *testing.T) {
	safe, file, key := identity(t)
	ours, ourFile, _ := identity(t)
	records, session := opened(t, t.TempDir(), RecipientOptions{To: []string{ours}, Identities: []string{ourFile}})
	if _, err := Export(t.Context(), records, []string{safe}); fault.KindOf(err) != fault.Usage {
		t.Errorf("without keys: %v", err)
	}
	check(t, session.UpdateKeys(t.Context(), func(keys *store.Keys) error {
		keys.Set = &store.KeySet{Kind: store.UnsealKeys, Shares: secret.Values([]string{"share-one"}), Threshold: 1}
		keys.HashKey = secret.New("hash-key")
		return nil
	}))
	for _, wrong := range [][]string{nil, {"awskms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}, {"age:x"}} {
		if _, err := Export(t.Context(), records, wrong); fault.KindOf(err) != fault.Usage || fault.RemedyOf(err) == "" {
			t.Errorf("to %q: %v", wrong, err)
		}
	}
	exported, err := Export(t.Context(), records, []string{safe})
	check(t, err)
	reader, err := age.Decrypt(bytes.NewReader(exported), key)
	check(t, err)
	text, err := io.ReadAll(reader)
	check(t, err)
	keys, _, err := records.Keys(t.Context())
	check(t, err)
	if want, err := wire.EncodeKeys(keys); err != nil || !bytes.Equal(text, want) {
		t.Errorf("exported was %s, %v", text, err)
	}

	dir := t.TempDir()
	restored, again := opened(t, dir, RecipientOptions{To: []string{ours}, Identities: []string{ourFile}})
	flipped := bytes.Clone(exported)
	flipped[len(flipped)-3] ^= 1
	for name, bad := range map[string]error{
		"another identity": Import(t.Context(), again, exported, []string{ourFile}),
		"no identity":      Import(t.Context(), again, exported, nil),
		"damaged":          Import(t.Context(), again, flipped, []string{file}),
		"not an export":    Import(t.Context(), again, []byte("x"), []string{file}),
	} {
		if fault.KindOf(bad) != fault.Usage || fault.RemedyOf(bad) == "" {
			t.Errorf("%s: %v", name, bad)
		}
	}
	if found, err := again.Keys(t.Context()); err != nil || found.Secret() {
		t.Errorf("a refused import has left %+v, %v", found, err)
	}
	check(t, Import(t.Context(), again, exported, []string{file}))
	found, _, err := restored.Keys(t.Context())
	if err != nil || found.Set == nil || found.Set.Shares[0].Reveal() != "share-one" || found.HashKey.Reveal() != "hash-key" || found.Epoch != again.Epoch() || found.Sealing == nil {
		t.Errorf("imported was %+v, %v", found, err)
	}
	if stored, err := os.ReadFile(restored.Location().Keys); err != nil || bytes.Contains(stored, []byte("share-one")) {
		t.Errorf("stored is %s, %v", stored, err)
	}
	if err := Import(t.Context(), again, exported, []string{file}); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "already holds keys") {
		t.Errorf("over other keys: %v", err)
	}
}
