package testbed

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy passes TCP connections to a server, until it is told to spoil them. It does
// not look into what it passes, so TLS stays between client and server.
type Proxy struct {
	// Addr is host:port on this machine, for clients to connect to.
	Addr string

	target  string
	serving sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	// refusing holds the port while connections are refused; nil else.
	refusing func() error
	pairs    map[*pair]struct{}
	cut      bool
	delay    time.Duration
	flow     chan struct{} // closed while bytes may pass
}

// StartProxy listens on a free loopback port, and passes connections to the target
// (host:port).
func StartProxy(target string) (*Proxy, error) { return startProxy("127.0.0.1", target) }

func startProxy(host, target string) (*Proxy, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("starting a proxy: %w", err)
	}
	p := &Proxy{
		Addr: l.Addr().String(), target: target, listener: l,
		pairs: map[*pair]struct{}{}, flow: make(chan struct{}),
	}
	close(p.flow)
	p.serving.Go(func() { p.serve(l) })
	return p, nil
}

// Cut resets all connections, and every new one as soon as it is made.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.pairs {
		c.reset()
	}
}

// Refuse resets all connections, and has the kernel refuse every new one, as it does while no server
// listens. Nobody else gets the port meanwhile.
func (p *Proxy) Refuse() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusing != nil {
		return nil
	}
	err := p.listener.Close()
	if err == nil {
		p.refusing, err = holdPort(p.Addr)
	}
	for c := range p.pairs {
		c.reset()
	}
	if err != nil {
		return fmt.Errorf("refusing connections: %w", err)
	}
	return nil
}

// listenAgain ends Refuse. The caller holds the lock.
func (p *Proxy) listenAgain() error {
	if p.refusing == nil {
		return nil
	}
	err := p.refusing()
	p.refusing = nil
	if err == nil {
		p.listener, err = net.Listen("tcp4", p.Addr)
	}
	if err != nil {
		return fmt.Errorf("listening again: %w", err)
	}
	l := p.listener
	p.serving.Go(func() { p.serve(l) })
	return nil
}

// Hold lets no bytes through in either direction. Connections stay open and new
// ones are accepted: to a client the server seems to hang.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
		p.flow = make(chan struct{})
	default:
	}
}

// Delay adds to the time that bytes take, in each direction: a round trip takes
// twice as much longer. It does not narrow the line.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Restore ends Cut, Hold and Delay. What was held passes now.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay = false, 0
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

// Accept ends Refuse.
func (p *Proxy) Accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listenAgain()
}

// Close ends the proxy and all connections through it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	var err error
	if p.refusing != nil {
		err, p.refusing = p.refusing(), nil
	} else {
		err = p.listener.Close()
	}
	p.mu.Unlock()
	p.Cut()
	p.serving.Wait()
	return err
}

func (p *Proxy) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return // closed
		}
		p.serving.Go(func() { p.pass(client.(*net.TCPConn)) })
	}
}

// pair is a client's connection and the one to the server that belongs to it.
type pair struct {
	client, server *net.TCPConn
	once           sync.Once
	gone           chan struct{}
}

// reset ends both connections without a goodbye.
func (c *pair) reset() {
	c.once.Do(func() {
		close(c.gone)
		for _, conn := range []*net.TCPConn{c.client, c.server} {
			_ = conn.SetLinger(0)
			_ = conn.Close()
		}
	})
}

func (p *Proxy) pass(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		// The server is away: so it looks to the client, too.
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	c := &pair{client: client, server: server.(*net.TCPConn), gone: make(chan struct{})}
	p.mu.Lock()
	p.pairs[c] = struct{}{}
	if p.cut {
		c.reset()
	}
	p.mu.Unlock()

	var both sync.WaitGroup
	both.Go(func() { p.pump(c, c.server, c.client) })
	both.Go(func() { p.pump(c, c.client, c.server) })
	both.Wait()

	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	c.reset()
}

// chunk is what was read at once, and when it is to be passed on.
type chunk struct {
	buf *[]byte
	n   int
	due time.Time
}

// buffers are used again: with new ones a benchmark would measure the collector of the bed.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 16<<10)) }}

// pump passes bytes one way until the source has no more, then says so to the
// other side, which may still be answering.
func (p *Proxy) pump(c *pair, to, from *net.TCPConn) {
	chunks := make(chan chunk, 64)
	go func() {
		defer close(chunks)
		for {
			buf := buffers.Get().(*[]byte)
			n, err := from.Read(*buf)
			p.mu.Lock()
			delay := p.delay
			p.mu.Unlock()
			select {
			case chunks <- chunk{buf, n, time.Now().Add(delay)}:
			case <-c.gone:
				return
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					c.reset()
				}
				return
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ch := range chunks {
		if !p.wait(c, timer, ch.due) {
			return
		}
		_, err := to.Write((*ch.buf)[:ch.n])
		buffers.Put(ch.buf)
		if err != nil {
			c.reset()
			return
		}
	}
	_ = to.CloseWrite()
}

// wait waits until it is time and bytes may pass; false means the pair is gone.
func (p *Proxy) wait(c *pair, timer *time.Timer, due time.Time) bool {
	if rest := time.Until(due); rest > 0 {
		timer.Reset(rest)
		select {
		case <-timer.C:
		case <-c.gone:
			return false
		}
	}
	p.mu.Lock()
	flow := p.flow
	p.mu.Unlock()
	select {
	case <-flow:
		return true
	case <-c.gone:
		return false
	}
}
