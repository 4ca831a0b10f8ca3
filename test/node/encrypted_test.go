package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// identity makes an age identity, puts it into the Secret that manifests/examples/encryption/age.yaml
// mounts, and returns its recipient.
func (s *site) identity() string {
	s.t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		s.t.Fatal(err)
	}
	testbed.NoteSecrets(s.t, identity.String())
	file := filepath.Join(s.t.TempDir(), "identity.txt")
	if err := os.WriteFile(file, []byte(identity.String()+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	// No manifest on a command line or in a log: kubectl reads the file.
	s.kubectl("create", "secret", "generic", "vault-bootstrap-identity", "--from-file="+file)
	return "age:" + identity.Recipient().String()
}

// encryptedTo are values by which a release encrypts to the identity of a recipient.
func encryptedTo(recipient string) string {
	return fmt.Sprintf("\nkeys: {encryption: {recipients: ['%s'], age: {secret: vault-bootstrap-identity}}}\n", recipient)
}

// keysRecord returns the text of the keys record, and its version.
func (s *site) keysRecord() (text string, version int) {
	s.t.Helper()
	secret, err := cluster.Client.CoreV1().Secrets(s.namespace).Get(s.t.Context(), "vault-bootstrap-keys", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var record struct{ Version int }
	if err := json.Unmarshal(secret.Data["keys.json"], &record); err != nil {
		s.t.Fatal(err)
	}
	return string(secret.Data["keys.json"]), record.Version
}

// wantEncrypted holds that the keys record is encrypted, and shows none of these and nothing of its own.
func (s *site) wantEncrypted(former ...string) {
	s.t.Helper()
	text, version := s.keysRecord()
	if version != 2 {
		s.t.Errorf("the keys record has version %d, want 2", version)
	}
	if shown := testbed.SecretsIn([]byte(text)); len(shown) > 0 {
		s.t.Errorf("the keys record shows %d secrets", len(shown))
	}
	for _, share := range former {
		if strings.Contains(text, share) {
			s.t.Error("the keys record shows a share that it had in clear")
		}
	}
}

// TestEncryptedFromTheStart installs the chart with keys.encryption: the keys are never in clear, a
// later run opens them, and Helm's test, which opens nothing, passes without the identity.
func TestEncryptedFromTheStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(plainVault())
	s.release("install", chartValues("hook", "first")+encryptedTo(s.identity()), "--wait")
	s.wantHardened(3)
	s.wantEncrypted()
	s.helm("test", "bootstrap", "--timeout=3m")

	s.kubectl("delete", "pod", "vault-1", "--grace-period=0", "--force")
	s.kubectl("create", "job", "--from=cronjob/vault-bootstrap", "again")
	s.jobDone("again")
	s.wantUnsealed(time.Minute, 3)
}

// TestEncryptedByUpgrade goes from a record in clear to an encrypted one with 'helm upgrade'. A
// rollback, whose Job knows no recipient, ends with the runbook's name for it, changes nothing, and
// leaves Vault open; the next upgrade goes on.
func TestEncryptedByUpgrade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(plainVault())
	flags := []string{"--wait", "--wait-for-jobs"}
	clear := chartValues("job", "first")
	s.release("install", clear, flags...)
	s.wantHardened(3)
	former := s.keySet().Shares
	if _, version := s.keysRecord(); version != 1 || len(former) != 5 {
		t.Fatalf("the keys record has version %d and %d shares", version, len(former))
	}
	encrypted := clear + encryptedTo(s.identity())
	s.release("upgrade", encrypted, flags...)
	s.wantHardened(3)
	s.wantEncrypted(former...)

	before, _ := s.keysRecord()
	if out, err := cluster.Helm(t.Context(), append([]string{"rollback", "bootstrap", "1", "-n", s.namespace, "--timeout=2m"}, flags...)...); err == nil {
		t.Errorf("the rollback succeeds: %s", out)
	}
	s.wantSealedToOthers()
	after, _ := s.keysRecord()
	if box(t, after) != box(t, before) {
		t.Error("the run that could not open the record has changed what is encrypted in it")
	}
	s.wantUnsealed(time.Minute, 3)
	s.release("upgrade", encrypted, flags...)
	s.wantHardened(3)
	s.wantEncrypted(former...)
}

// box returns the encrypted part of a keys record.
func box(t *testing.T, text string) string {
	t.Helper()
	var record struct{ Sealing struct{ Box string } }
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		t.Fatal(err)
	}
	return record.Sealing.Box
}

// wantSealedToOthers waits for a pod of a Job that has ended with 70, and reads why.
func (s *site) wantSealedToOthers() {
	s.t.Helper()
	var pod string
	s.until(2*time.Minute, "a pod that ends with exit code 70", func(context.Context) error {
		for _, each := range s.podsOf("app.kubernetes.io/component=run") {
			if slices.ContainsFunc(each.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
				return c.State.Terminated != nil && c.State.Terminated.ExitCode == 70
			}) {
				pod = each.Name
				return nil
			}
		}
		return fmt.Errorf("there is none")
	})
	if logs := s.kubectl("logs", pod); !strings.Contains(logs, "keys sealed to others") || !strings.Contains(logs, "--keys-to") {
		s.t.Errorf("it says %s", logs)
	}
}

// TestEncryptedInVaultPods has Vault's containers unseal themselves with what docs/keys-at-rest.md
// gives them.
func TestEncryptedInVaultPods(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page, err := os.ReadFile(shipped("docs/keys-at-rest.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(page), "So, for `post-start` with age:\n\n")
	added, _, ended := strings.Cut(below, "\n\n")
	if !found || !ended {
		t.Fatal("docs/keys-at-rest.md has no values for post-start")
	}
	example, err := os.ReadFile(shipped("manifests/examples/poststart/vault.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	recipient := s.identity()
	s.installVault(plainVault(), string(example), strings.ReplaceAll(added, "age:RECIPIENT", recipient))
	s.release("install", chartValues("job", "first")+"\nrbac: {unsealers: [vault]}\n"+encryptedTo(recipient), "--wait", "--wait-for-jobs", "--set=keys.encryption.inVaultPods=true")
	s.wantHardened(3)
	s.wantEncrypted()
	s.wantUnsealedAfterDeletion(1)
}
