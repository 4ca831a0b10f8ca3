package metrics

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// The servers whose errors are counted.
const (
	Vault      = "vault"
	Kubernetes = "kubernetes"

	network = "network"
)

// Transport counts the requests of inner that fail, as those of server. The statuses of sys/health
// are states, not errors, and both servers answer 404 if there is nothing.
func (m *Metrics) Transport(server string, inner http.RoundTripper) http.RoundTripper {
	return counting{m, server, inner}
}

type counting struct {
	metrics *Metrics
	server  string
	inner   http.RoundTripper
}

// RoundTrip counts what came back.
func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.inner.RoundTrip(request)
	if class := classOf(request, response, err); class != "" {
		c.metrics.apiErrors.WithLabelValues(c.server, class).Inc()
	}
	return response, err
}

func classOf(request *http.Request, response *http.Response, err error) string {
	switch {
	case err != nil && errors.Is(request.Context().Err(), context.Canceled):
		return "" // we have ended it ourselves; the error may be the cause of that, since Go 1.23
	case err != nil:
		return network
	case response.StatusCode < 400, response.StatusCode == http.StatusNotFound, strings.HasSuffix(request.URL.Path, "/sys/health"):
		return ""
	case response.StatusCode < 500:
		return "4xx"
	default:
		return "5xx"
	}
}

// Wrapper returns Transport for one server.
func (m *Metrics) Wrapper(server string) func(http.RoundTripper) http.RoundTripper {
	return func(inner http.RoundTripper) http.RoundTripper { return m.Transport(server, inner) }
}
