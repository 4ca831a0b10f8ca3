package testbed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// HTTPProxy passes HTTP requests to a server, except for those that a fault was
// injected for. It terminates TLS, so a client cannot authenticate to the server
// with a certificate through it; tokens pass.
type HTTPProxy struct {
	// URL is the address for clients, http or https on 127.0.0.1.
	URL string

	server *http.Server
	mu     sync.Mutex
	faults []*Fault
	seen   map[string]int
}

// HTTPProxyOptions says what to pass requests to, and how.
type HTTPProxyOptions struct {
	// Target is the server's URL, http or https.
	Target string
	// CA, if set, verifies the target's certificate.
	CA *CA
	// Certificate, if set, has the proxy speak TLS to clients.
	Certificate *Certificate

	guarded bool // see guard
}

// Fault is what happens to some requests instead of, or after, their handling.
type Fault struct {
	// Method is the requests' method; empty means any.
	Method string
	// Path is the requests' path, or a prefix of it if it ends with '*'.
	Path string
	// Times is how many requests are to suffer; zero means all until Clear.
	Times int
	// After has the server handle the request first: its effect is there, and only
	// its answer is lost.
	After bool
	// Delay is how long the request, or with After its answer, is held up.
	Delay time.Duration
	// Status, if not zero, is answered, with Body.
	Status int
	Body   string
	// Cut breaks the connection instead of answering.
	Cut bool

	hits int
}

// errSpoilt tells the proxy's error handler that the answer was spoilt on purpose.
type errSpoilt struct{ fault Fault }

func (errSpoilt) Error() string { return "the answer was spoilt on purpose" }

// StartHTTPProxy listens on a free loopback port, and passes requests on.
func StartHTTPProxy(o HTTPProxyOptions) (*HTTPProxy, error) {
	target, err := url.Parse(o.Target)
	if err != nil {
		return nil, fmt.Errorf("starting an HTTP proxy: %w", err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting an HTTP proxy: %w", err)
	}
	p := &HTTPProxy{URL: "http://" + l.Addr().String(), seen: map[string]int{}}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	if o.CA != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: o.CA.Pool()}
	}
	quiet := log.New(io.Discard, "", 0)
	reverse := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1, // watches of the API server
		ModifyResponse: p.spoilAnswer,
		ErrorHandler:   answerSpoilt,
		ErrorLog:       quiet,
	}
	handler := http.Handler(reverse)
	if o.guarded {
		handler = guard(strings.TrimSuffix(o.Target, "/"), transport)(reverse)
	}
	p.server = &http.Server{Handler: WholeBody(p.handler(handler)), ErrorLog: quiet, ReadHeaderTimeout: time.Minute}
	if o.Certificate == nil {
		go func() { _ = p.server.Serve(l) }()
		return p, nil
	}
	p.URL = "https://" + l.Addr().String()
	go func() { _ = p.server.ServeTLS(l, o.Certificate.CertFile, o.Certificate.KeyFile) }()
	return p, nil
}

// Inject adds a fault. The first one that fits a request, in the order in which
// they were injected, is what happens to it. The function that it returns says how
// many requests have suffered so far.
func (p *HTTPProxy) Inject(f Fault) (hits func() int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
	return func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return f.hits
	}
}

// Requests returns how many requests with a path, or with a beginning of it that ends with '*', have
// come, those that suffered included.
func (p *HTTPProxy) Requests(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for each, times := range p.seen {
		prefix, any := strings.CutSuffix(path, "*")
		if each == path || any && strings.HasPrefix(each, prefix) {
			count += times
		}
	}
	return count
}

// Clear removes all faults.
func (p *HTTPProxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Close ends the proxy and all connections through it.
func (p *HTTPProxy) Close() error { return p.server.Close() }

// take finds the fault for a request, and counts it.
func (p *HTTPProxy) take(r *http.Request) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[r.URL.Path]++
	for _, f := range p.faults {
		if f.fits(r) && (f.Times == 0 || f.hits < f.Times) {
			f.hits++
			return *f, true
		}
	}
	return Fault{}, false
}

func (f *Fault) fits(r *http.Request) bool {
	if f.Method != "" && f.Method != r.Method {
		return false
	}
	if prefix, ok := strings.CutSuffix(f.Path, "*"); ok {
		return strings.HasPrefix(r.URL.Path, prefix)
	}
	return f.Path == r.URL.Path
}

type faultKey struct{}

// handler looks for a fault once a request, so that it is counted once.
func (p *HTTPProxy) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, ok := p.take(r)
		switch {
		case !ok:
		case fault.After:
			r = r.WithContext(context.WithValue(r.Context(), faultKey{}, fault))
		default:
			if fault.spoil(r.Context()) {
				fault.answer(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// spoilAnswer is called with the server's answer, of which nothing was passed yet.
func (p *HTTPProxy) spoilAnswer(resp *http.Response) error {
	fault, ok := resp.Request.Context().Value(faultKey{}).(Fault)
	if !ok {
		return nil
	}
	// The answer is complete before it is lost: the server is done with it.
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	if fault.spoil(resp.Request.Context()) {
		return errSpoilt{fault}
	}
	return nil
}

// spoil waits, and says whether the answer is to be replaced.
func (f *Fault) spoil(ctx context.Context) bool {
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return f.Cut || f.Status != 0
}

// answer gives the fault's own answer.
func (f *Fault) answer(w http.ResponseWriter) {
	if f.Cut {
		panic(http.ErrAbortHandler) // breaks the connection
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
}

func answerSpoilt(w http.ResponseWriter, _ *http.Request, err error) {
	var spoilt errSpoilt
	if errors.As(err, &spoilt) {
		spoilt.fault.answer(w)
		return
	}
	http.Error(w, err.Error(), http.StatusBadGateway)
}
