package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
)

// ServerVariable names the server program that the suites run against, Vault's or OpenBao's.
// Without it they take the pinned Vault. 'test/run' sets it for each program in SERVERS.
const ServerVariable = "TESTBED_SERVER"

// The products, as their programs name themselves.
const (
	Vault   = "Vault"
	OpenBao = "OpenBao"
)

// Server is a server program: what it says of itself when it is asked for its version.
type Server struct {
	// Binary is its path.
	Binary string
	// Product is Vault or OpenBao.
	Product string
	// Version is without a leading v, such as 1.21.1.
	Version string
}

func (s Server) String() string { return s.Product + " " + s.Version }

// servers remembers what each program said: it is asked for every server that is started, and
// a program of 500 MB takes a tenth of a second to answer.
var servers sync.Map // path → Server

// LookServer returns the server that the suites run against.
func LookServer() (Server, error) {
	binary := os.Getenv(ServerVariable)
	if binary == "" {
		var err error
		if binary, err = LookTool("vault"); err != nil {
			return Server{}, err
		}
	}
	return ReadServer(context.Background(), binary)
}

var serverVersion = regexp.MustCompile(`^(Vault|OpenBao) v([0-9][^\s,]*)`)

// ReadServer asks a program which product it is, and of which version.
func ReadServer(ctx context.Context, binary string) (Server, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return Server{}, fmt.Errorf("finding the server program: %w", err)
	}
	if known, found := servers.Load(binary); found {
		return known.(Server), nil
	}
	cmd := exec.CommandContext(ctx, binary, "version")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}
	out, err := cmd.Output()
	if err != nil {
		return Server{}, fmt.Errorf("asking %s for its version: %w", binary, err)
	}
	said := serverVersion.FindSubmatch(out)
	if said == nil {
		return Server{}, fmt.Errorf("%s is neither Vault nor OpenBao: it calls itself %q", binary, out)
	}
	s := Server{Binary: binary, Product: string(said[1]), Version: string(said[2])}
	servers.Store(binary, s)
	return s, nil
}

// EarlierFor returns the second Vault that is pinned: an earlier minor version, from which tests
// upgrade.
func EarlierFor(t TB) Server {
	t.Helper()
	binary, err := LookTool("vault-earlier")
	if err != nil {
		t.Fatalf("%v", err)
	}
	s, err := ReadServer(t.Context(), binary)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}
