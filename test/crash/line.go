package main

import (
	"errors"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// line is the way to one Vault server: a proxy that spoils connections, one that
// spoils requests, and a tap that sees what reaches the server.
type line struct {
	tcp  *testbed.Proxy
	http *testbed.HTTPProxy
	tap  *tap
}

func newLine(node *testbed.VaultNode) (*line, error) {
	l := &line{}
	var err error
	if l.tap, err = startTap(node.Front); err != nil {
		return nil, err
	}
	if l.http, err = testbed.StartHTTPProxy(testbed.HTTPProxyOptions{Target: l.tap.URL}); err != nil {
		return nil, err
	}
	l.tcp, err = testbed.StartProxy(strings.TrimPrefix(l.http.URL, "http://"))
	return l, err
}

// url is the line's near end.
func (l *line) url() string { return "http://" + l.tcp.Addr }

// mend ends everything that spoils the line.
func (l *line) mend() {
	l.tcp.Restore()
	l.http.Clear()
	l.tap.breakAnswer(false)
	l.tap.keepBack(0)
}

func (l *line) close() error {
	return errors.Join(l.tcp.Close(), l.http.Close(), l.tap.close())
}
