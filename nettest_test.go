package trivet_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
)

// The connections pass the test suite for net.Conn of golang.org/x/net
// (SOCK-110).
func TestConnConformance(t *testing.T) {
	tests := []struct {
		name    string
		network string
		cfg     pairConfig
	}{
		{name: "IPv4 plain packets", network: "tcp4"},
		{name: "IPv6 plain packets", network: "tcp6"},
		{name: "super-segments", network: "tcp", cfg: pairConfig{link: link.PairOptions{Offloads: link.TSO | link.RxMerged}}},
		{name: "one shard", network: "tcp", cfg: pairConfig{host: trivet.Config{Shards: 1}}},
		{name: "eight shards", network: "tcp", cfg: pairConfig{host: trivet.Config{Shards: 8}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				client, server := newPair(t, test.cfg)
				return pipe(client, server, test.network)
			})
		})
	}
}

// The same over the loopback of one host.
func TestConnConformanceLoopback(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		s := newHost(t, trivet.Config{}, nil, nil)
		t.Cleanup(func() { closeHost(t, s) })
		return pipe(s, s, "tcp")
	})
}

// pipe connects two hosts for nettest.
func pipe(client, server *trivet.Stack, network string) (c1, c2 net.Conn, stop func(), err error) {
	host := serverIP4
	switch {
	case client == server:
		host = "localhost"
	case network == "tcp6":
		host = "[" + serverIP6 + "]"
	}
	l, err := server.Listen(network, host+":0")
	if err != nil {
		return nil, nil, nil, err
	}
	defer l.Close()
	c1, err = client.Dial(network, l.Addr().String())
	if err != nil {
		return nil, nil, nil, err
	}
	c2, err = l.Accept()
	if err != nil {
		return nil, nil, nil, err
	}
	return c1, c2, func() { c1.Close(); c2.Close() }, nil
}
