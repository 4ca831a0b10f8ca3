package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
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
	allowed := []string{"auth/kubernetes/login", "auth/token/lookup-self", "sys/capabilities-self", "auth/token/revoke-self"}
	var found []string
	for i := range replicas {
		logs, err := cluster.Client.CoreV1().Pods(s.namespace).GetLogs(fmt.Sprintf("vault-%d", i), &corev1.PodLogOptions{Container: "vault"}).DoRaw(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range strings.Lines(string(logs)) {
			var entry struct {
				Type    string
				Request struct{ Operation, Path string }
			}
			if json.Unmarshal([]byte(line), &entry) != nil || entry.Type != "request" {
				continue // a line of the server's own log
			}
			if r := entry.Request; r.Operation != "read" && r.Operation != "list" && !slices.Contains(allowed, r.Path) {
				found = append(found, r.Operation+" "+r.Path)
			}
		}
	}
	return found
}
