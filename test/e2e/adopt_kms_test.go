package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// bucket is what bank-vaults keeps in one: each key in hex, encrypted with a key of AWS KMS and an
// encryption context.
type bucket struct {
	*testing.T
	kms   *testbed.KMS
	owner testbed.KMSCaller
	arn   string
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	const secret = "the-secret-access-key-of-the-owner"
	testbed.NoteSecrets(t, secret)
	b := &bucket{T: t, kms: testbed.KMSFor(t, "eu-central-1"), owner: testbed.KMSCaller{Credentials: aws.Credentials{AccessKeyID: "AKIDOWNER", SecretAccessKey: secret}}}
	b.kms.Admit(b.owner)
	var made struct{ KeyMetadata struct{ Arn string } }
	b.call("CreateKey", map[string]any{}, &made)
	b.arn = made.KeyMetadata.Arn
	return b
}

func (b *bucket) call(operation string, in, out any) {
	b.Helper()
	if err := b.kms.Call(b.Context(), b.owner, operation, in, out); err != nil {
		b.Fatal(err)
	}
}

// env is the environment of a caller.
func (b *bucket) env(caller testbed.KMSCaller) []string {
	return []string{"AWS_ENDPOINT_URL_KMS=" + b.kms.URL, "AWS_ACCESS_KEY_ID=" + caller.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + caller.SecretAccessKey, "AWS_EC2_METADATA_DISABLED=true"}
}

// entries returns the keys of a Vault, encrypted, by names with a prefix.
func (b *bucket) entries(keys testbed.VaultKeys, prefix string, about map[string]string) map[string][]byte {
	b.Helper()
	plain := map[string]string{"vault-root": keys.RootToken, "vault-test": "vault-test"}
	for i, share := range keys.Shares {
		plain[fmt.Sprintf("vault-unseal-%d", i)] = inHex(b.T, share)
	}
	entries := map[string][]byte{}
	for name, text := range plain {
		var made struct{ CiphertextBlob []byte }
		b.call("Encrypt", map[string]any{"KeyId": b.arn, "Plaintext": []byte(text), "EncryptionContext": about}, &made)
		entries[prefix+name] = made.CiphertextBlob
	}
	return entries
}

// theirs is the encryption context of bank-vaults.
var theirs = map[string]string{"Tool": "bank-vaults"}

func (b *bucket) copied(entries map[string][]byte) string {
	b.Helper()
	dir := b.TempDir()
	for name, content := range entries {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// TestAdoptFromKMS takes keys over from a copy of a bucket whose content AWS KMS has encrypted. What
// cannot be decrypted is named, and nothing is stored.
func TestAdoptFromKMS(t *testing.T) {
	b := newBucket(t)
	cluster, keys := foreign(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	owner := p.with(b.env(b.owner)...)
	entries := b.entries(keys, "prod-", theirs)
	dir := b.copied(entries)
	decrypt := []string{"--keys-dir=" + dir, "--keys-decrypt-by=awskms:" + b.arn, "--revoke-token"}

	stranger := b.owner
	stranger.AccessKeyID, stranger.May = "AKIDSTRANGER", []string{"Encrypt"}
	b.kms.Admit(stranger)
	var other struct{ KeyMetadata struct{ Arn string } }
	b.call("CreateKey", map[string]any{}, &other)
	entries["prod-vault-unseal-1"][len(entries["prod-vault-unseal-1"])-1] ^= 1
	flipped := b.copied(entries)
	delete(entries, "prod-vault-unseal-1")
	incomplete := b.copied(entries)
	for name, test := range map[string]struct {
		p     *program
		code  int
		flags []string
		says  []string
	}{
		"not decrypted":       {owner, 64, []string{"--keys-dir=" + dir, "--revoke-token"}, []string{"not a key share", "--keys-decrypt-by"}},
		"no grant":            {p.with(b.env(stranger)...), 70, decrypt, []string{"permission denied", "kms:Decrypt"}},
		"another context":     {owner, 70, append(decrypt, "--keys-decrypt-context=Tool=other"), []string{"cannot decrypt", "encryption context"}},
		"no context":          {owner, 70, append(decrypt, "--keys-decrypt-context="), []string{"cannot decrypt", "encryption context"}},
		"another key":         {owner, 70, append(decrypt, "--keys-decrypt-by=awskms:"+other.KeyMetadata.Arn), []string{"cannot decrypt", "another key"}},
		"a flipped byte":      {owner, 70, append(decrypt, "--keys-dir="+flipped), []string{"prod-vault-unseal-1", "cannot decrypt"}},
		"a share is missing":  {owner, 64, append(decrypt, "--keys-dir="+incomplete), []string{"prod-vault-unseal-1 is missing"}},
		"nobody who decrypts": {owner, 64, append(decrypt, "--keys-decrypt-by=transit:https://vault/transit/k"), []string{"AWS KMS and Google Cloud KMS only"}},
		"not an ARN":          {owner, 64, append(decrypt, "--keys-decrypt-by=awskms:alias/x"), []string{"region and account are missing"}},
		"a bad context":       {owner, 64, append(decrypt, "--keys-decrypt-context=Tool"), []string{"NAME=VALUE"}},
		"for files":           {owner, 64, append(decrypt[1:], "--keys-file="+filepath.Join(dir, "prod-vault-root")), []string{"--keys-from-secret and --keys-dir"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := *test.p
			p.t = t
			wantFailure(t, p.run("adopt", test.flags...), test.code, test.says...)
			if hasKeys(t, &p) {
				t.Error("keys are stored")
			}
		})
	}
	adopted := owner.must(0, "adopt", decrypt...)
	wantEvents(t, "adoption", adopted.Events(), "seed", "harden")
	wantAdopted(t, p, cluster, keys)
}

// TestAdoptFromKMSInASecret takes them from a Secret that holds ciphertext, and encrypts the record to the
// same key.
func TestAdoptFromKMSInASecret(t *testing.T) {
	b := newBucket(t)
	cluster, keys := foreign(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, cluster)
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": "theirs", "namespace": namespace},
		"data": b.entries(keys, "", map[string]string{"Tool": "bank-vaults", "Cluster": "one, two"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "apply", "-f", kept(t, string(manifest)))
	kubectl(t, "create", "role", "adopt", "-n", namespace, "--verb=get", "--resource=secrets", "--resource-name=theirs")
	kubectl(t, "create", "rolebinding", "adopt", "-n", namespace, "--role=adopt", "--serviceaccount="+namespace+":vault-bootstrap")
	plain := p.keys
	p = p.with(b.env(b.owner)...)
	safe := newPerson(t)
	p.flags = append(p.flags, "--keys-to=awskms:"+b.arn, "--keys-to="+safe.recipient)
	p.keys = safe.opens(t, plain)
	adopted := p.must(0, "adopt", "--keys-from-secret=theirs", "--keys-decrypt-by=awskms:"+b.arn,
		"--keys-decrypt-context=Tool=bank-vaults", "--keys-decrypt-context=Cluster=one, two", "--revoke-token")
	wantEvents(t, "adoption", adopted.Events(), "seed", "harden")
	wantAdopted(t, p, cluster, keys)
	if strings.Contains(string(plain()), keys.Shares[0]) {
		t.Error("the Secret shows a share")
	}
}
