package spool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
)

func entry() spool.Entry {
	// What Vault gives for five shares: 284 base64 characters each, and the token's.
	share := strings.Repeat("A", 284)
	return spool.Entry{Attempt: "ABC", Shares: []string{share, share, share, share, share}, Root: share, Threshold: 3}
}

func TestFind(t *testing.T) {
	encoded, err := entry().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(encoded) > spool.TerminationLimit {
		t.Errorf("an answer with five shares takes %d bytes", len(encoded))
	}
	for name, text := range map[string]string{
		"alone":             string(encoded),
		"inside other text": "kubectl said:\n  " + string(encoded) + "and more",
	} {
		found, err := spool.Find([]byte(text))
		if err != nil || !reflect.DeepEqual(found, entry()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"other":        `{"attempt":"ABC"}`,
		"cut short":    string(encoded[:len(encoded)/2]),
		"no attempt":   `vault-bootstrap-spool/1 {"shares":["a"],"threshold":1}`,
		"path":         `vault-bootstrap-spool/1 {"attempt":"../x","shares":["a"],"threshold":1}`,
		"no shares":    `vault-bootstrap-spool/1 {"attempt":"x","threshold":1}`,
		"unknown part": `vault-bootstrap-spool/1 {"attempt":"x","shares":["a"],"threshold":1,"new":true}`,
	} {
		if _, err := spool.Find([]byte(text)); err == nil {
			t.Errorf("%s: found an entry", name)
		}
	}
	if _, err := spool.Find(nil); !errors.Is(err, spool.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
}

func FuzzFind(f *testing.F) {
	encoded, err := entry().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := spool.Find(text)
		if err == nil && (found.Attempt == "" || len(found.Shares) < found.Threshold) {
			t.Errorf("found %+v", found)
		}
	})
}

func locations(t *testing.T) map[string]spool.Location {
	message := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(message, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]spool.Location{
		"directory":   spool.Dir(filepath.Join(t.TempDir(), "spool")),
		"termination": spool.Termination{Path: message},
	}
}

func TestLocations(t *testing.T) {
	for name, location := range locations(t) {
		t.Run(name, func(t *testing.T) {
			if err := location.Check(t.Context(), 2000); err != nil {
				t.Fatal(err)
			}
			if texts, err := location.Read(t.Context(), spool.Origin{Attempt: "ABC", Pod: "pod-1"}); err != nil || len(texts) > 0 {
				t.Errorf("before the write there are %d texts, %v", len(texts), err)
			}
			encoded, err := entry().Encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := location.Write("ABC", encoded); err != nil {
				t.Fatal(err)
			}
			texts, err := location.Read(t.Context(), spool.Origin{Attempt: "ABC", Pod: "pod-1"})
			if err != nil || len(texts) != 1 {
				t.Fatalf("%d texts, %v", len(texts), err)
			}
			if found, err := spool.Find(texts[0]); err != nil || found.Attempt != "ABC" {
				t.Errorf("found %v, %v", found.Attempt, err)
			}
			for range 2 { // removing twice is no error
				if err := location.Remove("ABC"); err != nil {
					t.Error(err)
				}
			}
			if texts, err := location.Read(t.Context(), spool.Origin{Attempt: "ABC", Pod: "pod-1"}); err != nil || len(texts) > 0 {
				t.Errorf("after the removal there are %d texts, %v", len(texts), err)
			}
		})
	}
}

func TestChecksFail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		location spool.Location
		size     int
	}{
		"directory is a file":    {spool.Dir(file), 10},
		"directory below a file": {spool.Dir(filepath.Join(file, "x")), 10},
		"no message file":        {spool.Termination{Path: filepath.Join(file, "x")}, 10},
		"message too long":       {spool.Termination{Path: file}, spool.TerminationLimit + 1},
	} {
		if err := test.location.Check(t.Context(), test.size); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEarlierPods(t *testing.T) {
	location := spool.Termination{Path: filepath.Join(t.TempDir(), "none"), Earlier: func(_ context.Context, pod string) ([][]byte, error) {
		return [][]byte{[]byte("of " + pod)}, nil
	}}
	texts, err := location.Read(t.Context(), spool.Origin{Attempt: "ABC", Pod: "pod-1"})
	if err != nil || len(texts) != 1 || string(texts[0]) != "of pod-1" {
		t.Errorf("got %q, %v", texts, err)
	}
}

// TestTerminationShare has what the kubelet keeps of one message (normalizeStatus of
// Kubernetes 1.36), by the number of containers.
func TestTerminationShare(t *testing.T) {
	for containers, want := range map[int]int{0: 4096, 1: 4096, 3: 4096, 4: 3072, 5: 2457, 12: 1024} {
		if got := spool.TerminationShare(containers); got != want {
			t.Errorf("of %d containers: %d, want %d", containers, got, want)
		}
		message := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(message, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		location := spool.Termination{Path: message, Containers: func(context.Context) (int, error) { return containers, nil }}
		if err := location.Check(t.Context(), want); err != nil {
			t.Error(err)
		}
		if err := location.Check(t.Context(), want+1); err == nil {
			t.Errorf("of %d containers: %d bytes are taken", containers, want+1)
		}
	}
	unknown := spool.Termination{Path: os.DevNull, Containers: func(context.Context) (int, error) { return 0, errors.New("forbidden") }}
	if err := unknown.Check(t.Context(), 10); err == nil || !strings.Contains(err.Error(), "counting the containers") {
		t.Errorf("got %v", err)
	}
}

// TestWithoutShares takes the answer of a server that was initialized without recovery keys, and no
// other answer without shares.
func TestWithoutShares(t *testing.T) {
	for says, e := range map[string]spool.Entry{
		"":                     {Attempt: "ABC", Root: "r", Recovery: true},
		"no usable set":        {Attempt: "ABC", Root: "r"},
		"usable set of shares": {Attempt: "ABC", Root: "r", Recovery: true, Custody: true},
		"no usable":            {Attempt: "ABC", Root: "r", Recovery: true, Threshold: 1},
	} {
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = spool.Find(text); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}
