package main

import (
	"bytes"
	"encoding/binary"
)

// needle is one form of a secret.
type needle struct {
	text   []byte
	form   string
	length int // of the secret
}

// needles are all forms of all secrets, by their first eight bytes: a text is read
// once, however many there are.
type needles map[uint64][]needle

func needlesOf(secrets []string) needles {
	all := needles{}
	for _, secret := range secrets {
		for form, text := range forms(secret) {
			start := binary.LittleEndian.Uint64([]byte(text))
			all[start] = append(all[start], needle{[]byte(text), form, len(secret)})
		}
	}
	return all
}

// search reports each needle that is in content, at its first place.
func (n needles) search(content []byte, report func(found needle, at int)) {
	seen := map[string]bool{}
	for at := 0; at+shortest <= len(content); at++ {
		for _, each := range n[binary.LittleEndian.Uint64(content[at:])] {
			if bytes.HasPrefix(content[at:], each.text) && !seen[string(each.text)] {
				seen[string(each.text)] = true
				report(each, at)
			}
		}
	}
}
