package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// size is a seed of the benchmark.
type size struct {
	name                    string
	policies, roles, mounts int
}

var (
	reference   = size{"1x", 500, 500, 20}
	tenfold     = size{"10x", 5000, 5000, 200}
	hundredfold = size{"100x", 50000, 50000, 200}
)

// objects returns how many objects the seed declares, its auth method included.
func (s size) objects() int { return s.policies + s.roles + s.mounts + 1 }

// text returns the seed as YAML, in a form that bank-vaults reads as well.
func (s size) text() string {
	var b strings.Builder
	b.WriteString("policies:\n")
	for i := range s.policies {
		fmt.Fprintf(&b, "  - {name: p%d, rules: '%s'}\n", i, s.rules(i))
	}
	b.WriteString("auth:\n  - type: kubernetes\n    roles:\n")
	for i := range s.roles {
		fmt.Fprintf(&b, "      - {name: r%d, bound_service_account_names: [app%d], bound_service_account_namespaces: [ns%d], audience: vault, token_policies: [p%d], token_ttl: 20m}\n", i, i, i, i)
	}
	b.WriteString("secrets:\n")
	for i := range s.mounts {
		fmt.Fprintf(&b, "  - {type: kv, path: kv%d, options: {version: 2}}\n", i)
	}
	return b.String()
}

func (s size) rules(i int) string {
	return fmt.Sprintf(`path "kv%d/data/app%d/*" { capabilities = ["read"] }`, i%s.mounts, i)
}

// call is one request.
type call struct {
	method, path string
	body         []byte
}

func write(path string, data any) call {
	body, _ := json.Marshal(data) // of texts and lists
	return call{http.MethodPut, path, body}
}

type m = map[string]any

// writes are the requests that a cold Vault needs: each object is written once. What is in
// the second list needs the mounts in the first.
func (s size) writes() [][]call {
	mounts := []call{write("sys/auth/kubernetes", m{"type": "kubernetes"})}
	for i := range s.mounts {
		mounts = append(mounts, write(fmt.Sprintf("sys/mounts/kv%d", i), m{"type": "kv", "options": m{"version": "2"}}))
	}
	var rest []call
	for i := range s.policies {
		rest = append(rest, write(fmt.Sprintf("sys/policies/acl/p%d", i), m{"policy": s.rules(i)}))
	}
	for i := range s.roles {
		rest = append(rest, write(fmt.Sprintf("auth/kubernetes/role/r%d", i), m{
			"bound_service_account_names": []string{fmt.Sprint("app", i)}, "bound_service_account_namespaces": []string{fmt.Sprint("ns", i)},
			"audience": "vault", "token_policies": []string{fmt.Sprint("p", i)}, "token_ttl": "20m",
		}))
	}
	return [][]call{mounts, rest}
}

// reads are the requests that show all of it: each object once, and the mounts by their
// listings.
func (s size) reads() [][]call {
	all := []call{{http.MethodGet, "sys/auth", nil}, {http.MethodGet, "sys/mounts", nil}}
	for i := range s.policies {
		all = append(all, call{http.MethodGet, fmt.Sprintf("sys/policies/acl/p%d", i), nil})
	}
	for i := range s.roles {
		all = append(all, call{http.MethodGet, fmt.Sprintf("auth/kubernetes/role/r%d", i), nil})
	}
	return [][]call{all}
}
