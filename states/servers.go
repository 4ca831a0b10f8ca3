package states

import (
	"context"
	"net/http"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// guarded are the endpoints that a server may be configured to serve to everybody.
var guarded = [...]string{"sys/metrics", "sys/in-flight-req", "sys/pprof/"}

// lookAtServers asks every replica for what it shows to everybody.
func (o *Observer) lookAtServers(ctx context.Context) []harden.Replica {
	servers := o.Servers.Servers()
	found := make([]harden.Replica, len(servers))
	cluster.Each(servers, func(i int, server cluster.Server) { found[i] = o.lookAtServer(ctx, server) })
	return found
}

func (o *Observer) lookAtServer(ctx context.Context, replica cluster.Server) harden.Replica {
	server := harden.Replica{Address: replica.Address()}
	before := o.Now()
	health, err := replica.Health(ctx)
	after := o.Now()
	if err != nil {
		server.Trouble = cluster.Brief(err)
		return server
	}
	server.Version, server.Skew = health.Version, skew(before, health.ServerTime, after)
	if known, _ := cluster.HealthOf(health.Code); known != fsm.Active && known != fsm.Standby && known != fsm.PerformanceStandby {
		server.Trouble = string(known)
		return server
	}
	for _, endpoint := range guarded {
		glimpse, err := replica.Glimpse(ctx, endpoint)
		if err != nil {
			server.Trouble = cluster.Brief(err)
			return server
		}
		server.TLS, server.Expires = glimpse.TLS, glimpse.CertificateEnds
		if glimpse.Code == http.StatusOK {
			server.Open = append(server.Open, endpoint)
		}
	}
	return server
}

// skew returns how far a server's clock is from ours, at least: it told its time
// between before and after, cut to whole seconds.
func skew(before, told, after time.Time) time.Duration {
	switch {
	case told.After(after):
		return told.Sub(after)
	case told.Add(time.Second).Before(before):
		return before.Sub(told.Add(time.Second))
	default:
		return 0
	}
}
