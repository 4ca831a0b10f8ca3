package driver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Entry is a line of the program's log, which is JSON wherever it does not go to a terminal.
type Entry struct {
	Time time.Time
	Msg  string
	// Fields are all there are, by name.
	Fields map[string]any
}

// Text returns a field as text; nothing if it is not there.
func (e Entry) Text(name string) string {
	if value, there := e.Fields[name]; there {
		return fmt.Sprint(value)
	}
	return ""
}

// Texts returns the elements of a field that is a list.
func (e Entry) Texts(name string) []string {
	list, _ := e.Fields[name].([]any)
	var texts []string
	for _, each := range list {
		texts = append(texts, fmt.Sprint(each))
	}
	return texts
}

// Entries returns the lines of a log. Output holds other lines, too: what is not JSON is left
// out.
func Entries(text string) []Entry {
	var found []Entry
	for line := range strings.Lines(text) {
		var fields map[string]any
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &fields) != nil {
			continue
		}
		entry := Entry{Fields: fields}
		entry.Msg = entry.Text("msg")
		entry.Time, _ = time.Parse(time.RFC3339Nano, entry.Text("time")) // zero where there is none
		found = append(found, entry)
	}
	return found
}

// Failure returns the name of the first error in a log that has one of these names; of the
// first at all if no names are given.
func Failure(text string, names ...string) string {
	for _, entry := range Entries(text) {
		if name := entry.Text("name"); entry.Msg == "failed" && (len(names) == 0 || slices.Contains(names, name)) {
			return name
		}
	}
	return ""
}
