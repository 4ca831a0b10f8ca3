package chart

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
)

// encrypted has a recipient of each kind, with all that they take.
const encrypted = `
keys:
  encryption:
    recipients:
      - age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
      - transit:https://vault.other.svc:8300/transit/k
      - awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
      - gcpkms:projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k
      - azurekv:https://ours.vault.azure.net/keys/k
      - kms-plugin:unix:/run/kms/kms.sock
    age: {secret: identities, keys: [one.txt, two.txt]}
    transit: {tokenSecret: transit, ca: {configMap: authority, key: root.pem}}
    aws: {endpoint: "https://kms.example:8443"}
    plugin: {hostPath: /var/run/plugin}
    inVaultPods: true
`

// mounted are what only those may have that open the keys, and where.
var mounted = map[string]string{"keys-identity": "/keys/identity", "keys-token": "/keys/token", "keys-ca": "/keys/ca", "keys-plugin": "/run/kms"}

// TestEncryption looks at each container of the chart: those that open the keys know the recipients
// and have what these take, and no other container does.
func TestEncryption(t *testing.T) {
	flags := []string{
		"--keys-to=transit:https://vault.other.svc:8300/transit/k", "--keys-to=kms-plugin:unix:/run/kms/kms.sock",
		"--keys-identity=/keys/identity/one.txt", "--keys-identity=/keys/identity/two.txt", "--keys-token-file=/keys/token/token", "--keys-ca=/keys/ca/root.pem",
	}
	for mode := range modes {
		var opened int
		for key, each := range render(t, encrypted, "--set=mode="+mode) {
			if !slices.Contains([]string{"Job", "CronJob", "Deployment", "Pod"}, each.GetKind()) {
				continue
			}
			spec, got := podSpec(t, each), args(t, each)
			want := got[0] == "run" || got[0] == "watch"
			if want {
				opened++
			}
			for _, flag := range flags {
				if slices.Contains(got, flag) != want {
					t.Errorf("mode %s: %s: its arguments are %v: %s is there: %v, want %v", mode, key, got, flag, !want, want)
				}
			}
			for name, path := range mounted {
				volume := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
				mount := slices.IndexFunc(spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name })
				if (volume >= 0) != want || (mount >= 0) != want {
					t.Errorf("mode %s: %s has %s as a volume: %v, mounted: %v, want %v", mode, key, name, volume >= 0, mount >= 0, want)
				} else if want {
					if m := spec.Containers[0].VolumeMounts[mount]; m.MountPath != path || !m.ReadOnly {
						t.Errorf("mode %s: %s: %s is mounted as %+v", mode, key, name, m)
					}
					closed(t, spec.Volumes[volume])
				}
			}
		}
		if opened == 0 {
			t.Errorf("mode %s: nothing opens the keys", mode)
		}
	}
}

// TestTransitLogin renders a recipient that logs in by itself: it takes no Secret with a token.
func TestTransitLogin(t *testing.T) {
	const recipient = "transit:https://vault.other.svc:8300/transit/k?login=kubernetes&role=r"
	var found bool
	for _, each := range render(t, "keys: {encryption: {recipients: ['"+recipient+"']}}") {
		found = found || each.GetKind() == "Job" && slices.Contains(args(t, each), "--keys-to="+recipient)
	}
	if !found {
		t.Errorf("no Job has --keys-to=%s", recipient)
	}
}

// podSpec returns the pod of an object in Kubernetes' own types.
func podSpec(t *testing.T, o *object) corev1.PodSpec {
	t.Helper()
	var spec corev1.PodSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(pod(t, o), &spec, true); err != nil {
		t.Fatal(err)
	}
	return spec
}

// closed holds that a Secret's files are for our group alone, and only those that were named.
func closed(t *testing.T, volume corev1.Volume) {
	t.Helper()
	if secret := volume.Secret; secret != nil {
		if secret.DefaultMode == nil || *secret.DefaultMode != 0o440 || len(secret.Items) == 0 {
			t.Errorf("%s is mounted with the mode %v and the keys %v", volume.Name, secret.DefaultMode, secret.Items)
		}
	}
}

// TestEncryptionRefused looks at what a person reads who would leave keys in clear, or sealed. What
// may be secret is not repeated.
func TestEncryptionRefused(t *testing.T) {
	const (
		identity = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"
		cloud    = "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k"
		escrow   = "age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
		plugin   = "kms-plugin:unix:/run/kms/kms.sock"
		remote   = "transit:https://vault.example:8200/transit/k"
	)
	for values, want := range map[string][]string{
		"{recipients: ['age:" + identity + "']}":                                                     {"/keys/encryption/recipients/0", "keys.encryption.age.secret"},
		"{recipients: ['" + identity + "']}":                                                         {"/keys/encryption/recipients/0", "keys.encryption.age.secret"},
		"{recipients: ['" + strings.ToLower(identity) + "']}":                                        {"/keys/encryption/recipients/0", "keys.encryption.age.secret"},
		"{recipients: ['" + escrow + "'], age: {secret: " + identity + "}}":                          {"/keys/encryption/age/secret", "keys.encryption.age.secret"},
		"{recipients: ['" + escrow + "'], age: {secret: a, keys: [" + identity + "]}}":               {"/keys/encryption/age/keys/0", "keys.encryption.age.secret"},
		"{recipients: ['" + remote + "'], transit: {tokenSecret: hvs.QQQQQQQQ}}":                     {"/keys/encryption/transit/tokenSecret", "put another one into a Secret"},
		"{recipients: ['" + escrow + "']}":                                                           {"keys.encryption.recipients has escrows only", "keys.encryption.age.secret"},
		"{recipients: ['" + escrow + "', '" + escrow + "']}":                                         {"/keys/encryption/recipients", "equal"},
		"{recipients: [vault]}":                                                                      {"keys.encryption.recipients[0] is of no known kind", "age:age1", "awskms:", "kms-plugin:"},
		"{recipients: ['" + cloud + "', 'awskms:alias/ours']}":                                       {"keys.encryption.recipients[1] is not written as awskms:arn:"},
		"{recipients: ['transit:https://a:hunter2@vault.example/transit/k']}":                        {"keys.encryption.recipients[0] is not written as transit:https://"},
		"{recipients: ['transit:http://vault.example/transit/k']}":                                   {"keys.encryption.recipients[0] is not written as transit:https://"},
		"{recipients: ['" + remote + "']}":                                                           {"keys.encryption.transit.tokenSecret"},
		"{recipients: ['" + plugin + "']}":                                                           {"/run/kms", "keys.encryption.plugin.hostPath", "extraVolumes"},
		"{recipients: ['" + plugin + "', 'kms-plugin:unix:/other/s'], plugin: {hostPath: /run/kms}}": {"keys.encryption.plugin.hostPath", "several"},
		"{age: {secret: identities}}":                                                                {"keys.encryption.age.secret", "in clear"},
		"{inVaultPods: true}":                                                                        {"keys.encryption.inVaultPods", "in clear"},
		"{recipients: ['" + cloud + "'], age: {secret: identities}}":                                 {"keys.encryption.age.secret", "no recipient is of the kind age"},
		"{recipients: ['" + cloud + "'], transit: {tokenSecret: t}}":                                 {"keys.encryption.transit.tokenSecret", "no recipient is of the kind transit"},
		"{recipients: ['" + cloud + "'], aws: {endpoint: 'https://a'}}":                              {"keys.encryption.aws.endpoint", "no recipient is of the kind awskms"},
		"{recipients: ['" + cloud + "'], plugin: {hostPath: /run}}":                                  {"keys.encryption.plugin.hostPath", "no recipient is of the kind kms-plugin"},
		"{recipients: ['" + plugin + "'], plugin: {hostPath: /run/../etc}}":                          {"/keys/encryption/plugin/hostPath"},
		"{recipients: ['" + cloud + "']}, mode: none":                                                {"keys.encryption.recipients and keys.mode=none exclude each other"},
	} {
		for _, mode := range []string{"hook", "none"} { // none has nothing that knows the flags
			_, err := template(t, "mode: "+mode+"\ncronJob: {enabled: false}\nkeys: {encryption: "+values+"}")
			if err == nil {
				t.Errorf("mode %s: %q was accepted", mode, values)
				continue
			}
			for _, each := range want {
				if !strings.Contains(err.Error(), each) {
					t.Errorf("mode %s: %q: the error does not say %q: %v", mode, values, each, err)
				}
			}
			if strings.Contains(strings.ToUpper(err.Error()), "QQQQ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: the error repeats what is secret: %v", values, err)
			}
		}
	}
	for _, where := range []string{"rbac: {unsealers: [vault]}", "rbac: {extraServiceAccounts: [vault]}", "mode: none\nserviceAccount: {create: false, name: vault}"} {
		values := where + "\nkeys: {encryption: {recipients: ['" + cloud + "']}}"
		refused(t, values, "lets Vault's own pods open the keys", "keys.encryption.inVaultPods=true", "docs/keys-at-rest.md")
		if _, err := template(t, values, "--set=keys.encryption.inVaultPods=true"); err != nil {
			t.Errorf("%q: %v", where, err)
		}
	}
	refused(t, "podSecurityContext: {fsGroup: null}\nkeys: {encryption: {recipients: ['"+escrow+"'], age: {secret: identities}}}", "keys.encryption.age.secret needs podSecurityContext.fsGroup")
	// What the chart has no value for comes by the program's flags.
	for _, values := range []string{
		"run: {extraArgs: [--keys-identity=/csi/identity.txt]}\nkeys: {encryption: {recipients: ['" + escrow + "']}}",
		"run: {extraArgs: [--keys-token-file=/csi/token]}\nkeys: {encryption: {recipients: ['" + remote + "']}}",
		"extraVolumes: [{name: kms, csi: {driver: a}}]\nextraVolumeMounts: [{name: kms, mountPath: /run}]\nkeys: {encryption: {recipients: ['" + plugin + "']}}",
	} {
		if _, err := template(t, values); err != nil {
			t.Errorf("%q: %v", values, err)
		}
	}
}

// TestRecipientForms has the chart take every recipient that the program does.
func TestRecipientForms(t *testing.T) {
	for _, text := range []string{
		"age:age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "age:age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
		"transit:https://vault.example:8200/transit/k", "transit:https://[fd00::1]:8200/a/b/k_1.2/", "transit:http://127.0.0.1:8200/transit/k", "transit:http://localhost/transit/k", "transit:http://[::1]:8200/transit/k",
		"awskms:arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", "awskms:arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/a/b_c",
		"gcpkms:projects/example.com:p/locations/global/keyRings/r_1/cryptoKeys/k-1", "azurekv:https://ours.managedhsm.azure.net/keys/K1", "azurekv:https://ours.vault.azure.net:443/keys/k/",
		"kms-plugin:unix:/run/kms.sock", "kms-plugin:unix:///run/kms.sock",
	} {
		if _, err := keyring.Parse(text); err != nil {
			t.Errorf("the program: %v", err)
		}
		if _, err := template(t, "keys: {encryption: {recipients: ['"+text+"', 'gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k']}}\n"+
			"run: {extraArgs: [--keys-token-file=/t]}\nextraVolumeMounts: [{name: a, mountPath: /run}]\nextraVolumes: [{name: a, emptyDir: {}}]\n"); err != nil {
			t.Errorf("the chart: %v", err)
		}
	}
}

// TestEncryptionNetworkPolicy lets the pods reach what opens the keys.
func TestEncryptionNetworkPolicy(t *testing.T) {
	const on = "networkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1/32], recipientCIDRs: [%s]}\n"
	rules := func(values string) map[string]string {
		found := map[string]string{}
		for _, each := range render(t, values).one(t, "NetworkPolicy").at(t, "spec", "egress").([]any) {
			rule := each.(map[string]any)
			for _, port := range rule["ports"].([]any) {
				found[fmt.Sprint(port.(map[string]any)["port"])] += fmt.Sprint(rule["to"])
			}
		}
		return found
	}
	without, open, narrow := rules(fmt.Sprintf(on, "")), rules(fmt.Sprintf(on, "")+encrypted), rules(fmt.Sprintf(on, "192.0.2.0/24")+encrypted)
	for _, port := range []string{"8300", "8443", "80", "988"} { // transit, the endpoint, the clouds' metadata
		if without[port] != "" || open[port] == "" {
			t.Errorf("port %s goes to %q, and with recipients to %q", port, without[port], open[port])
		}
	}
	for port, want := range map[string]string{"8300": "map[cidr:192.0.2.0/24]", "8443": "map[cidr:192.0.2.0/24]", "443": "map[cidr:192.0.2.0/24]"} {
		if !strings.Contains(narrow[port], want) {
			t.Errorf("port %s goes to %s, want %s", port, narrow[port], want)
		}
		if inside := strings.Contains(narrow[port], "namespaceSelector"); inside != (port == "8300") {
			t.Errorf("port %s goes to pods: %v", port, narrow[port])
		}
	}
}

// TestEncryptionNotes reads what Helm prints.
func TestEncryptionNotes(t *testing.T) {
	s := newSite(t)
	for values, want := range map[string]string{
		"": "They are in clear", "keys: {mode: none}": `keys\.mode: none`,
		encrypted: `(?s)break-glass run --namespace=\S+ --name=vault-bootstrap.*--keys-to=awskms:arn\S+ \\.*--keys-identity=FILE.*WARNING: the Secret identities`,
		"keys: {encryption: {recipients: ['gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k']}}": "WARNING: there is one recipient",
	} {
		out := s.mustHelm(values, "install", "rel", chartDir, "--dry-run=client")
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%q: the notes lack %q:\n%s", values, want, out[strings.Index(out, "NOTES"):])
		}
	}
}

// TestEncryptionIsAnotherJob has an upgrade to other recipients run again in mode job.
func TestEncryptionIsAnotherJob(t *testing.T) {
	seen := map[string]bool{}
	for _, values := range []string{"", encrypted, strings.Replace(encrypted, "identities", "others", 1)} {
		seen[render(t, values, "--set=mode=job").one(t, "Job").GetName()] = true
	}
	if len(seen) != 3 {
		t.Errorf("the Jobs are %v", slices.Sorted(maps.Keys(seen)))
	}
}
