package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// The addresses of the two hosts, and of the server on the flooded link.
const (
	clientIP = "10.1.0.1"
	serverIP = "10.1.0.2"
	floodIP  = "10.9.0.1"
)

// linkKind is what the two hosts are joined by. The kernel has its loopback.
type linkKind int

const (
	mtu1500 linkKind = iota // packets of 1500 bytes, checksums made and checked
	super                   // super-segments of 64 KiB, no checksums
)

// network is two hosts that reach each other.
type network interface {
	Dial(ctx context.Context, port int) (net.Conn, error)
	// Listen listens at the server; backlog 0 is the driver's default.
	Listen(port, backlog int) (net.Listener, error)
}

// flooder is a network whose server has a second link, into which SYNs come.
type flooder interface {
	network
	// Flood lets n SYNs, each made by next in room of its own choosing, come in
	// as fast as the server takes them, and returns when it took the last.
	Flood(n int, next func() []byte) error
}

// open makes the network of a variant: the name of the driver, and after a
// slash a way to set it up.
func open(variant string, k linkKind) (network, error) {
	name, way, _ := strings.Cut(variant, "/")
	switch name {
	case "trivet":
		return newTrivet(pairOptions(k), 0)
	case "gvisor":
		return newGvisor(k, way)
	case "kernel":
		return kernel{}, nil
	}
	return nil, fmt.Errorf("no variant %q", variant)
}

// kernel is the loopback interface of the kernel.
type kernel struct{}

func (kernel) Dial(ctx context.Context, port int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

func (kernel) Listen(port, _ int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

// dialTimeout ends a dial that will not succeed.
const dialTimeout = 30 * time.Second

// pair returns both ends of a new connection.
func pair(n network, l net.Listener, port int) (client, server net.Conn, err error) {
	if client, err = n.Dial(context.Background(), port); err != nil {
		return nil, nil, err
	}
	server, err = l.Accept()
	return client, server, err
}

// pairs returns n new connections to one port.
func pairs(n network, port, count int) (clients, servers []net.Conn, err error) {
	l, err := n.Listen(port, 0)
	if err != nil {
		return nil, nil, err
	}
	for range count {
		c, s, err := pair(n, l, port)
		if err != nil {
			return nil, nil, err
		}
		clients, servers = append(clients, c), append(servers, s)
	}
	return clients, servers, nil
}
