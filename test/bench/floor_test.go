package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// phases divides recorded requests where one has to wait for others: everything else
// for the mounts.
func phases(calls []call) [][]call {
	isMount := func(c call) bool {
		return c.method == http.MethodPut && (strings.HasPrefix(c.path, "sys/mounts/") || strings.HasPrefix(c.path, "sys/auth/"))
	}
	var before, mounts, after []call
	for _, c := range calls {
		switch {
		case isMount(c):
			mounts = append(mounts, c)
		case len(mounts) == 0:
			before = append(before, c)
		default:
			after = append(after, c)
		}
	}
	return [][]call{before, mounts, after}
}

// replay sends requests with a bare HTTP client.
func replay(b *testing.B, s *server, phases [][]call) time.Duration {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: parallelism, MaxConnsPerHost: parallelism}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	began := time.Now()
	for _, calls := range phases {
		var group errgroup.Group
		group.SetLimit(parallelism)
		for _, c := range calls {
			group.Go(func() error { return send(client, s, c) })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

func send(client *http.Client, s *server, c call) error {
	request, err := http.NewRequest(c.method, s.addr+"/v1/"+c.path, bytes.NewReader(c.body))
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", s.root)
	request.Header.Set("X-Vault-Request", "true")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 && response.StatusCode != http.StatusNotFound {
		return fmt.Errorf("%s %s: %s", c.method, c.path, response.Status)
	}
	return nil
}
