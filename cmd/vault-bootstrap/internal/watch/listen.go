package watch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// readiness is whether the records were reached.
type readiness struct{ reached atomic.Bool }

func (r *readiness) set() { r.reached.Store(true) }

// ServeHTTP answers a readiness probe.
func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !r.reached.Load() {
		http.Error(w, "the records could not be reached yet", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// headerTime is how long a client may take to send its request.
const headerTime = 5 * time.Second

// serve serves the probes and metrics of --listen. stop ends it.
func (w *Watcher) serve(ctx context.Context) (stop func(), err error) {
	if w.options.Listen == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", w.options.Listen)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("listening on %q: %w", w.options.Listen, err), "Give --listen a free address, as in :8080.")
	}
	server := &http.Server{Handler: w.routes(), ReadHeaderTimeout: headerTime}
	go func() { _ = server.Serve(listener) }()
	w.report.Log().Info("listening", "address", listener.Addr().String())
	return func() {
		_ = walk.Briefly(context.WithoutCancel(ctx), server.Shutdown)
	}, nil
}

func (w *Watcher) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /healthz", func(answer http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(answer, "ok") })
	routes.Handle("GET /readyz", &w.ready)
	routes.Handle("GET /metrics", w.metrics.Handler())
	if w.options.Pprof {
		routes.HandleFunc("GET /debug/pprof/", pprof.Index)
		routes.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		routes.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		routes.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return routes
}
