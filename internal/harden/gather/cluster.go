package gather

import (
	"context"
	"maps"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// attempts asks whether a root token is being generated, or a rekey is in progress. With
// auto-unseal there are recovery keys, whose rekey is another endpoint.
func (g *gatherer) attempts(ctx context.Context, facts *harden.Facts) {
	facts.GenerateRoot = g.started(ctx, facts.Product, product.GenerateRoot)
	facts.Rekey = g.started(ctx, facts.Product, product.Rekey)
	if started, known := facts.Rekey.Get(); known && !started {
		if recovery := g.started(ctx, facts.Product, product.RekeyRecovery); truthOf(recovery) {
			facts.Rekey = recovery
		}
	}
}

func truthOf(fact harden.Fact[bool]) bool {
	value, known := fact.Get()
	return known && value
}

func (g *gatherer) started(ctx context.Context, on product.Product, ceremony product.Ceremony) harden.Fact[bool] {
	for _, endpoint := range on.Statuses(ceremony) {
		answer, err := g.api.Peek(ctx, endpoint.Path)
		err = g.note(endpoint.Path, err)
		status := httpstatus.Of(err)
		switch {
		case endpoint.Closable && (status == closed || status == absentPath):
			continue
		case status == closed:
			return harden.NotKnown[bool](endpoint.Path + " is closed to those without a token, and this version has no other endpoint")
		case err != nil:
			return unknown[bool](endpoint.Path, "read", err)
		}
		if inner := mapping(answer["data"]); inner != nil { // as OpenBao answers where it takes a token
			answer = inner
		}
		if truth(answer["started"]) {
			return harden.Known(true)
		}
	}
	return harden.Known(false)
}

func (g *gatherer) key(ctx context.Context, facts *harden.Facts) {
	status, _, err := g.read(ctx, "sys/key-status")
	if err != nil {
		facts.Key = unknown[harden.Key]("sys/key-status", "read", err)
		return
	}
	installed, ok := instant(status["install_time"])
	if !ok {
		facts.Key = harden.NotKnown[harden.Key]("sys/key-status shows no install time")
		return
	}
	config, _, err := g.read(ctx, "sys/rotate/config")
	if err != nil {
		facts.Key = unknown[harden.Key]("sys/rotate/config", "read", err)
		return
	}
	facts.Key = harden.Known(harden.Key{Installed: installed, Rotates: truth(config["enabled"]), Interval: duration(config["interval"])})
}

func (g *gatherer) raft(ctx context.Context, facts *harden.Facts) {
	const path = "sys/storage/raft/autopilot/state"
	data, found, err := g.read(ctx, path)
	if err != nil {
		facts.Raft = unknown[harden.Raft](path, "read", err)
		return
	}
	if !found {
		facts.Raft = absent[harden.Raft](path)
		return
	}
	raft := harden.Raft{Healthy: truth(data["healthy"]), Voters: len(list(data["voters"])), Tolerance: int(number(data["failure_tolerance"]))}
	servers := mapping(data["servers"])
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server := mapping(servers[name])
		if text(server["node_status"]) != "alive" || !truth(server["healthy"]) {
			raft.Dead = append(raft.Dead, name)
		}
	}
	facts.Raft = harden.Known(raft)
}

func (g *gatherer) loggers(ctx context.Context, facts *harden.Facts) {
	data, found, err := g.read(ctx, "sys/loggers")
	if err != nil {
		facts.Loggers = unknown[map[string]string]("sys/loggers", "read", err)
		return
	}
	if !found {
		facts.Loggers = absent[map[string]string]("sys/loggers")
		return
	}
	levels := map[string]string{}
	for name, level := range data {
		levels[name] = text(level)
	}
	facts.Loggers = harden.Known(levels)
}

// tokens looks up every token. One that expires meanwhile is left out.
func (g *gatherer) tokens(ctx context.Context, facts *harden.Facts) {
	const path = "auth/token/accessors"
	accessors, err := g.list(ctx, path)
	if err != nil {
		facts.Tokens = unknown[[]harden.Token](path, "list", err)
		return
	}
	lookup := &gatherer{api: lookups{g.api}, slots: g.slots, mu: g.mu, trouble: g.trouble}
	found, err := each(ctx, lookup, "auth/token/lookup-accessor", accessors, func(accessor string, data map[string]any) harden.Token {
		return harden.Token{
			Accessor: accessor, Path: text(data["path"]), DisplayName: text(data["display_name"]), Policies: words(data["policies"]),
			Orphan: truth(data["orphan"]), Periodic: number(data["period"]) > 0, TTL: duration(data["creation_ttl"]),
		}
	})
	if err != nil {
		facts.Tokens = unknown[[]harden.Token]("auth/token/lookup-accessor", "update", err)
		return
	}
	facts.Tokens = harden.Known(found)
}
