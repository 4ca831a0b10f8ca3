package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// sidecarOptions say how to end the proxy that a service mesh has put beside us. A
// pod of a Job ends with its last container, and such a proxy does not end by itself
// unless it is a native sidecar.
type sidecarOptions struct {
	quit string
}

func (o *sidecarOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.quit, "quit-sidecar", "", "URL to POST to when the run is over, however it ended, so that a service mesh's proxy in our pod ends as well "+
		"(Istio: http://127.0.0.1:15020/quitquitquit, Linkerd: http://127.0.0.1:4191/shutdown)")
}

// check refuses what is no URL before anything is touched.
func (o *sidecarOptions) check() error {
	if o.quit == "" {
		return nil
	}
	parsed, err := url.Parse(o.quit)
	if err == nil && (parsed.Scheme != "http" || parsed.Host == "") {
		err = errors.New("it is not of the form http://HOST:PORT/PATH")
	}
	if err != nil {
		return fault.Misuse(fmt.Errorf("--quit-sidecar=%q: %w", o.quit, err), "Write the address at which the mesh's proxy listens on loopback.")
	}
	return nil
}

// quitTime bounds the request: the proxy is in our pod.
const quitTime = 5 * time.Second

// end tells the proxy to end. The run is over by then, so a signal that ended it
// does not cut this off.
func (o *sidecarOptions) end(ctx context.Context) error {
	if o.quit == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.quit, http.NoBody)
	if err != nil {
		return fmt.Errorf("telling the sidecar to end: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("telling the sidecar to end: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("telling the sidecar to end: %s answers %s", o.quit, response.Status)
	}
	return nil
}
