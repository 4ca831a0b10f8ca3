package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// tap passes HTTP requests to a server and writes down which ones.
type tap struct {
	// URL is the address for clients.
	URL string

	server *http.Server
	mu     sync.Mutex
	seen   []request
	// initBegan is closed when the first sys/init passes.
	initBegan chan struct{}
	once      sync.Once
	// halve breaks the connection in the middle of the answer to sys/init.
	halve bool
	// hold is how long the answer to sys/init is kept back.
	hold time.Duration
	// passing is held while such an answer is on its way to the client, so that whoever
	// takes it for writing knows which ones were delivered.
	passing sync.RWMutex
}

// request is one that passed.
type request struct {
	method, path string
	began, ended time.Time
	// status is 0 while there is no answer, and where the server died.
	status int
	body   string // of an answer to sys/init that is a refusal
	// delivered is when the client had all of the answer to sys/init; zero if it has not.
	delivered time.Time
}

const initPath = "/v1/sys/init"

func (r request) isInit() bool { return r.method == http.MethodPut && r.path == initPath }

// startTap listens on a free loopback port and passes requests on to target.
func startTap(target string) (*tap, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{URL: "http://" + l.Addr().String(), initBegan: make(chan struct{})}
	quiet := log.New(io.Discard, "", 0)
	reverse := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:      &http.Transport{MaxIdleConnsPerHost: 32},
		ModifyResponse: t.answered,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
		FlushInterval:  -1,
		ErrorLog:       quiet,
	}
	t.server = &http.Server{Handler: testbed.WholeBody(t.handler(reverse)), ErrorLog: quiet, ReadHeaderTimeout: time.Minute}
	go func() { _ = t.server.Serve(l) }()
	return t, nil
}

type tapKey struct{}

// onTheWay is a request that is not answered yet.
type onTheWay struct {
	at      int  // in seen
	passing bool // the answer is one to sys/init, and is being delivered
}

func (t *tap) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		at := len(t.seen)
		t.seen = append(t.seen, request{method: r.Method, path: r.URL.Path, began: time.Now()})
		init := t.seen[at].isInit()
		t.mu.Unlock()
		if init {
			t.once.Do(func() { close(t.initBegan) })
		}
		way := &onTheWay{at: at}
		defer func() {
			if way.passing {
				t.passing.RUnlock()
			}
		}()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tapKey{}, way)))
		if init {
			t.mu.Lock()
			t.seen[at].delivered = time.Now()
			t.mu.Unlock()
		}
	})
}

// errHalf is what the reader of half an answer gets.
var errHalf = errors.New("the connection was cut in the middle of the answer")

func (t *tap) answered(response *http.Response) error {
	way, _ := response.Request.Context().Value(tapKey{}).(*onTheWay)
	at := way.at
	t.mu.Lock()
	seen, halve, hold := t.seen[at], t.halve, t.hold
	t.mu.Unlock()
	if seen.isInit() {
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		if err := pause(response.Request.Context(), hold); err != nil {
			return err
		}
		t.passing.RLock()
		way.passing = true
		if response.StatusCode != http.StatusOK {
			seen.body = string(body)
		} else if halve {
			response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	seen.status, seen.ended = response.StatusCode, time.Now()
	t.seen[at] = seen
	return nil
}

// broken is a body that cannot be read.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errHalf }

// requests returns those that began after a moment.
func (t *tap) requests(after time.Time) []request {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []request
	for _, each := range t.seen {
		if each.began.After(after) {
			found = append(found, each)
		}
	}
	return found
}

// inits returns the requests for sys/init.
func (t *tap) inits() []request {
	var found []request
	for _, each := range t.requests(time.Time{}) {
		if each.isInit() {
			found = append(found, each)
		}
	}
	return found
}

func (t *tap) breakAnswer(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.halve = on
}

func (t *tap) keepBack(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hold = d
}

func (t *tap) close() error { return t.server.Close() }
