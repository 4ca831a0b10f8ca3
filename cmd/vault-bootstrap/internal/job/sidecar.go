package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// SidecarOptions say how to end the proxy that a service mesh has injected into our pod. A pod of a
// Job ends with its last container, and such a proxy does not end by itself unless it is a native
// sidecar.
type SidecarOptions struct {
	Quit string
}

// Check refuses an invalid URL before anything is touched.
func (o *SidecarOptions) Check() error {
	if o.Quit == "" {
		return nil
	}
	parsed, err := url.Parse(o.Quit)
	if err == nil && (parsed.Scheme != "http" || parsed.Host == "") {
		err = errors.New("it is not of the form http://HOST:PORT/PATH")
	}
	if err != nil {
		return fault.Misuse(fmt.Errorf("--quit-sidecar=%q: %w", o.Quit, err), "Write the address at which the mesh's proxy listens on loopback.")
	}
	return nil
}

// quitTime bounds the request: the proxy is in our pod.
const quitTime = 5 * time.Second

// End asks the proxy to end. The run has ended by then, so a signal that ended it does not cut this
// off.
func (o *SidecarOptions) End(ctx context.Context) error {
	if o.Quit == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.Quit, http.NoBody)
	if err != nil {
		return fmt.Errorf("asking the sidecar to end: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the sidecar to end: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("asking the sidecar to end: %s answers %s", o.Quit, response.Status)
	}
	return nil
}
