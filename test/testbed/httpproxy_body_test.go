package testbed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestHTTPProxyPassesLongAnswers has a server answer at length that does not read the
// request to its very end, as Vault does: none of it may be lost on the way.
func TestHTTPProxyPassesLongAnswers(t *testing.T) {
	answer := strings.Repeat("x", 64<<10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Key string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	target := server.URL
	for range 2 {
		proxy, err := testbed.StartHTTPProxy(testbed.HTTPProxyOptions{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = proxy.Close() })
		target = proxy.URL
	}
	var clients sync.WaitGroup
	lost := make(chan error, 16)
	for range cap(lost) {
		clients.Go(func() {
			for range 100 {
				if err := put(target, len(answer)); err != nil {
					lost <- err
					return
				}
			}
		})
	}
	clients.Wait()
	close(lost)
	for err := range lost {
		t.Error(err)
	}
}

func put(target string, want int) (err error) {
	request, err := http.NewRequest(http.MethodPut, target, strings.NewReader(`{"key":"share"}`+"\n"))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err == nil && len(body) != want {
		err = fmt.Errorf("%d bytes arrived (%d)", len(body), response.StatusCode)
	}
	return err
}
