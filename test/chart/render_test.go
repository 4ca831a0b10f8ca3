package chart

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modes are what the chart runs in, and the kind of what runs.
var modes = map[string]string{"hook": "Job", "job": "Job", "argocd": "Job", "watch": "Deployment", "none": ""}

// everything turns on what is off by default.
const everything = `
vault: {ca: {secret: vault-tls}, clientCertificateSecret: vault-client, tlsServerName: vault, namespace: team}
seed: {files: {seed.yaml: "secrets: [{type: kv, path: kv}]"}, configMaps: [one], secrets: [two]}
run: {onKeysLost: reset, respectSeal: true, pgpKeys: {configMap: operators, unseal: [a.asc], recovery: [b.asc], waitForUnseal: true}}
login: {path: k8s, audience: other, kubernetesHost: "https://api.example:6443"}
rbac: {extraServiceAccounts: [vault], waiters: [{namespace: apps}], unsealers: [vault]}
tokenReview: {create: true}
networkPolicy: {enabled: true, vaultNamespaceSelector: {}, apiServerCIDRs: [10.0.0.1/32]}
watch: {replicas: 2, pprof: true, interval: 5m, healthInterval: 1s, podDisruptionBudget: {enabled: true}}
image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [{name: pull}]}
extraEnv: [{name: A, value: b}]
extraEnvFrom: [{secretRef: {name: two}}]
extraVolumes: [{name: extra, emptyDir: {}}]
extraVolumeMounts: [{name: extra, mountPath: /extra}]
commonLabels: {team: platform}
podLabels: {a: b}
podAnnotations: {c: d}
nodeSelector: {disk: fast}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}]
priorityClassName: system-cluster-critical
mesh: {sidecar: quit}
`

func TestLint(t *testing.T) {
	for mode := range modes {
		cmd := command(t.Context(), t, os.DevNull, "lint", "--strict", chartDir, "--set=mode="+mode)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("mode %s: %v\n%s", mode, err, out)
		}
	}
}

// TestModes looks at what every mode must have, with the defaults and with everything on.
func TestModes(t *testing.T) {
	for mode, kind := range modes {
		for name, values := range map[string]string{"defaults": "", "everything": everything} {
			t.Run(mode+" with "+name, func(t *testing.T) {
				found := render(t, values, "--set=mode="+mode)
				for key := range found {
					if strings.HasPrefix(key, "Secret ") {
						t.Errorf("%s is an object of the chart: uninstalling would delete it", key)
					}
				}
				cron := found.one(t, "CronJob")
				if cron.at(t, "spec", "suspend") != true {
					t.Error("the CronJob is not suspended")
				}
				if got := args(t, cron)[0]; got != "run" {
					t.Errorf("the CronJob does %q", got)
				}
				if kind == "" {
					for key := range found {
						if strings.HasPrefix(key, "Job ") || strings.HasPrefix(key, "Deployment ") {
							t.Errorf("%s is there", key)
						}
					}
					return
				}
				verb := "run"
				if kind == "Deployment" {
					verb = "watch"
				}
				if got := args(t, found.one(t, kind))[0]; got != verb {
					t.Errorf("the %s does %q, want %q", kind, got, verb)
				}
			})
		}
	}
}

// TestHelmAnnotations looks at who is a hook of whom.
func TestHelmAnnotations(t *testing.T) {
	for mode, want := range map[string]map[string]string{
		"hook": {"helm.sh/hook": "post-install,post-upgrade,post-rollback", "helm.sh/hook-weight": "0", "helm.sh/hook-delete-policy": "before-hook-creation"},
		"job":  {},
	} {
		got := render(t, "", "--set=mode="+mode).one(t, "Job").GetAnnotations()
		if len(got) != len(want) {
			t.Errorf("mode %s: the Job has the annotations %v, want %v", mode, got, want)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("mode %s: %s is %q, want %q", mode, key, got[key], value)
			}
		}
	}
}

// TestArgoWaves holds the Job to the wave of Vault's StatefulSet, and everything that it
// needs to an earlier one. Argo takes no hook of Helm's beside its own.
func TestArgoWaves(t *testing.T) {
	const wave = "argocd.argoproj.io/sync-wave"
	for set, want := range map[string]struct{ job, early string }{
		"0": {"0", "-1"}, "5": {"5", "4"}, "-2": {"-2", "-3"},
	} {
		found := render(t, everything, "--set=mode=argocd", "--set=argocd.wave="+set)
		for key, each := range found {
			for annotation := range each.GetAnnotations() {
				if strings.HasPrefix(annotation, "helm.sh/") {
					t.Errorf("%s has the annotation %s", key, annotation)
				}
			}
			expected := want.early
			if each.GetKind() == "Job" || each.GetKind() == "CronJob" {
				expected = want.job
			}
			if got := each.GetAnnotations()[wave]; got != expected {
				t.Errorf("argocd.wave=%s: %s is in wave %q, want %q", set, key, got, expected)
			}
		}
		if got := found.one(t, "Job").GetAnnotations()["argocd.argoproj.io/hook"]; got != "Sync" {
			t.Errorf("the Job is a hook of %q", got)
		}
	}
}

// TestTimes holds the Job under Helm's time-out of 5 minutes, where a Helm waits for
// it, and lets nothing remove the Job of mode job, since an upgrade would make it again.
func TestTimes(t *testing.T) {
	for mode, want := range map[string]struct {
		deadline float64
		timeout  string
		ttl      any
	}{
		"hook": {285, "--timeout=4m", 86400.0}, "job": {285, "--timeout=4m", nil}, "argocd": {1500, "--timeout=20m", 86400.0},
	} {
		job := render(t, "", "--set=mode="+mode).one(t, "Job")
		spec := job.at(t, "spec").(map[string]any)
		if got := spec["activeDeadlineSeconds"]; got != want.deadline {
			t.Errorf("mode %s: deadline %v, want %v", mode, got, want.deadline)
		}
		if got := spec["ttlSecondsAfterFinished"]; got != want.ttl {
			t.Errorf("mode %s: TTL %v, want %v", mode, got, want.ttl)
		}
		if got := args(t, job); !slices.Contains(got, want.timeout) {
			t.Errorf("mode %s: %v lacks %s", mode, got, want.timeout)
		}
	}
}

// TestPlainManifestsAreRendered holds manifests/*.yaml to the chart.
func TestPlainManifestsAreRendered(t *testing.T) {
	if _, err := command(t.Context(), t, os.DevNull, "version").Output(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "../../manifests/render", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"rbac.yaml", "job.yaml", "cronjob.yaml", "watch.yaml", "networkpolicy.yaml", "monitoring/alerts.yaml"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../../manifests", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("manifests/%s is not what the chart renders: run manifests/render", name)
		}
	}
}
