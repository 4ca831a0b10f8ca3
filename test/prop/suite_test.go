package prop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

var binary string

func TestMain(m *testing.M) {
	suite := driver.Suite{Name: "prop"}
	os.Exit(suite.Run(m.Run, driver.Binary{Path: &binary}))
}

// suite is what all cases share.
type suite struct {
	binary   string
	plugins  string // the servers' plugin directory
	plugin   plugin
	material material
	facts    testbed.Facts
	seed     uint64
	// patience is how long a case that fails is made smaller.
	patience time.Duration
	note     func(output string)

	mu sync.Mutex
	// explained are the cases that were made smaller, by what is wrong with them.
	explained map[string]int
}

// material is what has to be real for a server to take it.
type material struct{ certificate, revocations string }

func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{binary: binary, plugins: t.TempDir(), facts: testbed.FactsFor(t), explained: map[string]int{}, note: func(output string) { testbed.NoteOutput(t, output) }}
	program := []byte("#!/bin/sh\nexit 1\n")
	sum := sha256.Sum256(program)
	s.plugin = plugin{"example-plugin", hex.EncodeToString(sum[:])}
	err := os.WriteFile(filepath.Join(s.plugins, s.plugin.command), program, 0o700)
	if err == nil {
		s.material, err = newMaterial()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.seed = setting(t, "SEED", 1)
	s.patience = time.Duration(setting(t, "PATIENCE", 60)) * time.Second
	return s
}

// setting is the number in a variable.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is to be a number: %v", name, err)
	}
	return n
}

func newMaterial() (material, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return material{}, err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign, SubjectKeyId: []byte{1},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return material{}, err
	}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour)}, ca, key)
	return material{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})),
	}, err
}

// scenario makes a case.
func (s *suite) scenario(number int, dir string) *scenario {
	g := newGenerator(s.seed, number, s.facts, dir, s.plugin)
	g.material = s.material
	return newScenario(g, s.seed)
}

// try holds all properties of a scenario, on a server of its own.
func (s *suite) try(ctx context.Context, c *scenario, dir string) (t *trial, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	sc, err := s.startScene(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sc.close()) }()
	t = &trial{scenario: c, sc: sc, world: newWorld()}
	return t, t.all(ctx)
}

// The cases of the short form, and how many run at once.
const (
	shortCases = 6
	atOnce     = 2
)

// TestSeeds holds the properties of made-up seeds.
func TestSeeds(t *testing.T) {
	s := newSuite(t)
	first, count := setting(t, "FROM", 1), setting(t, "N", shortCases)
	if only := setting(t, "ONLY", 0); only > 0 {
		first, count = only, 1
	}
	fmt.Printf("prop: N=%d FROM=%d SEED=%d, against %s\n", count, first, s.seed, s.facts.Server)
	began := time.Now()
	work := make(chan int)
	var lanes sync.WaitGroup
	for range atOnce {
		lanes.Go(func() {
			for number := range work {
				s.attend(t, number, began)
			}
		})
	}
	for n := first; n < first+count; n++ {
		work <- int(n)
	}
	close(work)
	lanes.Wait()
}

// attend holds a case, and says how it went.
func (s *suite) attend(t *testing.T, number int, began time.Time) {
	dir := filepath.Join(testbed.WorkDirFor(t, "case"), strconv.Itoa(number))
	c := s.scenario(number, dir)
	start := time.Now()
	tried, err := s.try(t.Context(), c, dir)
	calls := 0
	if tried != nil {
		calls = tried.sc.calls
	}
	word := "holds"
	if err != nil {
		word = "FAILS"
	}
	fmt.Printf("prop: %4.0fs case %d: %d objects, %d edits, %d by hand, %d pruned: %s (%d calls, %.1f s)\n", time.Since(began).Seconds(), number,
		len(c.base), len(c.edits), len(c.meddling), len(c.pruned), word, calls, time.Since(start).Seconds())
	driver.NoteTokens(t, filepath.Join(dir, "audit.raw"))
	if found, is := errors.AsType[*violation](err); is {
		if like := s.like(number, found); like != number {
			t.Errorf("case %d fails as case %d does: %s\nagain: make prop ONLY=%d SEED=%d", number, like, found.property, number, s.seed)
			return
		}
		s.explain(t.Context(), t, c, found, dir)
	} else if err != nil {
		t.Errorf("case %d: %v", number, err)
	}
}

// like returns the first case that failed as this one does: that is the one to be made smaller.
func (s *suite) like(number int, found *violation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, known := s.explained[found.property]; known {
		return first
	}
	s.explained[found.property] = number
	return number
}
