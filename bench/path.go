package main

import (
	"fmt"
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// The long path: 1 Gbit/s and 100 ms there and back, with a queue of one
// bandwidth-delay product at the bottleneck.
const (
	pathRate  = 1e9 / 8 // bytes per second
	pathDelay = 50 * time.Millisecond
	pathQueue = pathRate / 10
	pathTime  = 10 * time.Second
)

func pathWorkloads() []workload {
	return []workload{{
		name: "path", about: "one stream over a path of 1 Gbit/s and 100 ms for 10 s, slow start included, no loss but that of a full queue",
		variants: []string{"gvisor", "trivet"}, rounds: 3,
		metrics: []metric{
			{name: "rate", unit: "Mbit/s", more: true, goal: goal{value: 800}},
			{name: "cpu", unit: "CPU s/GB"},
		},
		run: longPath,
	}}
}

// longPath measures from the first byte written, with the defaults of each.
func longPath(s settings) (result, error) {
	var n network
	var err error
	switch s.Variant {
	case "gvisor":
		n, err = gvisorPath()
	default:
		n, err = trivetPath()
	}
	if err != nil {
		return nil, err
	}
	clients, servers, err := pairs(n, 7, 1)
	if err != nil {
		return nil, err
	}
	before := now()
	received, err := stream(clients[0], servers[0], pathTime)
	if err != nil {
		return nil, err
	}
	r := before.since().perByte(received)
	r["rate"] *= 1000 // Mbit/s
	return r, nil
}

// stream writes to one end for so long and returns what came out of the other
// until then.
func stream(from, to net.Conn, d time.Duration) (received uint64, err error) {
	go func() { // ends with the process
		buf := make([]byte, writeSize)
		for {
			if _, err := from.Write(buf); err != nil {
				return
			}
		}
	}()
	if err := to.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, err
	}
	buf := make([]byte, readSize)
	for {
		n, err := to.Read(buf)
		received += uint64(n)
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return received, nil
		}
		if err != nil {
			return received, fmt.Errorf("after %d bytes: %w", received, err)
		}
	}
}

// way is one direction of the path.
type way struct {
	deliver func(packets [][]byte) // the bytes are good until it returns

	mu     sync.Mutex // guards what follows
	filled sync.Cond
	flight []flying  // in the order of arrival
	free   [][]byte  // buffers
	clear  time.Time // when the bottleneck has sent all it has
}

// flying is a packet on its way.
type flying struct {
	data    []byte
	arrives time.Time
}

func newWay(deliver func([][]byte)) *way {
	w := &way{deliver: deliver}
	w.filled.L = &w.mu
	go w.run() // for as long as the process
	return w
}

// send takes a packet whose bytes fill puts into a buffer, or drops it when the
// queue is full.
func (w *way) send(fill func([]byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := time.Now()
	if w.clear.Before(t) {
		w.clear = t
	}
	if w.clear.Sub(t).Seconds()*pathRate > pathQueue {
		return
	}
	var data []byte
	if n := len(w.free); n > 0 {
		data, w.free = w.free[n-1], w.free[:n-1]
	}
	data = fill(data[:0])
	w.clear = w.clear.Add(time.Duration(float64(len(data)) / pathRate * 1e9))
	w.flight = append(w.flight, flying{data, w.clear.Add(pathDelay)})
	w.filled.Signal()
}

// run delivers what has arrived, in batches.
func (w *way) run() {
	var batch [][]byte
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.flight) == 0 {
			w.filled.Wait()
		}
		if d := time.Until(w.flight[0].arrives); d > 0 {
			w.mu.Unlock()
			time.Sleep(d)
			w.mu.Lock()
		}
		t, n := time.Now(), 0
		for n < len(w.flight) && n < 64 && !w.flight[n].arrives.After(t) {
			batch = append(batch, w.flight[n].data)
			n++
		}
		w.flight = w.flight[n:]
		w.mu.Unlock()
		w.deliver(batch)
		w.mu.Lock()
		w.free = append(w.free, batch...)
		batch = batch[:0]
	}
}

// pathEnd is a Trivet stack's end of the path. It implements link.Link.
type pathEnd struct {
	out     *way
	arrived chan [][]byte // from the way that leads here
	read    chan struct{} // what was handed over is not needed any more
	batch   [][]byte
	closed  chan struct{}
}

func trivetPath() (*trivetNet, error) {
	var ends [2]*pathEnd
	for i := range ends {
		ends[i] = &pathEnd{arrived: make(chan [][]byte), read: make(chan struct{}), closed: make(chan struct{})}
	}
	for i, e := range ends {
		peer := ends[1-i]
		e.out = newWay(func(packets [][]byte) {
			peer.arrived <- packets
			<-peer.read
		})
	}
	client, err := trivetHost(ends[0], clientIP+"/24", 0)
	if err != nil {
		return nil, err
	}
	server, err := trivetHost(ends[1], serverIP+"/24", 0)
	return &trivetNet{client: client, server: server}, err
}

func (e *pathEnd) Read(pkts []wire.Packet) (int, error) {
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

func (e *pathEnd) Write(pkts []wire.Packet) (int, error) {
	for i := range pkts {
		e.out.send(pkts[i].AppendTo)
	}
	return len(pkts), nil
}

func (e *pathEnd) MTU() int                { return 1500 }
func (e *pathEnd) Offloads() link.Offloads { return 0 }
func (e *pathEnd) Close() error            { close(e.closed); return nil }

// gvisorFar is a gVisor stack's end of the path.
type gvisorFar struct {
	gvisorLink
	out *way
}

func gvisorPath() (*gvisorNet, error) {
	ends := [2]*gvisorFar{{}, {}}
	for i, e := range ends {
		peer := ends[1-i]
		e.mtu = 1500
		e.out = newWay(func(packets [][]byte) {
			for _, b := range packets {
				p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
				peer.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
				p.DecRef()
			}
		})
	}
	client, err := gvisorHost(ends[0], clientIP+"/24")
	if err != nil {
		return nil, err
	}
	server, err := gvisorHost(ends[1], serverIP+"/24")
	return &gvisorNet{client: client, server: server}, err
}

// WritePackets implements stack.LinkWriter.
func (e *gvisorFar) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
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
