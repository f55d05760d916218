package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// trivetNet is two stacks on a link in memory.
type trivetNet struct {
	client, server *trivet.Stack
}

// pairOptions says how the link is for each kind.
func pairOptions(k linkKind) link.PairOptions {
	if k == super {
		return link.PairOptions{Offloads: link.TSO | link.RxMerged}
	}
	return link.PairOptions{}
}

// newTrivet joins two stacks; shards 0 is the default.
func newTrivet(o link.PairOptions, shards int) (*trivetNet, error) {
	a, b := link.Pair(1500, o)
	client, err := trivetHost(a, clientIP+"/24", shards)
	if err != nil {
		return nil, err
	}
	server, err := trivetHost(b, serverIP+"/24", shards)
	return &trivetNet{client: client, server: server}, err
}

func trivetHost(l link.Link, prefix string, shards int) (*trivet.Stack, error) {
	s, err := trivet.New(trivet.Config{Shards: shards})
	if err != nil {
		return nil, err
	}
	return s, s.AddLink(l, netip.MustParsePrefix(prefix))
}

func (n *trivetNet) Dial(ctx context.Context, port int) (net.Conn, error) {
	return n.client.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", serverIP, port))
}

func (n *trivetNet) Listen(port, backlog int) (net.Listener, error) {
	lc := trivet.ListenConfig{Stack: n.server, Backlog: backlog}
	return lc.Listen(context.Background(), "tcp", fmt.Sprintf(":%d", port))
}

// Flood implements flooder.
func (n *trivetNet) Flood(count int, next func() []byte) error {
	l := &floodLink{left: count, next: next, done: make(chan struct{}), closed: make(chan struct{})}
	// 10.1.0.0/24 is longer, so the client's link stays the client's.
	if err := n.server.AddLink(l, netip.MustParsePrefix(floodIP+"/8")); err != nil {
		return err
	}
	<-l.done
	return n.server.RemoveLink(l)
}

// floodLink gives so many packets and drops what is written to it.
type floodLink struct {
	left   int
	next   func() []byte
	done   chan struct{} // closed when the last packet was processed
	closed chan struct{}
}

func (l *floodLink) Read(pkts []wire.Packet) (int, error) {
	n := min(len(pkts), l.left)
	if n == 0 {
		close(l.done)
		<-l.closed
		return 0, net.ErrClosed
	}
	for i := range pkts[:n] {
		pkts[i].SetBytes(l.next())
	}
	l.left -= n
	return n, nil
}

func (l *floodLink) Write(pkts []wire.Packet) (int, error) { return len(pkts), nil }
func (l *floodLink) MTU() int                              { return 1500 }
func (l *floodLink) Offloads() link.Offloads               { return 0 }

func (l *floodLink) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}
