package seed_test

import (
	"bufio"
	"context"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/vault-bootstrap/vault-bootstrap/test/browser"
	"github.com/vault-bootstrap/vault-bootstrap/test/provider"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// oidcPeople are who can log in at the provider of a recipe: one of each group, and one of none.
type oidcPeople struct{ developer, operator, guest provider.Person }

// startProvider starts the provider that the recipe names.
func startProvider(t *testing.T, b *bed) []string {
	t.Helper()
	b.people = oidcPeople{
		developer: provider.Person{Name: "dora", Password: "dora's password", Groups: []string{"vault-developers", "choir"}},
		operator:  provider.Person{Name: "otto", Password: "otto's password", Groups: []string{"vault-operators"}},
		guest:     provider.Person{Name: "gina", Password: "gina's password", Groups: []string{"choir"}},
	}
	redirect := "http://localhost:" + freePort(t) + "/oidc/callback"
	issuer := provider.StartFor(t, "vault", variables["OIDC_CLIENT_SECRET"], []string{redirect}, b.people.developer, b.people.operator, b.people.guest)
	b.redirect = redirect
	return []string{"https://login.example.org", issuer, "http://localhost:8250/oidc/callback", redirect}
}

// useOIDC has three people log in by the server's own command line and a browser.
func useOIDC(t *testing.T, b *bed) {
	page := browser.StartFor(t)
	developer, operator := b.logsIn(t, page, b.people.developer), b.logsIn(t, page, b.people.operator)
	b.call(t, http.MethodPost, "kv/data/dev/api", m{"data": m{"token": "x"}})
	b.call(t, http.MethodPost, "kv/data/ops/database", m{"data": m{"password": "x"}})
	for _, try := range []struct {
		who     string
		token   string
		path    string
		allowed bool
	}{
		{"a developer", developer, "kv/data/dev/api", true},
		{"a developer", developer, "kv/data/ops/database", false},
		{"a developer", developer, "sys/metrics", false},
		{"an operator", operator, "kv/data/dev/api", true},
		{"an operator", operator, "kv/data/ops/database", true},
		{"an operator", operator, "sys/metrics", true},
	} {
		_, err := (api{b.VaultNode, try.token}).do(t.Context(), http.MethodGet, try.path, nil)
		if denied(err) == try.allowed {
			t.Errorf("%s at %s: allowed should be %t, got %v", try.who, try.path, try.allowed, err)
		}
	}
	guest, link := b.beginLogin(t)
	text := fill(t, page, link, b.people.guest)
	if token := guest.ended(t, b.people.guest, text); token != "" {
		t.Errorf("somebody of no group is let in; the browser shows %q", text)
	}
	wrong := b.people.developer
	wrong.Password = "of somebody else"
	command, link := b.beginLogin(t)
	if text := fill(t, page, link, wrong); !strings.Contains(text, "wrong name or password") {
		t.Errorf("a wrong password shows %q", text)
	}
	command.ends() // nobody will come
}

// logging is a login by the command line that waits for the browser.
type logging struct {
	token chan string
	ends  func()
}

var addressOfLogin = regexp.MustCompile(`http://\S+/authorize\?\S+`)

// beginLogin starts the server's own command line, and returns the page that it asks to open.
func (b *bed) beginLogin(t *testing.T) (logging, string) {
	t.Helper()
	server, err := testbed.LookServer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, port, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(b.redirect, "http://"), "/oidc/callback"), ":")
	command := exec.CommandContext(ctx, server.Binary, "login", "-method=oidc", "-address="+b.Addr, "-token-only", "skip_browser=true", "listenaddress=127.0.0.1", "port="+port)
	command.Env = []string{"HOME=" + t.TempDir()}
	said, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var token strings.Builder
	command.Stdout = &token
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	l := logging{token: make(chan string, 1), ends: cancel}
	link := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(said)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if found := addressOfLogin.FindString(lines.Text()); found != "" {
				link <- found
			}
		}
		_ = command.Wait()
		l.token <- strings.TrimSpace(token.String())
	}()
	t.Cleanup(cancel)
	select {
	case found := <-link:
		return l, found
	case ended := <-l.token:
		t.Fatalf("the login ended before it asked for a browser: %q", ended)
	case <-time.After(time.Minute):
		t.Fatal("the login does not say what to open")
	}
	return l, ""
}

// logsIn returns the token that a person gets.
func (b *bed) logsIn(t *testing.T, page context.Context, who provider.Person) string {
	t.Helper()
	login, link := b.beginLogin(t)
	text := fill(t, page, link, who)
	token := login.ended(t, who, text)
	if token == "" {
		t.Fatalf("%s gets no token; the browser shows %q", who.Name, text)
	}
	testbed.NoteSecrets(t, token)
	return token
}

// ended waits for the end of a login, and returns its token; empty if there is none. shown is what
// the browser shows.
func (l logging) ended(t *testing.T, who provider.Person, shown string) string {
	t.Helper()
	select {
	case token := <-l.token:
		return token
	case <-time.After(time.Minute):
		t.Fatalf("the login of %s does not end; the browser shows %q", who.Name, shown)
	}
	return ""
}

// fill fills in the provider's page, and returns what is shown then.
func fill(t *testing.T, page context.Context, link string, who provider.Person) (shown string) {
	t.Helper()
	err := chromedp.Do(page, chromedp.Navigate(link), chromedp.WaitVisible("#username"),
		chromedp.SendKeys("#username", who.Name), chromedp.SendKeys("#password", who.Password), chromedp.Click("#submit"), chromedp.WaitNotPresent("#submit"))
	if err == nil {
		shown, err = chromedp.Run(page, chromedp.Text("body"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return shown
}
