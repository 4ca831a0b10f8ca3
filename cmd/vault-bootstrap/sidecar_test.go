package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestSidecarIsEnded checks what the proxy sees: it is asked once, by POST, although the run
// fails before it reaches anything, and the wait before it sees anything.
func TestSidecarIsEnded(t *testing.T) {
	for verb, ends := range map[string]struct {
		args  []string
		codes []int
	}{
		"run":  {[]string{"--seed=/nowhere", "--log-format=json"}, []int{64, 65}},
		"wait": {[]string{"--timeout=10ms"}, []int{1, 64}},
	} {
		t.Run(verb, func(t *testing.T) {
			endsTheSidecar(t, append([]string{"vault-bootstrap", verb}, ends.args...), ends.codes)
		})
	}
}

func endsTheSidecar(t *testing.T, base []string, codes []int) {
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
		args := append(slices.Clone(base), "--store=file:"+t.TempDir(), "--quit-sidecar="+test.url)
		code := run(t.Context(), args, nil, strings.NewReader(""), &bytes.Buffer{}, &stderr)
		if !slices.Contains(codes, code) {
			t.Errorf("%q: exit code %d, want that of the verb, one of %v", test.url, code, codes)
		}
		if got := strings.Join(asked, ", "); got != test.asked {
			t.Errorf("%q: the proxy was asked %q, want %q", test.url, got, test.asked)
		}
		if !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%q: %q is not in %s", test.url, test.says, stderr.String())
		}
	}
}
