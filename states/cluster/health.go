package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Each calls f for all servers at once and returns when all calls have returned.
func Each[S Server](servers []S, f func(i int, server S)) {
	var group sync.WaitGroup
	for i, server := range servers {
		group.Go(func() { f(i, server) })
	}
	group.Wait()
}

// Witness is notified of the servers that are about to be asked for their health, and of where each
// answer came from.
type Witness interface {
	Asking(ctx context.Context, servers []Server)
	Answered(address string, from netip.Addr)
}

// Look asks all replicas at once for their health. One that is expected but not known yet counts as
// one that does not answer: it may hold data. The witness may be nil.
func Look(ctx context.Context, among Servers, witness Witness) (fsm.Replicas, error) {
	if err := among.Refresh(ctx); err != nil {
		return nil, err
	}
	servers := among.Servers()
	if witness != nil {
		witness.Asking(ctx, servers)
	}
	found := make(fsm.Replicas, len(servers))
	errs := make([]error, len(servers))
	Each(servers, func(i int, server Server) {
		health, err := server.Health(ctx)
		found[i], errs[i] = seen(server.Address(), health, err), err
		if witness != nil {
			witness.Answered(server.Address(), health.From)
		}
	})
	findCutOff(ctx, servers, found)
	awaited := among.Awaited()
	for known := len(found); known < awaited; known++ {
		found = append(found, fsm.Replica{
			Address: fmt.Sprintf("replica %d of %d", known+1, awaited), Health: fsm.NoAnswer, Answer: "not known yet",
		})
	}
	return found, misconfigured(errs)
}

// findCutOff finds standbys that know no active node although there is one. sys/health does not
// show that: Vault answers 429 for all standbys.
func findCutOff(ctx context.Context, servers []Server, found fsm.Replicas) {
	if _, active := found.Active(); !active {
		return
	}
	Each(servers, func(i int, server Server) {
		if found[i].Health != fsm.Standby {
			return
		}
		if _, err := server.Leader(ctx); errors.Is(err, vault.ErrNoLeader) {
			found[i].Health, found[i].Answer = fsm.StandbyCutOff, err.Error()
		}
	})
}

// LookAtStorage finds out which open servers keep their data in memory. What does not answer counts as
// one that does not.
func LookAtStorage(ctx context.Context, among Servers, replicas fsm.Replicas) {
	for i, replica := range replicas {
		server := ServerAt(among, replica.Address)
		if server == nil || !replica.Health.Unsealed() {
			continue
		}
		if seal, err := server.SealStatus(ctx); err == nil {
			replicas[i].InMemory = strings.HasPrefix(seal.Storage, "inmem") // also with the ending _ha
		}
	}
}

func seen(address string, health vault.Health, err error) fsm.Replica {
	if err != nil {
		return fsm.Replica{Address: address, Health: fsm.NoAnswer, Answer: Brief(err)}
	}
	known, ok := HealthOf(health.Code)
	if !ok {
		return fsm.Replica{Address: address, Health: fsm.NoAnswer, Answer: fmt.Sprintf("sys/health answers %d, which no Vault does", health.Code)}
	}
	return fsm.Replica{Address: address, Health: known, ClusterID: health.ClusterID, Product: health.Product}
}

// HealthOf returns the meaning of a status code of sys/health; false if Vault has no such code.
func HealthOf(code int) (fsm.Health, bool) {
	health, known := healths[code]
	return health, known
}

// healths gives the meaning of sys/health's status codes.
var healths = map[int]fsm.Health{
	http.StatusOK:                 fsm.Active,
	http.StatusTooManyRequests:    fsm.Standby,
	472:                           fsm.DRSecondary,
	473:                           fsm.PerformanceStandby,
	474:                           fsm.StandbyCutOff,
	http.StatusNotImplemented:     fsm.NotInitialized,
	http.StatusServiceUnavailable: fsm.Sealed,
	530:                           fsm.Removed,
}

// Brief returns an error's text without the part that repeats the request.
func Brief(err error) string {
	text := err.Error()
	if cut := strings.LastIndex(text, "\": "); cut >= 0 {
		text = text[cut+3:]
	}
	if vault.Expired(err) {
		text += " (the server's certificate must be renewed)"
	}
	return text
}

// misconfigured returns a usage error if no replica could be trusted: waiting does not fix a wrong
// CA or name.
func misconfigured(errs []error) error {
	for _, err := range errs {
		if err == nil || !vault.Untrusted(err) {
			return nil
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fault.Misuse(fmt.Errorf("the server's certificate is not trusted: %w", errs[0]),
		"Give the CA that signed it with --ca-cert (VAULT_CACERT), and the name that it was issued for with --tls-server-name if that is not the address's host. "+
			"If the server does not speak TLS, write http:// in its address; if it does, https://.")
}
