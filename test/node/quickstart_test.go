package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// quickStart is a block of commands in docs/kubernetes.md, with its name.
var quickStart = regexp.MustCompile("(?s)<!-- quickstart:([a-z]+) -->\n```sh\n(.*?)```")

// TestQuickStarts runs the commands that docs/kubernetes.md prints for each mode, as
// they are printed, and looks on afterwards. They share the namespace 'vault', so one
// comes after the other.
func TestQuickStarts(t *testing.T) {
	t.Parallel()
	if missing != nil {
		t.Skip(missing)
	}
	if cluster.Attached {
		t.Skip("the quick starts make and remove the namespace 'vault', which may be somebody's")
	}
	docs, err := os.ReadFile(shipped("docs/kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := quickStart.FindAllStringSubmatch(string(docs), -1)
	if len(blocks) == 0 {
		t.Fatal("docs/kubernetes.md has no quick starts")
	}
	addVaultRepository(t)
	// A mode in which sealed replicas open by themselves.
	opens := map[string]bool{"watch": true, "sidecar": true, "poststart": true}
	for _, block := range blocks {
		name, commands := block[1], strings.Split(strings.TrimSpace(block[2]), "\n")
		if name == "argocd" {
			continue // Argo CD cannot run here, as the docs say
		}
		t.Run(name, func(t *testing.T) {
			s := &site{t: t, namespace: "vault"}
			defer s.endAndWait()
			var printed []string
			for _, command := range commands {
				printed = append(printed, s.shell(command))
				if strings.Contains(command, "create namespace") {
					s.restrict()
				}
			}
			if !slices.Contains(printed, "hardened") {
				t.Errorf("no command printed the state 'hardened': %q", printed)
			}
			s.wantHardened(3)
			if opens[name] {
				s.wantUnsealedAfterDeletion(1)
			}
		})
	}
}

// shell runs a line of the docs at the root of the repository, as a person would.
func (s *site) shell(line string) string {
	s.t.Helper()
	began := time.Now()
	out, err := cluster.Shell(s.t.Context(), shipped("."), line)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%s: %s", time.Since(began).Round(100*time.Millisecond), line)
	return out
}

// restrict has the namespace admit restricted pods only.
func (s *site) restrict() {
	s.t.Helper()
	s.kubectl("label", "namespace", s.namespace, "pod-security.kubernetes.io/enforce=restricted")
}

// endAndWait removes what a quick start has made, so that the next one can begin.
func (s *site) endAndWait() {
	s.end()
	ctx := context.Background() // the test's may be over
	if _, err := cluster.Kubectl(ctx, "delete", "clusterrolebinding", "vault-server-binding", "--ignore-not-found"); err != nil {
		s.t.Error(err)
	}
	s.until(2*time.Minute, "the end of the namespace", func(context.Context) error {
		_, err := cluster.Client.CoreV1().Namespaces().Get(ctx, s.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return cmp.Or(err, errors.New("it is there"))
	})
}

// addVaultRepository serves a chart repository with the stand-in for Vault's chart,
// and adds it under the name that the docs use. On a cluster of one node that chart
// wants server.affinity to be empty, as the docs say; here it is so by default.
func addVaultRepository(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	chart := filepath.Join(dir, "vault")
	if err := os.CopyFS(chart, os.DirFS("testdata/vault")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(chart, "values.yaml")
	values, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin := bytes.Index(values, []byte("  affinity: |\n"))
	end := bytes.Index(values, []byte("  authDelegator:\n"))
	if begin < 0 || end < begin {
		t.Fatal("the stand-in's values have no affinity")
	}
	values = append(append(bytes.Clone(values[:begin]), "  affinity: \"\"\n"...), values[end:]...)
	if err := os.WriteFile(path, values, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	for _, args := range [][]string{
		{"package", chart, "--destination", dir},
		{"repo", "index", dir, "--url", server.URL},
		{"repo", "add", "hashicorp", server.URL, "--force-update"},
	} {
		if _, err := cluster.Helm(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
}
