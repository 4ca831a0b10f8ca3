package main

import (
	"crypto/x509"
	"testing"
)

// TestMozillaRoots checks that the certificates that come with the program can be read.
func TestMozillaRoots(t *testing.T) {
	if mozillaRoots().Equal(x509.NewCertPool()) {
		t.Error("there are none")
	}
}
