package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// refusedBefore has a run refuse its recipients before Vault is asked for anything.
func refusedBefore(t *testing.T, p *program, cluster *testbed.VaultCluster, code int, says string, flags ...string) {
	t.Helper()
	end := p.must(code, "run", append(flags, "--timeout=5s")...)
	if !strings.Contains(end.Stderr, says) {
		t.Errorf("it does not say %q: %s", says, end)
	}
	var found struct{ Initialized bool }
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodGet, "sys/init", "", nil, &found); err != nil || found.Initialized {
		t.Errorf("Vault is initialized (%t): %v", found.Initialized, err)
	}
}

// lockedAfter has a run find a sealed Vault and a record that it cannot open: it names why, calls
// nothing lost or foreign, and does not initialize.
func lockedAfter(t *testing.T, p *program, node *testbed.VaultNode, code int, says string, flags ...string) {
	t.Helper()
	stored := p.keys()
	for _, verb := range []string{"run", "post-start"} {
		want := code
		if verb == "post-start" {
			want = 0 // always
		}
		end := p.must(want, verb, append(flags, "--timeout=5s")...)
		if !strings.Contains(end.Stderr, says) {
			t.Errorf("%s does not say %q: %s", verb, says, end)
		}
		for _, never := range []string{"keys lost", "no keys are stored", "not ours", "half-initialized"} {
			if strings.Contains(end.Stderr, never) {
				t.Errorf("%s says %q: %s", verb, never, end)
			}
		}
	}
	if got := health(t, node); got != http.StatusServiceUnavailable {
		t.Errorf("the health is %d", got)
	}
	if p.keys() == nil || stored == nil {
		t.Error("the record is gone")
	}
}

// TestTransitRecipientsThatDoNotWork has tokens and keys of another Vault that do not do, before Vault
// is initialized and after.
func TestTransitRecipientsThatDoNotWork(t *testing.T) {
	t.Parallel()
	kms, cluster := testbed.TransitFor(t), testbed.VaultFor(t, testbed.VaultOptions{})
	_, flags := testbed.FrontFor(t, kms, "k")
	token := func(operations ...string) (text, flag string) {
		text, err := kms.Token(t.Context(), "k", operations...)
		check(t, err)
		return text, "--keys-token-file=" + testbed.TokenFileFor(t, text)
	}
	_, encrypts := token("encrypt")
	_, decrypts := token("decrypt")
	text, ended := token("encrypt", "decrypt")
	check(t, kms.Put(t.Context(), "auth/token/revoke", map[string]any{"token": text}, nil))
	expired := "credential not accepted"
	if kms.Server.Product == testbed.OpenBao { // 2.6.2 answers the same to a token without a permission
		expired = "permission denied"
	}
	p, _ := inFiles(t, cluster, flags...)
	refusedBefore(t, p, cluster, 64, "permission denied", encrypts)
	refusedBefore(t, p, cluster, 64, "permission denied", decrypts)
	refusedBefore(t, p, cluster, 64, expired, ended)
	unsuitable := signing(t, kms, flags[0])
	refusedBefore(t, p, cluster, 64, "no such key", "--keys-to="+strings.TrimPrefix(flags[0], "--keys-to=")+"-of-nobody")
	refusedBefore(t, p, cluster, 64, "key unsuitable", unsuitable)

	p.must(0, "run")
	check(t, cluster.Nodes[0].Restart(t.Context()))
	lockedAfter(t, p, cluster.Nodes[0], 70, "permission denied", encrypts)
	lockedAfter(t, p, cluster.Nodes[0], 70, expired, ended)
	check(t, kms.Put(t.Context(), "transit/keys/k/config", map[string]any{"deletion_allowed": true}, nil))
	backup := exportKey(t, kms)
	check(t, kms.Delete(t.Context(), "transit/keys/k"))
	lockedAfter(t, p, cluster.Nodes[0], 70, "no such key")
	check(t, kms.Put(t.Context(), "transit/keys/k", map[string]any{}, nil))
	lockedAfter(t, p, cluster.Nodes[0], 70, "cannot decrypt") // another key of that name
	check(t, kms.Put(t.Context(), "transit/keys/k/config", map[string]any{"deletion_allowed": true}, nil))
	check(t, kms.Delete(t.Context(), "transit/keys/k"))
	check(t, kms.Put(t.Context(), "transit/restore/k", map[string]any{"backup": backup}, nil))
	p.must(0, "run")
}

// signing makes a key that cannot encrypt, and returns the flag that names it beside the others.
func signing(t *testing.T, kms *testbed.Transit, flag string) string {
	t.Helper()
	check(t, kms.Put(t.Context(), "transit/keys/k-signs", map[string]any{"type": "ed25519"}, nil))
	policy := `path "transit/+/k*" { capabilities = ["update"] }`
	check(t, kms.Put(t.Context(), "sys/policies/acl/k-encrypt-decrypt", map[string]any{"policy": policy}, nil))
	return flag + "-signs"
}

// exportKey returns a backup of the key, so that it can be brought back as it was.
func exportKey(t *testing.T, kms *testbed.Transit) string {
	t.Helper()
	check(t, kms.Put(t.Context(), "transit/keys/k/config", map[string]any{"exportable": true, "allow_plaintext_backup": true}, nil))
	var made struct{ Data struct{ Backup string } }
	check(t, kms.Get(t.Context(), "transit/backup/k", &made))
	testbed.NoteSecrets(t, made.Data.Backup)
	return made.Data.Backup
}

// TestAWSRecipientsThatDoNotWork has a wrong region, expired credentials, and keys in each state that is
// not good, in an emulator of AWS KMS that checks signatures.
func TestAWSRecipientsThatDoNotWork(t *testing.T) {
	t.Parallel()
	const secret = "the-secret-access-key-of-the-suite"
	testbed.NoteSecrets(t, secret)
	cluster, kms := testbed.VaultFor(t, testbed.VaultOptions{}), testbed.KMSFor(t, "eu-central-1")
	caller := func(id string, may ...string) testbed.KMSCaller {
		return testbed.KMSCaller{Credentials: aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, May: may}
	}
	administrator, ours, halfway, old := caller("AKIDADMIN"), caller("AKIDOURS", "Encrypt", "Decrypt"), caller("AKIDHALF", "Encrypt"), caller("AKIDOLD")
	old.Expired = true
	for _, each := range []testbed.KMSCaller{administrator, ours, halfway, old} {
		kms.Admit(each)
	}
	call := func(operation string, in map[string]any, out any) {
		t.Helper()
		check(t, kms.Call(t.Context(), administrator, operation, in, out))
	}
	key := func() string {
		var made struct{ KeyMetadata struct{ Arn string } }
		call("CreateKey", map[string]any{}, &made)
		return made.KeyMetadata.Arn
	}
	arn, disabled, deleted := key(), key(), key()
	call("DisableKey", map[string]any{"KeyId": disabled}, nil)
	call("ScheduleKeyDeletion", map[string]any{"KeyId": deleted, "PendingWindowInDays": 7}, nil)

	as := func(p *program, who testbed.KMSCaller) *program {
		return p.with("AWS_ACCESS_KEY_ID="+who.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_ENDPOINT_URL_KMS="+kms.URL, "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true")
	}
	bare, _ := inFiles(t, cluster)
	to := func(arn string) string { return "--keys-to=awskms:" + arn }
	p := as(bare, ours)
	refusedBefore(t, p, cluster, 64, "wrong region", to(strings.Replace(arn, "eu-central-1", "eu-west-1", 1)))
	refusedBefore(t, p, cluster, 64, "key disabled", to(disabled))
	refusedBefore(t, p, cluster, 64, "key deleted", to(deleted))
	refusedBefore(t, p, cluster, 64, "no such key", to(arn[:len(arn)-4]+"0000"))
	refusedBefore(t, as(bare, old), cluster, 64, "credential not accepted", to(arn))
	refusedBefore(t, as(bare, halfway), cluster, 64, "permission denied", to(arn))

	p.flags = append(p.flags, to(arn))
	p.must(0, "run")
	check(t, cluster.Nodes[0].Restart(t.Context()))
	call("DisableKey", map[string]any{"KeyId": arn}, nil)
	lockedAfter(t, p, cluster.Nodes[0], 70, "key disabled")
	call("EnableKey", map[string]any{"KeyId": arn}, nil)
	call("ScheduleKeyDeletion", map[string]any{"KeyId": arn, "PendingWindowInDays": 7}, nil)
	lockedAfter(t, p, cluster.Nodes[0], 70, "key deleted")
	call("CancelKeyDeletion", map[string]any{"KeyId": arn}, nil)
	call("EnableKey", map[string]any{"KeyId": arn}, nil)
	lockedAfter(t, as(p, old), cluster.Nodes[0], 70, "credential not accepted")
	lockedAfter(t, as(p, halfway), cluster.Nodes[0], 70, "permission denied")
	p.must(0, "run")
}

// TestEncryptedRecordsThatAreDamaged damages header, box and wrap of a stored record, and has somebody
// else's identity: each is named, and nothing is initialized again.
func TestEncryptedRecordsThatAreDamaged(t *testing.T) {
	t.Parallel()
	cluster, ours, stranger := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, dir := inFiles(t, cluster, "--keys-to="+ours.recipient, "--keys-identity="+ours.file)
	p.must(0, "run")
	check(t, cluster.Nodes[0].Restart(t.Context()))
	file := driver.RecordFile(dir, "keys")
	good, err := os.ReadFile(file)
	check(t, err)
	for name, damage := range map[string]struct {
		change func(record, sealing map[string]any)
		says   string
	}{
		"truncated box": {func(_, sealing map[string]any) { sealing["box"] = text64(bytes64(t, sealing["box"])[:100]) }, "record corrupt"},
		"no box":        {func(_, sealing map[string]any) { sealing["box"] = "" }, "record corrupt"},
		"box":           {func(_, sealing map[string]any) { sealing["box"] = flipped(t, sealing["box"], 7) }, "record corrupt"},
		"nonce":         {func(_, sealing map[string]any) { sealing["nonce"] = flipped(t, sealing["nonce"], 3) }, "record corrupt"},
		"header": {func(record, _ map[string]any) {
			record["header"].(map[string]any)["set"].(map[string]any)["threshold"] = 1
		}, "record corrupt"},
		"wrap": {func(_, sealing map[string]any) {
			wrap := sealing["wraps"].([]any)[0].(map[string]any)
			wrap["wrapped"] = flipped(t, wrap["wrapped"], -5)
		}, "keys sealed to others"},
	} {
		t.Run(name, func(t *testing.T) {
			var record map[string]any
			check(t, json.Unmarshal(good, &record))
			damage.change(record, record["sealing"].(map[string]any))
			bad, err := json.Marshal(record)
			check(t, err)
			write(t, file, string(bad))
			inner := *p
			inner.t = t
			lockedAfter(t, &inner, cluster.Nodes[0], 70, damage.says)
			write(t, file, string(good))
		})
	}
	other := *p
	other.flags = append(p.flags[:0:0], p.flags...)
	for i, flag := range other.flags {
		if strings.HasPrefix(flag, "--keys-identity=") {
			other.flags[i] = "--keys-identity=" + stranger.file
		}
	}
	lockedAfter(t, &other, cluster.Nodes[0], 70, "keys sealed to others")
	left, err := os.ReadFile(file)
	check(t, err)
	if !bytes.Contains(left, []byte(ours.recipient)) {
		t.Error("the record has other recipients")
	}
	p.must(0, "run")
}

func bytes64(t *testing.T, value any) []byte {
	t.Helper()
	content, err := base64.StdEncoding.DecodeString(fmt.Sprint(value))
	check(t, err)
	return content
}

func text64(content []byte) string { return base64.StdEncoding.EncodeToString(content) }

// flipped returns a value of base64 with a bit of one byte changed; a negative place counts from the
// end.
func flipped(t *testing.T, value any, at int) string {
	t.Helper()
	content := bytes64(t, value)
	if at < 0 {
		at += len(content)
	}
	content[at] ^= 1
	return text64(content)
}
