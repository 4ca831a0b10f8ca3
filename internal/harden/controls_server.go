package harden

import (
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// serverControls are about the server's own configuration.
func serverControls() []Control {
	return []Control{
		{
			ID: "tls-listeners", Name: "Listeners take TLS 1.2 or later only", Severity: Critical, Profile: Production, Groups: []Group{GroupServer}, ActiveOnly: true,
			Why:    "Without TLS, tokens, keys and secrets cross the network in plain text.",
			How:    "Reading the listeners of the server's configuration. A listener on a Unix socket needs no TLS.",
			Remedy: "Give the listener tls_cert_file and tls_key_file, remove tls_disable, and leave tls_min_version at tls12 or above.",
			Source: hardening,
			Check: on(serverOf, func(server Server, _ Limits) Finding {
				var bad []string
				for _, listener := range server.Listeners {
					old := listener.MinTLS == "tls10" || listener.MinTLS == "tls11"
					if listener.Type != "unix" && (listener.NoTLS || old) {
						bad = append(bad, listener.Address)
					}
				}
				return blame(bad, "listener", "A listener takes plain text or an older version of TLS", "Every listener takes TLS 1.2 or later only").valuedIf(len(bad) == 0, "%s", count(len(server.Listeners), "listener"))
			}),
		},
		{
			ID: "tls-certificate", Name: "Certificates of servers are renewed in time", Severity: High, Profile: Production, Groups: []Group{GroupReplicas},
			Why:    "When it has expired, nobody can read a secret, and people get used to turning verification off.",
			How:    "Reading the certificate that each server presents.",
			Remedy: "Renew the certificate, and have Vault reload it (SIGHUP).",
			Source: docs + "configuration/listener/tcp",
			Check: func(facts Facts, limits Limits) Finding {
				replicas, _ := facts.Replicas.Get()
				if len(replicas) > 0 && !slices.ContainsFunc(replicas, func(r Replica) bool { return r.TLS || r.Trouble != "" }) {
					return inapplicable("No server was reached over TLS")
				}
				return eachReplica("server", "A server's certificate is about to expire", "No server's certificate is about to expire", func(r Replica, limits Limits) []string {
					if !r.TLS || r.Expires.Sub(facts.Now) >= limits.CertificateLeft {
						return nil
					}
					return []string{r.Address}
				})(facts, limits)
			},
		},
		{
			ID: "raw-storage-endpoint", Name: "The raw storage endpoint is turned off", Severity: Critical, Profile: Baseline, Groups: []Group{GroupServer}, ActiveOnly: true,
			Why:    "sys/raw reads and writes the storage directly, whatever the policies say.",
			How:    "Reading raw_storage_endpoint of the server's configuration.",
			Remedy: "Remove raw_storage_endpoint from the server's configuration and restart it.",
			Source: docs + "configuration#raw_storage_endpoint",
			Check: on(serverOf, func(server Server, _ Limits) Finding {
				if server.RawStorage {
					return fails("The raw storage endpoint is on")
				}
				return holds("The raw storage endpoint is off")
			}),
		},
		{
			ID: "introspection", Name: "The introspection endpoint is turned off", Severity: Medium, Profile: Production, Groups: []Group{GroupServer}, ActiveOnly: true,
			Why:    "sys/internal/inspect shows Vault's internal tables; it is for debugging Vault itself.",
			How:    "Reading introspection_endpoint of the server's configuration.",
			Remedy: "Remove introspection_endpoint from the server's configuration and restart it.",
			Source: docs + "configuration#introspection_endpoint",
			Check: on(serverOf, func(server Server, _ Limits) Finding {
				if server.Introspection {
					return fails("The introspection endpoint is on")
				}
				return holds("The introspection endpoint is off")
			}),
		},
		mlockControl(),
		{
			ID: "log-level", Name: "The server logs at the level info or above", Severity: Medium, Profile: Production, Groups: []Group{GroupLoggers}, ActiveOnly: true,
			Why:    "At the levels debug and trace the log reveals more than it should, and grows fast.",
			How:    "Reading the levels of the server's loggers.",
			Remedy: "Set log_level in the server's configuration. The fix sets the running server's loggers to info, until its next restart.",
			Source: apiDocs + "system/loggers",
			Check: on(func(f Facts) Fact[map[string]string] { return f.Loggers }, func(loggers map[string]string, _ Limits) Finding {
				verbose := map[string]int{}
				for _, level := range loggers {
					verbose[level]++
				}
				if n := verbose["debug"] + verbose["trace"]; n > 0 {
					return fails("A logger is at the level debug or trace").valued("%d of %d loggers", n, len(loggers))
				}
				return holds("No logger is at the level debug or trace").valued("%s", count(len(loggers), "logger"))
			}),
			Fix: func(Facts, Limits) []Call {
				return []Call{{Path: "sys/loggers", Data: map[string]any{"level": "info"}}}
			},
			FixGrants: []Grant{{"sys/loggers", []string{"create", "update"}}},
		},
		{
			ID: "version", Name: "Servers run a version that gets security fixes", Severity: High, Profile: Production, Groups: []Group{GroupReplicas},
			Why: "Known vulnerabilities stay open in a version that is no longer maintained.",
			How: "Recognizing each server's product by what it shows, and comparing its version with those of this product that are known to be out of support, " +
				"and with the limit 'version' if the seed sets one.",
			Remedy:    "Upgrade Vault. Then raise the limit 'version', so that nobody downgrades.",
			OnOpenBao: "Upgrade OpenBao: its newest minor versions get fixes (https://endoflife.date/openbao). Then raise the limit 'version', so that nobody downgrades.",
			Source:    "https://endoflife.date/hashicorp-vault",
			Check:     eachReplica("server", "A server is out of date", "No server is known to be out of support", outdated),
		},
		{
			ID: "clock-skew", Name: "The servers' clocks are right", Severity: Medium, Profile: Production, Groups: []Group{GroupReplicas},
			Why:    "Where a clock is off, tokens, leases and certificates expire at the wrong time, and logins with JWT are refused.",
			How:    "Comparing the time that each server reports with ours, before and after the request. Our own clock may be the wrong one.",
			Remedy: "Synchronize the machines' clocks with NTP.",
			Source: hardening,
			Check: eachReplica("server", "A server's clock is off by more than the limit", "No clock is off by more than the limit", func(r Replica, limits Limits) []string {
				if r.Skew > limits.ClockSkew {
					return []string{r.Address}
				}
				return nil
			}),
		},
	}
}

// mlockControl is about memory that is swapped to disk.
func mlockControl() Control {
	judge := both(serverOf, sealOf, func(server Server, seal Seal, _ Limits) Finding {
		raft := seal.Storage == "raft"
		switch {
		case server.DisableMlock && !raft:
			return fails("Memory is not locked, as this storage needs it").valued("disable_mlock true, storage %s", seal.Storage)
		case !server.DisableMlock && raft:
			return fails("Memory is locked, which integrated storage does not stand").valued("disable_mlock false, storage raft")
		default:
			return holds("Memory is locked where the storage needs it").valued("disable_mlock %v, storage %s", server.DisableMlock, seal.Storage)
		}
	})
	return Control{
		ID: "mlock", Name: "The memory locking fits the storage", Severity: Medium, Profile: Production, Groups: []Group{GroupServer, GroupSeal}, ActiveOnly: true,
		Why: "Without mlock the system may swap secrets to disk. With integrated storage it is the other way round: the storage is mapped into memory, " +
			"all of which mlock would pin, so that Vault runs out of memory.",
		How:    "Reading disable_mlock of the server's configuration and the type of the storage. OpenBao cannot lock its memory.",
		Remedy: "With integrated storage set disable_mlock = true and turn swap off on the machine; with other storage remove disable_mlock and give Vault the capability IPC_LOCK.",
		Source: docs + "configuration#disable_mlock",
		Check: func(facts Facts, limits Limits) Finding {
			if !facts.Product.HasMlock() {
				return inapplicable("%s does not lock memory: turn swap off on the machine", facts.Product.Name())
			}
			return judge(facts, limits)
		},
	}
}

func sealOf(f Facts) Fact[Seal] { return f.Seal }

// orDefault returns a TTL of the server's configuration, or Vault's default.
func orDefault(ttl time.Duration) time.Duration {
	if ttl == 0 {
		return vaultTTL
	}
	return ttl
}

// outdated blames a server whose version is not known to be maintained, or older than the limit.
func outdated(r Replica, limits Limits) []string {
	least, limited := product.ParseVersion(limits.Version)
	if r.Product.Maintained() && (!limited || r.Product.Version.Compare(least) >= 0) {
		return nil
	}
	return []string{r.Address}
}

// eachReplica returns a check that applies check to each replica. If it finds nothing, and a
// replica could not be asked, the result is unknown.
func eachReplica(noun, bad, good string, check func(Replica, Limits) []string) func(Facts, Limits) Finding {
	return on(func(f Facts) Fact[[]Replica] { return f.Replicas }, func(replicas []Replica, limits Limits) Finding {
		var found, silent []string
		for _, replica := range replicas {
			if replica.Trouble != "" {
				silent = append(silent, replica.Address+": "+replica.Trouble)
				continue
			}
			found = append(found, check(replica, limits)...)
		}
		if len(found) == 0 && (len(silent) > 0 || len(replicas) == 0) {
			return unknown("not every server could be asked: " + strings.Join(silent, "; "))
		}
		return blame(found, noun, bad, good)
	})
}
