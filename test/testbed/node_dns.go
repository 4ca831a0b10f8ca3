package testbed

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"time"
)

//go:embed node_dns.yaml
var dnsManifests []byte

// startDNS starts CoreDNS in the cluster, and waits until its Service answers: that
// shows the node, its network, images, the scheduler and the Services at once.
func (c *Cluster) startDNS(ctx context.Context) error {
	binary, err := lookIn(c.tools, "coredns")
	if err != nil {
		return err
	}
	err = c.PushImage(ctx, "bed/coredns:latest", Image{
		Files: map[string]string{"/coredns": binary}, Entrypoint: []string{"/coredns"}, User: "65532:65532",
	})
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, dnsManifests); err != nil {
		return err
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(dnsIP, "53"))
	}}
	return Poll(ctx, 200*time.Millisecond, "the cluster's DNS", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		found, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
		if err == nil && (len(found) != 1 || found[0] != serviceIP) {
			err = fmt.Errorf("the Service 'kubernetes' is at %v", found)
		}
		return err
	})
}
