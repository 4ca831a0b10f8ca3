package testbed

import (
	"net"
	"testing"
)

// TestRetryPorts takes a server's port away in the moment before it starts.
func TestRetryPorts(t *testing.T) {
	t.Parallel()
	o := VaultOptions{Storage: "inmem"}
	server, err := o.complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &VaultCluster{Dir: t.TempDir(), Server: server}
	if err := c.prepare(o); err != nil {
		t.Fatal(err)
	}
	attempts := 0
	err = retryPorts(2, func(ports []*port) error {
		if attempts++; attempts == 1 {
			ports[0].release()
			thief, err := net.Listen("tcp4", loopback(ports[0].number))
			if err != nil {
				return err
			}
			defer func() { _ = thief.Close() }()
		}
		return c.startNodes(t.Context(), o, ports)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := attempts, 2; got != want {
		t.Errorf("attempts: got %d, want %d", got, want)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
