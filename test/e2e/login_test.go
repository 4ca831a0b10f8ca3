package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// wantLaterRuns takes a Vault to hardened, then runs again by the later login, and looks
// for root tokens and login tokens that were left.
func wantLaterRuns(t *testing.T, p *program) {
	t.Helper()
	wantEvents(t, "the first run", p.must(0, "run").Events(), "initialize", "unseal", "seed", "harden")
	wantEvents(t, "a later run", p.must(0, "run").Events())
	if keysIn(t, p).Root != nil {
		t.Error("the store holds a root token")
	}
}

// seeded writes a seed.
func seeded(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, file, content)
	return "--seed=" + file
}

func TestLoginByUserpass(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "a-password-of-the-suite\n")
	testbed.NoteSecrets(t, "a-password-of-the-suite")
	p, _ := inFiles(t, cluster, "--login=userpass", "--login-password-file="+file)
	wantLaterRuns(t, p)
	write(t, file, "another-password-of-the-suite")
	wantFailure(t, p.run("run"), 70, "locked out", "by userpass: the user or the password", "--login-password-file")
}

func TestLoginByCertificate(t *testing.T) {
	for name, withCA := range map[string]bool{"pinned": false, "by its CA": true} {
		t.Run(name, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
			people, err := testbed.NewCA(t.TempDir(), "clients")
			if err != nil {
				t.Fatal(err)
			}
			ours, err := people.Issue(testbed.CertRequest{Name: "vault-bootstrap"})
			if err != nil {
				t.Fatal(err)
			}
			other, err := people.Issue(testbed.CertRequest{Name: "somebody-else"})
			if err != nil {
				t.Fatal(err)
			}
			flags := []string{"--login=cert"}
			if withCA {
				flags = append(flags, "--login-ca="+people.CertFile)
			}
			p, _ := inFiles(t, cluster, flags...)
			kept := p.flags
			p.flags = append(kept[:len(kept):len(kept)], "--client-cert="+ours.CertFile, "--client-key="+ours.KeyFile)
			wantLaterRuns(t, p)
			p.flags = append(kept[:len(kept):len(kept)], "--client-cert="+other.CertFile, "--client-key="+other.KeyFile)
			refused := "by cert: the client certificate"
			if cluster.Server.Product == testbed.OpenBao && !withCA { // whose words for both are the same
				refused = "by cert: no client certificate has arrived, or it is not one that the role trusts"
			}
			wantFailure(t, p.run("run"), 70, "locked out", refused)
		})
	}
}

// TestLoginByTokenFile works with a token that somebody else keeps, and leaves it alive.
func TestLoginByTokenFile(t *testing.T) {
	p, cluster, watch := hardened(t)
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	node, file := cluster.Nodes[0], filepath.Join(t.TempDir(), "token")
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/create-orphan", watch.token, map[string]any{"policies": []string{"vault-bootstrap"}}, &made); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	write(t, file, made.Auth.ClientToken+"\n")
	p.flags = append(p.flags, "--login=token-file", "--login-token-file="+file)
	wantEvents(t, "a run with the token", p.must(0, "run").Events())
	if dead(t, node, made.Auth.ClientToken) {
		t.Error("the run has revoked a token that is not its own")
	}
}

// byJWT returns a program whose login begins with the token in a file, which an issuer of its own makes.
func byJWT(t *testing.T, methods string) (p *program, from *issuer, file string) {
	t.Helper()
	from, file = newIssuer(t), filepath.Join(t.TempDir(), "jwt")
	from.token(file, claimSet{subject: "ci:main", audience: "vault"})
	p, _ = inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--login="+methods, "--login-token-file="+file,
		seeded(t, fmt.Sprintf("auth:\n  - type: jwt\n    config:\n      jwks_url: %s\n", from.url)))
	return p, from, file
}

// TestLoginByJWT logs in with a token whose issuer's keys Vault fetches, and is refused
// with a token of other keys, for another audience, or of another time.
func TestLoginByJWT(t *testing.T) {
	p, issuer, file := byJWT(t, "jwt")
	wantLaterRuns(t, p)
	for name, test := range map[string]struct {
		claims claimSet
		says   string
	}{
		"expired":         {claimSet{subject: "ci:main", audience: "vault", expired: true}, "expired"},
		"another's key":   {claimSet{subject: "ci:main", audience: "vault", forged: true}, "signature"},
		"another subject": {claimSet{subject: "ci:fork", audience: "vault"}, "by jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer.token(file, test.claims)
			wantFailure(t, p.run("run"), 70, "locked out", test.says)
		})
	}
	issuer.token(file, claimSet{subject: "ci:main", audience: "other"})
	wantFailure(t, p.run("run"), 64, "is for the audience", "--login-audience")
}

// TestLoginFallsBack goes on to the next method when the first is refused.
func TestLoginFallsBack(t *testing.T) {
	p, issuer, file := byJWT(t, "jwt,approle")
	// jwt works from the first run on, and AppRole's credential is made and tried all the
	// same: it has to be there when jwt is refused.
	done := p.must(0, "run")
	wantEvents(t, "first run", done.Events(), "initialize", "unseal", "seed", "harden")
	if warnings := done.Log("a login that later runs could fall back on does not work"); len(warnings) > 0 {
		t.Errorf("it warns of %v", warnings)
	}
	issuer.token(file, claimSet{subject: "ci:main", audience: "vault", forged: true})
	wantEvents(t, "by AppRole", p.must(0, "run").Events())
	issuer.token(file, claimSet{subject: "ci:main", audience: "vault"})
	wantEvents(t, "by jwt again", p.must(0, "run").Events())
}

// TestFallbackThatDoesNotWork names the method that a later run could not fall back on,
// while root could still mend it.
func TestFallbackThatDoesNotWork(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "no-token-of-this-vault")
	p, _ := inFiles(t, cluster, "--login=approle,token-file", "--login-token-file="+file, seeded(t, "{}\n"))
	done := p.must(0, "run")
	warnings := done.Log("a login that later runs could fall back on does not work")
	if len(warnings) != 1 || !strings.Contains(warnings[0].Text("error"), "by token-file") {
		t.Errorf("it warns of %v", warnings)
	}
	wantEvents(t, "by AppRole", p.must(0, "run").Events())
}

// TestLoginByAWS has Vault pass our signed request on to a stub of STS, which checks the
// signature.
func TestLoginByAWS(t *testing.T) {
	testbed.NeedsPlugin(t, "auth", "aws")
	sts := newSTS(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster, "--login=aws", "--login-principal="+sts.arn, "--login-region=eu-central-1",
		seeded(t, fmt.Sprintf("auth:\n  - type: aws\n    config:\n      sts_endpoint: %s\n      sts_region: eu-central-1\n", sts.url)))
	p.env = append(p.env, "AWS_ACCESS_KEY_ID="+sts.id, "AWS_SECRET_ACCESS_KEY="+sts.secret, "AWS_EC2_METADATA_DISABLED=true")
	wantLaterRuns(t, p)
	if sts.accepted.Load() == 0 {
		t.Error("STS was never asked")
	}
	p.env = append(p.env, "AWS_SECRET_ACCESS_KEY=wrong")
	wantFailure(t, p.run("run"), 70, "locked out", "by aws", "SignatureDoesNotMatch")
	if sts.refused.Load() == 0 {
		t.Error("STS has not refused the wrong signature")
	}
}
