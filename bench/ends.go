package main

import (
	"context"
	"fmt"
	"net"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// endpoint is a host at the end of a path.
type endpoint interface {
	end
	Dial(ctx context.Context, port int) (net.Conn, error)
	Listen(port, backlog int) (net.Listener, error)
}

// endpoints returns a client and a server of two variants with a path between
// them.
func endpoints(client, server string, t terms) (a, b endpoint, err error) {
	if a, err = newEndpoint(client, false); err != nil {
		return nil, nil, err
	}
	if b, err = newEndpoint(server, true); err != nil {
		return nil, nil, err
	}
	return a, b, join(a, b, t)
}

func newEndpoint(variant string, server bool) (endpoint, error) {
	ip := clientIP
	if server {
		ip = serverIP
	}
	switch variant {
	case "trivet":
		return &trivetEnd{ip: ip, arrived: make(chan [][]byte), read: make(chan struct{}), closed: make(chan struct{})}, nil
	case "gvisor":
		return &gvisorEnd{ip: ip}, nil
	case "kernel":
		return &kernelEnd{ip: ip, apart: server}, nil
	}
	return nil, fmt.Errorf("no variant %q", variant)
}

// connect opens a connection from the client to the server.
func connect(client, server endpoint) (from, to net.Conn, err error) {
	l, err := server.Listen(7, 0)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	if from, err = client.Dial(ctx, 7); err != nil {
		return nil, nil, err
	}
	to, err = l.Accept()
	return from, to, err
}

// trivetEnd is a Trivet stack's end of a path, and its link.Link.
type trivetEnd struct {
	trivetNet
	ip      string
	out     *way
	arrived chan [][]byte
	read    chan struct{} // what was handed over is not needed any more
	batch   [][]byte
	closed  chan struct{}
}

func (e *trivetEnd) start(out *way) error {
	e.out = out
	s, err := trivetHost(e, e.ip+"/24", 0)
	e.trivetNet = trivetNet{client: s, server: s}
	return err
}

func (e *trivetEnd) deliver(packets [][]byte) {
	e.arrived <- packets
	<-e.read
}

func (e *trivetEnd) Read(pkts []wire.Packet) (int, error) {
	if len(e.batch) == 0 {
		select {
		case e.batch = <-e.arrived:
		case <-e.closed:
			return 0, net.ErrClosed
		}
	} else if e.batch = e.batch[min(len(pkts), len(e.batch)):]; len(e.batch) == 0 {
		e.read <- struct{}{}
		return e.Read(pkts)
	}
	n := min(len(pkts), len(e.batch))
	for i := range n {
		pkts[i].SetBytes(e.batch[i])
	}
	return n, nil
}

func (e *trivetEnd) Write(pkts []wire.Packet) (int, error) {
	for i := range pkts {
		e.out.send(pkts[i].AppendTo)
	}
	return len(pkts), nil
}

func (e *trivetEnd) MTU() int                { return 1500 }
func (e *trivetEnd) Offloads() link.Offloads { return 0 }
func (e *trivetEnd) Close() error            { close(e.closed); return nil }

// gvisorEnd is a gVisor stack's end of a path.
type gvisorEnd struct {
	gvisorNet
	gvisorLink
	ip  string
	out *way
}

func (e *gvisorEnd) start(out *way) error {
	e.mtu, e.out = 1500, out
	s, err := gvisorHost(e, e.ip+"/24")
	e.gvisorNet = gvisorNet{client: s, server: s}
	return err
}

func (e *gvisorEnd) deliver(packets [][]byte) {
	for _, b := range packets {
		p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
		e.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
		p.DecRef()
	}
}

// WritePackets implements stack.LinkWriter.
func (e *gvisorEnd) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range list.AsSlice() {
		e.out.send(func(b []byte) []byte {
			for _, s := range p.AsSlices() {
				b = append(b, s...)
			}
			return b
		})
	}
	return list.Len(), nil
}
