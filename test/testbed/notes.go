package testbed

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// NotesVariable names a directory in which suites note what programs under test
// have shown, and which secrets were made. The last step of 'make test' looks for
// the ones in the other.
const NotesVariable = "TESTBED_NOTES"

// The files of a notes directory are below these folders.
const (
	NotedOutput  = "output"
	NotedSecrets = "secrets"
	// NotedEncrypted holds the secrets of runs that encrypt their keys: nothing stored may hold them,
	// either. NotedClear holds those of runs that do not, where the servers' files are searched.
	NotedEncrypted = "encrypted"
	NotedClear     = "clear"
)

// NoteOutput notes what a program has shown.
func NoteOutput(t TB, text string) { note(t, NotedOutput, text) }

// NoteSecrets notes texts that no output may hold.
func NoteSecrets(t TB, secrets ...string) { noteLines(t, NotedSecrets, secrets) }

// NoteEncrypted notes texts that neither an output nor what servers have stored may hold.
func NoteEncrypted(t TB, secrets ...string) {
	noteLines(t, NotedSecrets, secrets)
	noteLines(t, NotedEncrypted, secrets)
}

// NoteClear notes texts that no output may hold, and that the servers of a test have stored.
func NoteClear(t TB, secrets ...string) {
	noteLines(t, NotedSecrets, secrets)
	noteLines(t, NotedClear, secrets)
}

func noteLines(t TB, folder string, lines []string) {
	t.Helper()
	if len(lines) > 0 {
		note(t, folder, strings.Join(lines, "\n")+"\n")
	}
}

func note(t TB, folder, text string) {
	t.Helper()
	dir := os.Getenv(NotesVariable)
	if dir == "" {
		return
	}
	dir = filepath.Join(dir, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("making the notes: %v", err)
	}
	file, err := os.CreateTemp(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-*")
	if err != nil {
		t.Fatalf("making a note: %v", err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatalf("making a note: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatalf("making a note: %v", err)
	}
}

// SecretsIn returns every text in a keys record that opens something.
func SecretsIn(record []byte) []string {
	var decoded any
	if json.Unmarshal(record, &decoded) != nil {
		return nil
	}
	var found []string
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, each := range value {
				walk(key, each)
			}
		case []any:
			for _, each := range value {
				walk(key, each)
			}
		case string:
			if value == "sealed" { // which an encrypted record has in the place of a secret
				return
			}
			switch strings.ToLower(strings.ReplaceAll(key, "_", "")) {
			case "shares", "token", "secretid", "hashkey", "privatekey":
				found = append(found, value)
			}
		}
	}
	walk("", decoded)
	return found
}
