package testbed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// APIRequest is what the suites read of a line of the API server's audit log.
type APIRequest struct {
	AuditID    string
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  struct{ Resource, Name string }
	Status     struct{ Code int } `json:"responseStatus"`
	Received   time.Time          `json:"requestReceivedTimestamp"`
}

func (r APIRequest) String() string {
	return fmt.Sprintf("%s %s/%s: %d", r.Verb, r.ObjectRef.Resource, r.ObjectRef.Name, r.Status.Code)
}

// DryRun reports whether it was only rehearsed.
func (r APIRequest) DryRun() bool { return strings.Contains(r.RequestURI, "dryRun=All") }

// Requests returns a user's requests in a span of time, in their order.
func (c *ControlPlane) Requests(user string, from, to time.Time) ([]APIRequest, error) {
	log, err := os.Open(c.AuditLog)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	var found []APIRequest
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(user)) {
			continue
		}
		var request APIRequest
		if json.Unmarshal(lines.Bytes(), &request) != nil {
			continue // a line that is being written
		}
		if request.User.Username == user && !request.Received.Before(from) && request.Received.Before(to) {
			found = append(found, request)
		}
	}
	return found, lines.Err()
}
