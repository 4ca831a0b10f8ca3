package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// seedEnv answers the references of the seeds below.
var seedEnv = []string{
	"SUFFIX=of-the-suite", "REVIEWER=reviewer.jwt.of-the-suite", "ALICE_PASSWORD=correct-horse-battery", "BOB_PASSWORD=incorrect-horse-battery",
	"AWS_SECRET=aws-secret-of-the-suite", "BINDPASS=bindpass-of-the-suite", "ORDERS_PASSWORD=orders-password-of-the-suite", "DB_PASSWORD=db-password-of-the-suite",
}

// TestSeedsByProgram takes a fresh Vault to hardened with the seeds that test/seed
// applies through the library: every key of the language, every key of bank-vaults, and
// the cookbook. Our own policy, made from the seed, has to suffice for what comes after
// the root token's end: the rerun, and a plan that finds nothing.
func TestSeedsByProgram(t *testing.T) {
	for name, path := range seedsToRun(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "aws-audit" {
				testbed.NeedsPlugin(t, "auth", "aws")
			}
			for _, variable := range seedEnv {
				if name, value, _ := strings.Cut(variable, "="); name != "SUFFIX" { // a part of a name
					testbed.NoteSecrets(t, value)
				}
			}
			plugins := t.TempDir()
			program := []byte("#!/bin/sh\nexit 1\n")
			if err := os.WriteFile(filepath.Join(plugins, "example-plugin"), program, 0o700); err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256(program)
			cluster := testbed.VaultFor(t, testbed.VaultOptions{ExtraConfig: fmt.Sprintf("plugin_directory = %q\n", plugins)})
			auditLog := filepath.Join(t.TempDir(), "suite.log")
			audit := filepath.Join(t.TempDir(), "audit.yaml")
			write(t, audit, fmt.Sprintf("audit:\n  - {type: file, path: suite, options: {file_path: %s, log_raw: \"true\"}}\n", auditLog))
			seed := adapted(t, path, hex.EncodeToString(digest[:]))

			p, _ := inFiles(t, cluster, "--login=approle", "--login-path=bootstrap", "--seed="+audit, "--seed="+seed)
			p.env = seedEnv
			wantEvents(t, "first run", p.must(0, "run").Events(), everyEvent...)
			if state := status(p)["state"]; state != "hardened" {
				t.Errorf("the state is %v", state)
			}
			_, before := driver.AuditFor(t, auditLog, 0)
			wantEvents(t, "rerun", p.must(0, "run").Events())
			p.must(0, "plan", "--login=approle", "--login-path=bootstrap", "--seed="+audit, "--seed="+seed, "--detailed-exitcode")
			p.must(3, "verify", "--profile=strict", "--login=approle", "--login-path=bootstrap", "--seed="+audit, "--seed="+seed)
			entries, _ := driver.AuditFor(t, auditLog, before)
			found := slices.DeleteFunc(writes(entries), func(call string) bool { return call == "update auth/bootstrap/login" })
			if len(found) > 0 {
				t.Errorf("with nothing to do, Vault was asked for %v", found)
			}
		})
	}
}

// everyEvent is what a first run does.
var everyEvent = []string{"initialize", "unseal", "seed", "harden"}

func seedsToRun(t *testing.T) map[string]string {
	t.Helper()
	seeds := map[string]string{"everything": "../seed/testdata/everything", "externalconfig": "../seed/testdata/externalconfig"}
	recipes, err := filepath.Glob("../../docs/cookbook/*.yaml")
	if err != nil || len(recipes) == 0 {
		t.Fatalf("no cookbook: %v", err)
	}
	for _, recipe := range recipes {
		// Vault asks the issuer when the method is configured; test/seed has one.
		if name := strings.TrimSuffix(filepath.Base(recipe), ".yaml"); name != "jwt" && name != "oidc-groups" {
			seeds[name] = recipe
		}
	}
	return seeds
}

// adapted returns a copy of a seed that needs neither pods nor Kubernetes nor a database.
func adapted(t *testing.T, path, digest string) string {
	t.Helper()
	dir := t.TempDir()
	logs := t.TempDir()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if err := os.CopyFS(dir, os.DirFS(path)); err != nil {
			t.Fatal(err)
		}
	} else {
		write(t, filepath.Join(dir, filepath.Base(path)), read(t, path))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	edits := strings.NewReplacer(
		"AUDIT_DIR", logs, "/vault/audit", logs, "PLUGIN_SHA256", digest,
		"kubernetes_host: https://kubernetes.default.svc", "kubernetes_host: https://kubernetes.default.svc\n      disable_local_ca_jwt: true\n      kubernetes_ca_cert: "+strconv.Quote(read(t, "../seed/testdata/everything/ca.pem")),
		"plugin_name: postgresql-database-plugin\n          connection_url: postgresql://{{username}}:{{password}}@postgresql", "plugin_name: postgresql-database-plugin\n          verify_connection: false\n          connection_url: postgresql://{{username}}:{{password}}@postgresql",
		"      secretKeyRef:\n        - name: database\n          key: password", "      data: {password: database-password-of-the-suite}",
		"    crls:\n      - name: mine\n        crl: ${ configMapKeyRef \"crl\" \"pem\" }\n", "",
		"{valueFrom: {configMapKeyRef: {name: settings, key: pin}}}", "'3141592'",
	)
	for _, file := range files {
		write(t, file, fitting.Seed(t, edits.Replace(read(t, file))))
	}
	return dir
}
