package testbed_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// clientTrusting is a client without connection reuse, so that each request meets
// the proxy anew.
func clientTrusting(ca *testbed.CA) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	if ca != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: ca.Pool()}
	}
	return &http.Client{Transport: transport}
}

// echo is a server that answers with the request's path, and counts requests.
func echo(t *testing.T) (server *httptest.Server, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = fmt.Fprint(w, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return server, requests
}

func get(client *http.Client, url string) (status int, body string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestProxy(t *testing.T) {
	t.Parallel()
	server, _ := echo(t)
	p, err := testbed.StartProxy(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	url, client := "http://"+p.Addr+"/hello", clientTrusting(nil)
	wantAnswer := func(when string) {
		t.Helper()
		if _, body, err := get(client, url); err != nil || body != "/hello" {
			t.Errorf("%s: got %q, %v", when, body, err)
		}
	}
	wantAnswer("untouched")

	p.Cut()
	if _, _, err := get(client, url); err == nil {
		t.Error("cut: no error")
	}
	p.Restore()
	wantAnswer("restored after Cut")

	const delay = 50 * time.Millisecond
	p.Delay(delay)
	begin := time.Now()
	wantAnswer("delayed")
	if got := time.Since(begin); got < 2*delay {
		t.Errorf("delayed: a round trip took %s, want at least %s", got, 2*delay)
	}
	p.Restore()

	p.Hold()
	answered := make(chan error, 1)
	go func() {
		_, _, err := get(client, url)
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("held: got an answer, %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	p.Restore()
	if err := <-answered; err != nil {
		t.Errorf("restored after Hold: %v", err)
	}

	server.Close()
	if _, _, err := get(client, url); err == nil {
		t.Error("the server is away: no error")
	}
}

func TestHTTPProxy(t *testing.T) {
	t.Parallel()
	server, requests := echo(t)
	ca, err := testbed.NewCA(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(testbed.CertRequest{Name: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := testbed.StartHTTPProxy(testbed.HTTPProxyOptions{Target: server.URL, Certificate: cert})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	client := clientTrusting(ca)

	for _, test := range []struct {
		name    string
		fault   testbed.Fault
		status  int // 0: no answer
		body    string
		reached int64 // requests that the server saw
	}{
		{"status", testbed.Fault{Path: "/v1/sys/init", Status: 503, Body: "no"}, 503, "no", 0},
		{"status after", testbed.Fault{Path: "/v1/*", Status: 504, After: true}, 504, "", 1},
		{"cut", testbed.Fault{Path: "/v1/sys/init", Cut: true}, 0, "", 0},
		{"cut after", testbed.Fault{Path: "/v1/sys/init", Cut: true, After: true}, 0, "", 1},
		{"delay", testbed.Fault{Path: "/v1/sys/init", Delay: 20 * time.Millisecond}, 200, "/v1/sys/init", 1},
		{"other method", testbed.Fault{Method: "PUT", Path: "/v1/sys/init", Cut: true}, 200, "/v1/sys/init", 1},
		{"other path", testbed.Fault{Path: "/v1/sys/health", Cut: true}, 200, "/v1/sys/init", 1},
	} {
		requests.Store(0)
		hits := p.Inject(test.fault)
		status, body, err := get(client, p.URL+"/v1/sys/init")
		if status != test.status || body != test.body || (err != nil) != (test.status == 0) {
			t.Errorf("%s: got %d %q %v, want %d %q", test.name, status, body, err, test.status, test.body)
		}
		if got := requests.Load(); got != test.reached {
			t.Errorf("%s: the server saw %d requests, want %d", test.name, got, test.reached)
		}
		if got, want := hits() == 1, !strings.HasPrefix(test.name, "other"); got != want {
			t.Errorf("%s: %d hits", test.name, hits())
		}
		p.Clear()
	}

	// A fault for one request leaves the next one alone.
	p.Inject(testbed.Fault{Path: "/v1/sys/init", Status: 503, Times: 1})
	for _, want := range []int{503, 200} {
		if got, _, err := get(client, p.URL+"/v1/sys/init"); got != want {
			t.Errorf("a fault for one request: got %d, %v, want %d", got, err, want)
		}
	}
}

// TestProxyRefuses has the kernel refuse connections, and accepts them again at the same address.
func TestProxyRefuses(t *testing.T) {
	server, _ := echo(t)
	p, err := testbed.StartProxy(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	client := clientTrusting(nil)
	for range 2 {
		if status, _, err := get(client, "http://"+p.Addr+"/a"); status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		if err := p.Refuse(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := get(client, "http://"+p.Addr+"/a"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("while it refuses: %v", err)
		}
		if err := p.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Refuse(); err != nil {
		t.Fatal(err)
	}
}
