package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// surroundings are what can be seen without a token: what each server shows to everybody, and the
// Kubernetes cluster around them.
type surroundings struct {
	setting *Setting
	servers cluster.Servers
	outside Outside
}

// newFacts returns facts before anything is known but what is desired and the active node.
func (s *surroundings) newFacts(desired *Desired, active fsm.Replica) harden.Facts {
	return harden.Facts{
		Now: s.setting.Now(), Product: active.Product, OwnPolicies: desired.ownPolicies(), Namespace: desired.declaration.Namespace, Keyless: s.setting.Keyless,
		Declared: desired.declaration.Rules.Declared,
	}
}

// look gathers the facts that take no token.
func (s *surroundings) look(ctx context.Context, groups []harden.Group, facts *harden.Facts) {
	if slices.Contains(groups, harden.GroupReplicas) {
		facts.Replicas = harden.Known(s.lookAtServers(ctx))
	}
	if slices.Contains(groups, harden.GroupSeal) {
		facts.Seal = s.lookAtSeal(ctx)
	}
	if slices.Contains(groups, harden.GroupKubernetes) && s.outside.Around != nil {
		facts.Kubernetes = s.outside.Around(ctx)
	}
}

// lookAtRecord returns what is judged of the keys record, which need not be opened for that.
func (s *surroundings) lookAtRecord(ctx context.Context, groups []harden.Group, keys store.Keys) harden.Fact[harden.Record] {
	if s.outside.Record == nil || !slices.Contains(groups, harden.GroupRecord) {
		return harden.Fact[harden.Record]{}
	}
	return harden.Known(s.outside.Record(ctx, keys))
}

// lookAtSeal asks the replicas, one after another, until one reports its seal.
func (s *surroundings) lookAtSeal(ctx context.Context) harden.Fact[harden.Seal] {
	var errs []error
	for _, replica := range s.servers.Servers() {
		status, err := replica.SealStatus(ctx)
		if err == nil && status.Type != "" {
			return harden.Known(harden.Seal{Type: status.Type, Storage: status.Storage})
		}
		errs = append(errs, err)
	}
	return harden.NotKnown[harden.Seal](fmt.Sprintf("no server reports its seal: %v", errors.Join(errs...)))
}

// guarded are the endpoints that a server may be configured to serve to everybody.
var guarded = [...]string{"sys/metrics", "sys/in-flight-req", "sys/pprof/"}

// lookAtServers asks every replica what it shows to everybody.
func (s *surroundings) lookAtServers(ctx context.Context) []harden.Replica {
	servers := s.servers.Servers()
	found := make([]harden.Replica, len(servers))
	cluster.Each(servers, func(i int, server cluster.Server) { found[i] = s.lookAtServer(ctx, server) })
	return found
}

func (s *surroundings) lookAtServer(ctx context.Context, replica cluster.Server) harden.Replica {
	server := harden.Replica{Address: replica.Address()}
	before := s.setting.Now()
	health, err := replica.Health(ctx)
	after := s.setting.Now()
	if err != nil {
		server.Trouble = cluster.Brief(err)
		return server
	}
	server.Product, server.Skew = health.Product, skew(before, health.ServerTime, after)
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

// skew returns how far a server's clock is from ours, at least. The server reported its time,
// truncated to whole seconds, between before and after.
func skew(before, reported, after time.Time) time.Duration {
	switch {
	case reported.After(after):
		return reported.Sub(after)
	case reported.Add(time.Second).Before(before):
		return before.Sub(reported.Add(time.Second))
	default:
		return 0
	}
}
