package node

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// auditToStdout is the part of a seed that has Vault write its audit log into its
// pod's, where the suite reads what was asked of it. Values in it are hashed.
const auditToStdout = `
audit:
  - type: file
    options: {file_path: stdout}
`

// written returns the requests that have changed Vault since its replicas began,
// apart from what every run may do: its login, questions about its own token, and
// that token's end.
func (s *site) written(replicas int) []string {
	s.t.Helper()
	var found []string
	for i := range replicas {
		logs, err := cluster.Client.CoreV1().Pods(s.namespace).GetLogs(fmt.Sprintf("vault-%d", i), &corev1.PodLogOptions{Container: "vault"}).DoRaw(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		lines := slices.DeleteFunc(slices.Collect(strings.Lines(string(logs))), func(line string) bool {
			// The server's own log, and what is not written to its end.
			return !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "\n")
		})
		entries, err := driver.ParseAudit(lines)
		if err != nil {
			s.t.Fatal(err)
		}
		found = append(found, entries.Writes("kubernetes")...)
	}
	return found
}
