package wire

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRecordsOfEarlierVersions reads records that earlier versions have written, each in a
// folder named after its commit, and writes them again: nothing that they hold may be lost or
// changed. They were made by real runs on Vaults in memory that are long gone, stopped at
// the point that a file is named after.
func TestRecordsOfEarlierVersions(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	fields := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		if strings.HasSuffix(file, "-keys.json") {
			keys, err := DecodeKeys(data, testObject)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if again, err = EncodeKeys(keys); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		} else {
			checkpoint, err := new(Ledgers).DecodeCheckpoint(data, testObject)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if again, err = new(Ledgers).EncodeCheckpoint(checkpoint); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		before, after := tree(t, data), tree(t, again)
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s\nwas %v\nis  %v", file, before, after)
		}
		for field := range before {
			fields[field] = true
		}
	}
	// What a record of that time could hold, so that no kind is missing unnoticed.
	want := []string{
		"app_role", "attempt", "break_glass", "cluster_id", "epoch", "hash_key", "hashes", "ledger", "packed", "root", "rotation", "seed_digest",
		"set", "since", "state", "version",
	}
	for _, field := range want {
		if !fields[field] {
			t.Errorf("no record has %q", field)
		}
	}
	if t.Failed() {
		t.Logf("fields seen: %q", slices.Sorted(maps.Keys(fields)))
	}
}

func tree(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}
