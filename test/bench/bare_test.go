package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"golang.org/x/sync/errgroup"
)

// writesAtOnce and readsAtOnce are how many requests run at a time, here as in the program.
const (
	writesAtOnce = 16
	readsAtOnce  = 2 * writesAtOnce
)

// bare sends requests with a bare HTTP client and a token, one phase after another.
func bare(b *testing.B, s *server, token string, phases [][]call) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: readsAtOnce, MaxConnsPerHost: readsAtOnce}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, calls := range phases {
		var group errgroup.Group
		group.SetLimit(writesAtOnce)
		if len(calls) > 0 && calls[0].method == http.MethodGet {
			group.SetLimit(readsAtOnce)
		}
		for _, c := range calls {
			group.Go(func() error { return send(client, s.addr, token, c) })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

func send(client *http.Client, addr, token string, c call) error {
	request, err := http.NewRequest(c.method, addr+"/v1/"+c.path, bytes.NewReader(c.body))
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", token)
	request.Header.Set("X-Vault-Request", "true")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", c.method, c.path, response.Status)
	}
	return nil
}
