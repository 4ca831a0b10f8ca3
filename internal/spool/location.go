package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/durable"
)

// Origin says whose entry is looked for.
type Origin struct {
	// Attempt is the ID of the attempt, and Pod the name of the Pod that made it; empty
	// outside Kubernetes, and for one that was searched already.
	Attempt, Pod string
}

// Location is somewhere an entry can be kept.
type Location interface {
	// Name says where it is, for people.
	Name() string
	// Check fails if an entry of size bytes could not be written. It leaves nothing.
	Check(ctx context.Context, size int) error
	// Write keeps the encoded entry of an attempt; when it returns, the entry
	// survives the end of the process.
	Write(attempt string, encoded []byte) error
	// Read returns the texts in which the entry of an attempt may be found.
	Read(ctx context.Context, of Origin) ([][]byte, error)
	// Remove forgets the attempt's entry.
	Remove(attempt string) error
}

// Dir is a directory of spool files, one per attempt.
type Dir string

// Name returns the directory.
func (d Dir) Name() string { return string(d) }

func (d Dir) path(attempt string) string {
	return filepath.Join(string(d), attempt+".spool")
}

// probeName names the file with which a directory is checked.
const probeName = "preflight"

// Check writes as much as the entry will be, and removes it again.
func (d Dir) Check(_ context.Context, size int) error {
	// The directory may be new: its name must survive a power cut, too.
	if err := durable.MakeDirs(string(d)); err != nil {
		return fmt.Errorf("making the spool directory: %w", err)
	}
	writeErr := d.Write(probeName, make([]byte, size))
	if err := os.Remove(d.path(probeName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checking the spool directory: %w", err)
	}
	if writeErr != nil {
		return fmt.Errorf("checking the spool directory: %w", writeErr)
	}
	return nil
}

// Write writes the file and makes sure that file and name are on the disk. It does so in
// place: also a process that is killed meanwhile leaves what Vault has answered where the
// next one looks for it, and Find notices what was cut short.
func (d Dir) Write(attempt string, encoded []byte) error {
	if err := durable.Write(d.path(attempt), encoded); err != nil {
		return fmt.Errorf("writing the spool: %w", err)
	}
	return nil
}

// Read returns the attempt's file.
func (d Dir) Read(_ context.Context, of Origin) ([][]byte, error) {
	content, err := os.ReadFile(d.path(of.Attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	return [][]byte{content}, nil
}

// Attempts returns the IDs of the attempts whose entries are there.
func (d Dir) Attempts() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the spool: %w", err)
	}
	var attempts []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".spool"); ok && name != probeName {
			attempts = append(attempts, name)
		}
	}
	return attempts, nil
}

// Remove deletes the attempt's file.
func (d Dir) Remove(attempt string) error {
	if err := os.Remove(d.path(attempt)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the spool: %w", err)
	}
	return nil
}

// TerminationLimit is how much of a container's termination message the kubelet keeps, in
// bytes, and podLimit what it keeps of those of all containers of a pod, in equal parts
// (MaxContainerTerminationMessageLength and MaxPodTerminationMessageLogLength of
// Kubernetes 1.36). What is longer is cut off.
const (
	TerminationLimit = 4096
	podLimit         = 12 << 10
)

// TerminationShare returns how much the kubelet keeps of the message of one of so many
// containers of a pod, init and ephemeral ones included. 0 is for an unknown number.
func TerminationShare(containers int) int {
	return min(TerminationLimit, podLimit/max(containers, 1))
}

// Termination is a container's termination message. It is written by us and read
// from the Pods of earlier holders.
type Termination struct {
	// Path is the file that the kubelet reads when the container ends.
	Path string
	// Earlier, if not nil, returns the messages of the Pod in which an attempt was made.
	Earlier func(ctx context.Context, pod string) ([][]byte, error)
	// Containers returns how many containers our Pod has; 0 if that is not known, and nil
	// where there is no Pod.
	Containers func(ctx context.Context) (int, error)
}

// Name says what it is.
func (t Termination) Name() string { return "the container's termination message" }

// Check fails if the entry is longer than what the kubelet keeps, or the file
// cannot be written.
func (t Termination) Check(ctx context.Context, size int) error {
	containers := 0
	if t.Containers != nil {
		var err error
		if containers, err = t.Containers(ctx); err != nil {
			return fmt.Errorf("counting the containers of the pod, which share the space for termination messages: %w", err)
		}
	}
	if limit := TerminationShare(containers); size > limit {
		if containers == 0 {
			return fmt.Errorf("the answer of %d bytes does not fit a termination message of %d", size, limit)
		}
		return fmt.Errorf("the answer of %d bytes does not fit a termination message of %d, which is what the kubelet keeps for each of the %d containers of the pod", size, limit, containers)
	}
	file, err := os.OpenFile(t.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("checking the termination message: %w", err)
	}
	return file.Close()
}

// Write makes the entry the termination message.
func (t Termination) Write(_ string, encoded []byte) error {
	file, err := os.OpenFile(t.Path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("writing the termination message: %w", err)
	}
	_, err = file.Write(encoded)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("writing the termination message: %w", err)
	}
	return nil
}

// Read returns our own message and those of the attempt's Pod.
func (t Termination) Read(ctx context.Context, of Origin) ([][]byte, error) {
	var texts [][]byte
	if content, err := os.ReadFile(t.Path); err == nil && len(content) > 0 {
		texts = append(texts, content)
	}
	if t.Earlier == nil || of.Pod == "" {
		return texts, nil
	}
	earlier, err := t.Earlier(ctx, of.Pod)
	return append(texts, earlier...), err
}

// Remove empties our own message.
func (t Termination) Remove(string) error {
	if err := os.Truncate(t.Path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("emptying the termination message: %w", err)
	}
	return nil
}
