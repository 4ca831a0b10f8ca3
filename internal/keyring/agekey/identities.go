package agekey

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Identities are the private keys that a process has. Nil has none.
type Identities struct {
	all []age.Identity
	// recipients are those whose identities these are, as far as they say so; plugins are the
	// names of the plugins of the rest.
	recipients, plugins map[string]bool
}

// maxIdentities bounds a file of identities, in bytes.
const maxIdentities = 1 << 20

// ReadIdentities reads files as age-keygen and age's plugins write them: an identity a line, with
// comments. The files must not be readable by everybody. Plugins are not started.
func ReadIdentities(paths []string, person Person) (*Identities, error) {
	found := &Identities{recipients: map[string]bool{}, plugins: map[string]bool{}}
	for _, path := range paths {
		content, err := readPrivate(path)
		if err == nil {
			err = found.add(content, person)
		}
		if _, ours := errors.AsType[*fault.Error](err); err != nil && !ours {
			err = fault.Misuse(err, "Give a file with identities as age-keygen writes it, unencrypted: lines that begin with AGE-SECRET-KEY- or AGE-PLUGIN-.")
		}
		if err != nil {
			return nil, fmt.Errorf("reading the identities in %q: %w", path, err)
		}
	}
	return found, nil
}

// readPrivate reads a file that others than its user and group cannot read. The group may: that is
// how Kubernetes mounts a Secret for a pod with an fsGroup.
func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fault.Misuse(fmt.Errorf("others can read or change it (mode %04o)", mode),
			"Run chmod 600 on it, or give a mounted Secret the defaultMode 0400. Assume that everybody who could log in to this machine has read it.")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxIdentities+1))
	if err == nil && len(content) > maxIdentities {
		err = fmt.Errorf("it has more than %d bytes", maxIdentities)
	}
	return content, err
}

// add reads the identities of a file. Errors name the line and nothing of what it says.
func (i *Identities) add(content []byte, person Person) error {
	if bytes.HasPrefix(content, []byte("age-encryption.org/")) || bytes.HasPrefix(content, []byte("-----BEGIN AGE ENCRYPTED FILE-----")) {
		return errors.New("it is encrypted itself")
	}
	lines, n, before := bufio.NewScanner(bytes.NewReader(content)), 0, len(i.all)
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := i.parse(line, person); err != nil {
			return fmt.Errorf("line %d is not an identity", n) // whose error could quote it
		}
	}
	if len(i.all) == before {
		return errors.New("there is none")
	}
	return lines.Err()
}

func (i *Identities) parse(line string, person Person) error {
	switch {
	case strings.HasPrefix(line, "AGE-PLUGIN-"):
		identity, err := plugin.NewIdentity(line, ui(person))
		if err != nil {
			return err
		}
		i.all, i.plugins[identity.Name()] = append(i.all, identity), true
	case strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-"):
		identity, err := age.ParseHybridIdentity(line)
		if err != nil {
			return err
		}
		i.all, i.recipients[identity.Recipient().String()] = append(i.all, identity), true
	default:
		identity, err := age.ParseX25519Identity(line)
		if err != nil {
			return err
		}
		i.all, i.recipients[identity.Recipient().String()] = append(i.all, identity), true
	}
	return nil
}

// MayOpen reports whether one of the identities is that of the recipient, or may be: an identity of
// a plugin does not say.
func (i *Identities) MayOpen(recipient string) bool {
	return i != nil && (i.recipients[recipient] || i.plugins[pluginOf(recipient)] || tagged(recipient) && len(i.plugins) > 0)
}
