package testbed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from a range below the one that kernels hand out for outgoing
// connections (Linux: from 32768) and below Kubernetes' node ports (from 30000),
// so that nothing slips onto a server's port while the server restarts.
const (
	firstPort = 20000
	lastPort  = 29999
)

// port is a loopback port that is kept busy until its server is about to start.
type port struct {
	number int
	hold   net.Listener
}

// holdPorts finds n free ports and keeps them.
func holdPorts(n int) ([]*port, error) {
	var held []*port
	for tries := 0; len(held) < n; tries++ {
		if tries == 1000 {
			releasePorts(held)
			return nil, fmt.Errorf("finding %d free ports between %d and %d: none left", n, firstPort, lastPort)
		}
		number := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp4", loopback(number))
		if err != nil {
			continue
		}
		held = append(held, &port{number: number, hold: l})
	}
	return held, nil
}

// release frees the port for its server. It may be called more than once.
func (p *port) release() {
	if p.hold != nil {
		_ = p.hold.Close()
		p.hold = nil
	}
}

func releasePorts(ports []*port) {
	for _, p := range ports {
		p.release()
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// retryPorts calls start with n ports to use, again with others when somebody
// took one between its release and the server's start. start must leave nothing
// behind when it fails.
func retryPorts(n int, start func([]*port) error) error {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		ports, err := holdPorts(n)
		if err != nil {
			return err
		}
		err = start(ports)
		releasePorts(ports)
		var died *diedError
		if attempt < attempts && errors.As(err, &died) && died.portTaken() {
			continue
		}
		return err
	}
}
