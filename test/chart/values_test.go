package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestWrongValuesAreRefused looks at what a person reads who has mistaken a value.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, want := range map[string][]string{
		"mode: cron":                                     {"/mode", "'hook', 'job', 'argocd', 'watch', 'none'"},
		"vault: {replica: 3}":                            {"/vault", "'replica' not allowed"},
		"vault: {replicas: three}":                       {"/vault/replicas", "integer"},
		"vault: {scheme: tcp}":                           {"/vault/scheme", "'https', 'http'"},
		"vault: {addresses: [vault-0:8200]}":             {"/vault/addresses/0"},
		"image: {digest: latest}":                        {"/image/digest", "sha256"},
		"name: Vault_Bootstrap":                          {"/name"},
		"run: {until: done}":                             {"/run/until", "'hardened'"},
		"run: {keyShares: 0}":                            {"/run/keyShares", "minimum"},
		"run: {onKeysLost: reset}\nvault: {replicas: 0}": {"/vault/replicas", "minimum"},
		"run: {pgpKeys: {unseal: [a.asc]}}":              {"/run/pgpKeys/configMap"},
		"seed: {files: {notes.txt: hello}}":              {"notes.txt"},
		"keys: {mode: mine}":                             {"/keys/mode", "'stored', 'none'"},
		"keys: none":                                     {"/keys", "keys.mode", "keys.encryption"},
		"keys: {mode: none}\nrun: {onKeysLost: reset}":   {"/run/onKeysLost"},
		"keys: {mode: none}\nrun: {keyShares: 3}":        {"/run/keyShares"},
		"keys: {mode: none}\nrun: {respectSeal: true}":   {"/run/respectSeal"},
		"keys: {mode: none}\nrun: {pgpKeys: {configMap: a, unseal: [a.asc]}}": {"/run/pgpKeys/unseal"},
		"keys: {mode: none}\nrbac: {unsealers: [vault]}":                      {"/rbac/unsealers"},
		"keys: {mode: none}\nlogin: {method: 'kubernetes,approle'}":           {"/login/method"},
		"job: {timeout: 5}":      {"/job/timeout", "string"},
		"mesh: {sidecar: istio}": {"/mesh/sidecar", "'native'"},
		"tolerations: {}":        {"/tolerations", "array"},
	} {
		_, err := template(t, values)
		if err == nil {
			t.Errorf("%q was accepted", values)
			continue
		}
		for _, each := range want {
			if !strings.Contains(err.Error(), each) {
				t.Errorf("%q: the error does not say %q: %v", values, each, err)
			}
		}
	}
}

// TestFlags compares values with the command line that they become.
func TestFlags(t *testing.T) {
	for values, want := range map[string][]string{
		"": {"--store=kubernetes", "--name=vault-bootstrap", "--vault-service=vault-internal", "--vault-statefulset=vault",
			"--vault-scheme=https", "--replicas=3", "--spool-dir=/spool", "--timeout=4m"},
		"vault: {addresses: ['http://a:1', 'http://b:1'], replicas: 0}": {"--vault-addr=http://a:1", "--vault-addr=http://b:1"},
		"vault: {selector: 'app in (a, b)', replicas: 0}":               {"--vault-selector=app in (a, b)", "--vault-scheme=https"},
		"vault: {ca: {configMap: x, key: root.pem}}":                    {"--ca-cert=/vault/ca/root.pem"},
		"vault: {clientCertificateSecret: x}":                           {"--client-cert=/vault/client/tls.crt", "--client-key=/vault/client/tls.key"},
		"seed: {files: {a.yaml: '{}'}, configMaps: [b], secrets: [c]}":  {"--seed=/seed/values", "--seed=/seed/configmaps/b", "--seed=/seed/secrets/c"},
		"run: {keyShares: 7, keyThreshold: 4, until: seeded}":           {"--key-shares=7", "--key-threshold=4", "--until=seeded"},
		"run: {extraArgs: ['--lease-duration=30s']}":                    {"--lease-duration=30s"},
		"run: {respectSeal: true, onKeysLost: reset, storageVolume: v}": {"--respect-seal", "--on-keys-lost=reset", "--storage-volume=v"},
		"run: {policy: fixed}":                                          {"--policy=fixed"},
		"run: {ceremonies: never, ceremonyCredential: true}":            {"--ceremonies=never", "--ceremony-credential"},
		"login: {method: approle, path: p, audience: a}":                {"--login=approle", "--login-path=p", "--login-audience=a"},
		"keys: {mode: none}":                                            {"--keys=none"},
		"run: {recoveryShares: 0}":                                      {"--recovery-shares=0"},
		"mesh: {sidecar: quit}":                                         {"--quit-sidecar=http://127.0.0.1:15020/quitquitquit"},
	} {
		got := args(t, render(t, values).one(t, "Job"))
		for _, each := range want {
			if !slices.Contains(got, each) {
				t.Errorf("%q: %v lacks %q", values, got, each)
			}
		}
		if values == "" && len(got) != len(want)+1 { // and the verb
			t.Errorf("by default the arguments are %v, want only %v", got, want)
		}
		if strings.Contains(values, "addresses") && slices.ContainsFunc(got, func(arg string) bool { return strings.HasPrefix(arg, "--vault-service") }) {
			t.Errorf("%q: addresses and a Service: %v", values, got)
		}
	}
}

// TestSeedIsNoTemplate holds the templates that policies have to what they are.
func TestSeedIsNoTemplate(t *testing.T) {
	const policy = `path "kv/data/{{identity.entity.id}}/*" { capabilities = ["read"] }`
	found := render(t, "seed: {files: {own.hcl: '"+policy+"', seed.yaml: \"audit:\\n- type: file\"}}")
	data := found.one(t, "ConfigMap").at(t, "data").(map[string]any)
	if data["own.hcl"] != policy {
		t.Errorf("the policy became %q", data["own.hcl"])
	}
	if got, want := data["seed.yaml"], "audit:\n- type: file"; got != want {
		t.Errorf("the seed became %q, want %q", got, want)
	}
}

// TestJobNameFollowsWhatItIs changes the values one at a time: what makes another pod
// makes another Job, what does not leaves the Job in place.
func TestJobNameFollowsWhatItIs(t *testing.T) {
	name := func(values string) string { return render(t, values, "--set=mode=job").one(t, "Job").GetName() }
	base := name("")
	if again := name(""); again != base {
		t.Errorf("the same values give %s and %s", base, again)
	}
	for _, same := range []string{"networkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1/32]}", "cronJob: {enabled: false}", "commonLabels: {}", "watch: {replicas: 2}"} {
		if got := name(same); got != base {
			t.Errorf("%q makes another Job, %s", same, got)
		}
	}
	seen := map[string]string{base: ""}
	for _, other := range []string{
		"seed: {files: {a.yaml: '{}'}}", "seed: {files: {a.yaml: 'x: y'}}", "seed: {revision: '2'}", "image: {tag: v2}", "vault: {replicas: 5}",
		"extraEnv: [{name: A, value: b}]", "job: {backoffLimit: 1}", "seed: {configMaps: [x]}", "seed: {secrets: [x]}", "resources: {limits: {memory: 1Gi}}",
	} {
		got := name(other)
		if before, twice := seen[got]; twice {
			t.Errorf("%q gives the Job of %q", other, before)
		}
		seen[got] = other
	}
}

// TestWithoutKeys looks at a release for a Vault whose keys are not ours: nothing in it is for keys.
func TestWithoutKeys(t *testing.T) {
	for _, mode := range []string{"hook", "job", "argocd", "watch"} {
		found := render(t, "keys: {mode: none}\nmode: "+mode)
		kind := "Job"
		if mode == "watch" {
			kind = "Deployment"
		}
		work := found.one(t, kind)
		if got := args(t, work); !slices.Contains(got, "--keys=none") || slices.ContainsFunc(got, func(arg string) bool { return strings.HasPrefix(arg, "--spool-dir") }) {
			t.Errorf("%s: the arguments are %v", mode, got)
		}
		if text := fmt.Sprint(work); strings.Contains(text, "/spool") {
			t.Errorf("%s: there is a spool: %s", mode, text)
		}
		for _, rule := range found.one(t, "Role").at(t, "rules").([]any) {
			if text := fmt.Sprint(rule); strings.Contains(text, "pods") {
				t.Errorf("%s: the Role has a rule about pods: %s", mode, text)
			}
		}
	}
}
