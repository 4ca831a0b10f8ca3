package harden

import (
	"slices"
	"strings"
)

// frontControls are about what browsers and unauthenticated clients get.
func frontControls() []Control {
	return []Control{
		{
			ID: "cors", Name: "Only named websites may call Vault from browsers", Severity: High, Profile: Production, Groups: []Group{GroupCORS},
			Why:    "With '*' among the origins, any page that a user opens can talk to Vault from inside the network.",
			How:    "Reading the CORS settings.",
			Remedy: "Name the origins, or turn CORS off: vault delete sys/config/cors.",
			Source: apiDocs + "system/config-cors",
			Check: on(func(f Facts) Fact[CORS] { return f.CORS }, func(cors CORS, _ Limits) Finding {
				switch {
				case !cors.Enabled:
					return holds("No website may call Vault from browsers: CORS is off")
				case slices.Contains(cors.Origins, "*"):
					return fails("Every website may call Vault from browsers").valued("origins %s", listed(cors.Origins))
				default:
					return holds("Named websites may call Vault from browsers").valued("origins %s", listed(cors.Origins))
				}
			}),
			Fix:       func(Facts, Limits) []Call { return []Call{{Delete: true, Path: "sys/config/cors"}} },
			FixGrants: []Grant{{"sys/config/cors", []string{"delete", "sudo"}}},
		},
		{
			ID: "ui-headers", Name: "The UI's headers are as strict as Vault's own", Severity: Medium, Profile: Production, Groups: []Group{GroupHeaders},
			Why:    "Vault's own Content-Security-Policy keeps foreign scripts and frames out of the login page; a header that is set replaces it.",
			How:    "Reading the UI's headers: a Content-Security-Policy must keep frames and foreign or inline scripts out, X-Frame-Options must not allow other sites.",
			Remedy: "Remove the header, so that Vault's own comes back, or set one that is as strict.",
			Source: apiDocs + "system/config-ui",
			Check: on(headersOf, func(headers []Header, _ Limits) Finding {
				return blame(weakHeaders(headers), "header", "A header of the UI is weaker than Vault's own", "No header of the UI is weaker than Vault's own")
			}),
			Fix: func(facts Facts, _ Limits) []Call {
				headers, _ := facts.Headers.Get()
				var calls []Call
				for _, name := range weakHeaders(headers) {
					calls = append(calls, Call{Delete: true, Path: uiHeaders + name, Object: name})
				}
				return calls
			},
			FixGrants: []Grant{{"sys/config/ui/headers/+", []string{"delete", "sudo"}}},
		},
		{
			ID: "ui-exposure", Name: "The web UI is turned off", Severity: Low, Profile: Strict, Groups: []Group{GroupServer}, ActiveOnly: true,
			Why:    "The UI is one more thing to keep from attackers, and machines do not need it.",
			How:    "Reading 'ui' in the server's configuration.",
			Remedy: "Set ui = false in the server's configuration, or accept it where people use it.",
			Source: docs + "configuration/ui",
			Check: on(serverOf, func(server Server, _ Limits) Finding {
				if server.UI {
					return fails("The web UI is on")
				}
				return holds("The web UI is off")
			}),
		},
		{
			ID: "open-endpoints", Name: "Only health answers without a token", Severity: High, Profile: Production, Groups: []Group{GroupReplicas},
			Why:    "Metrics, requests in flight and profiles show anyone who uses Vault and for what, and profiling slows it down.",
			How:    "Asking every server for sys/metrics, sys/in-flight-req and sys/pprof without a token.",
			Remedy: "Remove unauthenticated_metrics_access, unauthenticated_in_flight_requests_access and unauthenticated_pprof_access from the listener's configuration.",
			Source: docs + "configuration/listener/tcp#telemetry-parameters",
			Check: eachReplica("endpoint", "An endpoint answers without a token that should not", "No endpoint that was asked answers without a token", func(r Replica, _ Limits) []string {
				var open []string
				for _, endpoint := range r.Open {
					open = append(open, r.Address+" "+endpoint)
				}
				return open
			}),
		},
	}
}

func headersOf(f Facts) Fact[[]Header] { return f.Headers }

// weakHeaders returns the names of headers that are weaker than Vault's own, sorted.
func weakHeaders(headers []Header) []string {
	var weak []string
	for _, header := range headers {
		name, value := header.Name, strings.ToLower(header.Value)
		switch strings.ToLower(name) {
		case "content-security-policy":
			if !strictCSP(value) {
				weak = append(weak, name)
			}
		case "x-frame-options":
			if value != "deny" && value != "sameorigin" {
				weak = append(weak, name)
			}
		case "x-content-type-options":
			if value != "nosniff" {
				weak = append(weak, name)
			}
		}
	}
	slices.Sort(weak)
	return weak
}

// strictCSP reports whether a Content-Security-Policy keeps out foreign frames, and scripts that
// are inline or foreign.
func strictCSP(policy string) bool {
	directives := map[string][]string{}
	for directive := range strings.SplitSeq(policy, ";") {
		if words := strings.Fields(directive); len(words) > 0 {
			directives[words[0]] = words[1:]
		}
	}
	scripts, ok := directives["script-src"]
	if !ok {
		scripts, ok = directives["default-src"]
	}
	harmless := func(sources []string) bool {
		return !slices.ContainsFunc(sources, func(source string) bool {
			return source != "'none'" && source != "'self'" && !strings.HasPrefix(source, "'sha") && !strings.HasPrefix(source, "'nonce")
		})
	}
	frames, framed := directives["frame-ancestors"]
	return ok && harmless(scripts) && framed && harmless(frames)
}
