package watch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// process is a running program, which may have metrics.
type process struct {
	*driver.Driven
	t *testing.T
}

// start starts the program; it ends with the test at the latest.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launch(t, driver.Command{Binary: binary, Env: env, Args: args})
}

// launch starts any program. When the test fails, what the program has printed is in its
// output.
func launch(t *testing.T, command driver.Command) *process {
	t.Helper()
	p := &process{driver.StartFor(t, command), t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v has printed:\n%s", command.Args, p.Shown())
		}
	})
	return p
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // an address of our own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// ownLabel takes the label away that all series of ours have.
var ownLabel = strings.NewReplacer(`{bootstrap="vault-bootstrap"}`, "", `bootstrap="vault-bootstrap",`, "")

// metric returns the value of a series, as it stands before the space and without the
// label of the bootstrap; false if there is none.
func (p *process) metric(series string) (float64, bool) {
	p.t.Helper()
	_, body := get(p.t, p.URL()+"/metrics")
	for line := range strings.Lines(ownLabel.Replace(body)) {
		if text, found := strings.CutPrefix(strings.TrimSpace(line), series+" "); found {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return value, true
		}
	}
	return 0, false
}

// shows waits until a series has a value.
func (p *process) shows(series string, want float64) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%s %v", series, want), 30*time.Second, func(context.Context) error {
		if got, found := p.metric(series); !found || got != want {
			return fmt.Errorf("it is %v (there: %v)", got, found)
		}
		return nil
	})
}

func eventually(t *testing.T, name string, most time.Duration, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	if err := testbed.Poll(ctx, 50*time.Millisecond, name, try); err != nil {
		t.Fatal(err)
	}
}
