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

// Origin says which attempt's entry to look for.
type Origin struct {
	// Attempt is the ID of the attempt, and Pod the name of the Pod that made it. Pod is empty
	// outside Kubernetes, and if that Pod was searched already.
	Attempt, Pod string
}

// Location is somewhere an entry can be kept.
type Location interface {
	// Name names the location for people.
	Name() string
	// Check fails if an entry of size bytes could not be written. It leaves nothing behind.
	Check(ctx context.Context, size int) error
	// Write keeps the encoded entry of an attempt; when it returns, the entry
	// survives the end of the process.
	Write(attempt string, encoded []byte) error
	// Read returns the texts that may contain the entry of an attempt.
	Read(ctx context.Context, of Origin) ([][]byte, error)
	// Remove removes the attempt's entry.
	Remove(attempt string) error
}

// Dir is a directory of spool files, one per attempt.
type Dir string

// Name returns the directory.
func (d Dir) Name() string { return string(d) }

func (d Dir) path(attempt string) string {
	return filepath.Join(string(d), attempt+".spool")
}

// probeName is the name of the file with which Check tests a directory.
const probeName = "preflight"

// Check writes a file of the size of the entry, and removes it again.
func (d Dir) Check(_ context.Context, size int) error {
	// The directory may be new: its name must survive a power cut as well.
	if err := durable.MakeDirs(string(d)); err != nil {
		return fmt.Errorf("creating the spool directory: %w", err)
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

// Write writes the file and makes sure that file and name are on the disk. It writes in place: even
// a process that is killed meanwhile leaves what Vault has answered where the next one looks for
// it, and Find notices when it was cut short.
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

// Attempts returns the IDs of the attempts that have an entry.
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

// TerminationLimit is how much of a container's termination message the kubelet keeps, in bytes,
// and podLimit what it keeps of those of all containers of a pod, in equal parts
// (MaxContainerTerminationMessageLength and MaxPodTerminationMessageLogLength of Kubernetes 1.36).
// Longer messages are cut off.
const (
	TerminationLimit = 4096
	podLimit         = 12 << 10
)

// TerminationShare returns how much the kubelet keeps of one container's message in a pod with so
// many containers, init and ephemeral ones included; 0 if their number is unknown.
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
	// Containers returns how many containers our Pod has, 0 if that is not known. It is nil if
	// there is no Pod.
	Containers func(ctx context.Context) (int, error)
}

// Name names the location for people.
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

// Write writes the entry as the termination message.
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
