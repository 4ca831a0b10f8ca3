package driver

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Audit is what Vault's audit log shows, in its order.
type Audit []Audited

// Audited is a line of the log: a request, or the response to it.
type Audited struct {
	// Type is "request" or "response".
	Type string
	// Time is when the server wrote the line.
	Time    time.Time
	Request struct {
		Operation, Path string
		// Namespace is where the path begins; its path has a trailing slash, or is empty.
		Namespace   struct{ Path string }
		ClientToken string `json:"client_token"`
		Data        map[string]any
		Headers     map[string][]string
	}
	Auth struct {
		ClientToken string `json:"client_token"`
		Policies    []string
		Metadata    map[string]any
	}
	Error string
}

// Call is the operation and the path, with its namespace.
func (a Audited) Call() string {
	return a.Request.Operation + " " + a.Request.Namespace.Path + a.Request.Path
}

// ReadAudit returns what a log shows from a line on, counted from 0, and how many lines it
// has. A line that Vault has not written to its end does not count.
func ReadAudit(log string, from int) (Audit, int, error) {
	content, err := os.ReadFile(log)
	if err != nil {
		return nil, 0, err
	}
	lines := slices.Collect(strings.Lines(string(content)))
	if last := len(lines) - 1; last >= 0 && !strings.HasSuffix(lines[last], "\n") {
		lines = lines[:last]
	}
	found, err := ParseAudit(lines[min(from, len(lines)):])
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s from line %d on: %w", log, from+1, err)
	}
	return found, len(lines), nil
}

// ParseAudit parses lines of a log.
func ParseAudit(lines []string) (Audit, error) {
	found := make(Audit, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &found[i]); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return found, nil
}

// Requests leaves the responses out.
func (a Audit) Requests() Audit {
	return slices.DeleteFunc(slices.Clone(a), func(each Audited) bool { return each.Type != "request" })
}

// Calls returns the requests as "operation path".
func (a Audit) Calls() []string {
	var calls []string
	for _, each := range a.Requests() {
		calls = append(calls, each.Call())
	}
	return calls
}

// Writes returns the requests other than reads and lists, apart from those that every run may
// make: a login by one of these auth methods, questions about its own token, and the end of
// that token.
func (a Audit) Writes(logins ...string) []string {
	own := []string{"auth/token/lookup-self", "sys/capabilities-self", "auth/token/revoke-self"}
	for _, login := range logins {
		own = append(own, "auth/"+login+"/login")
	}
	var calls []string
	for _, each := range a.Requests() {
		if each.Request.Operation != "read" && each.Request.Operation != "list" && !slices.Contains(own, each.Request.Path) {
			calls = append(calls, each.Call())
		}
	}
	return calls
}

var serviceToken = regexp.MustCompile(`hvs\.[A-Za-z0-9_-]{20,}`)

// Tokens returns every token in a raw log, once each.
func Tokens(text string) []string {
	found := serviceToken.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
