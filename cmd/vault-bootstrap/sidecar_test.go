package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRunEndsTheSidecar checks what the proxy sees: it is asked once, by POST, although the run
// fails before it reaches anything.
func TestRunEndsTheSidecar(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.URL.Path == "/busy" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer proxy.Close()
	for _, test := range []struct {
		url, asked, says string
	}{
		{proxy.URL + "/quitquitquit", "POST /quitquitquit", ""},
		{proxy.URL + "/busy", "POST /busy", "503"},
		{"https://127.0.0.1:1/x", "", "--quit-sidecar"},
		{"", "", ""},
	} {
		asked = nil
		var stderr bytes.Buffer
		args := []string{"vault-bootstrap", "run", "--store=file:" + t.TempDir(), "--seed=/nowhere", "--log-format=json", "--quit-sidecar=" + test.url}
		code := run(t.Context(), args, nil, strings.NewReader(""), &bytes.Buffer{}, &stderr)
		if code != 64 && code != 65 {
			t.Errorf("%q: exit code %d, want that of the run", test.url, code)
		}
		if got := strings.Join(asked, ", "); got != test.asked {
			t.Errorf("%q: the proxy was asked %q, want %q", test.url, got, test.asked)
		}
		if !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%q: %q is not in %s", test.url, test.says, stderr.String())
		}
	}
}
