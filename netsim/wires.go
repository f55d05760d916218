package netsim

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/wire"
)

// run is called by the timer: it moves what has arrived to those who read it.
func (n *Network) run() {
	n.wires.Lock()
	defer n.wires.Unlock()
	n.timerAt = 0
	n.settle()
}

// settle moves what has arrived and sets the timer for the rest. n.wires is
// held.
func (n *Network) settle() {
	if n.stopped {
		return
	}
	n.fabric.Deliver()
	n.waiting.notify()
	next := n.fabric.NextTimeout()
	if next == 0 || n.timerAt != 0 && n.timerAt <= next {
		return // an early call is harmless
	}
	n.timerAt = next
	d := max(next.Sub(n.now()), 0)
	if n.timer == nil {
		// A late call, after Close, finds stopped set.
		n.timer = time.AfterFunc(d, n.run)
	} else {
		n.timer.Reset(d)
	}
}

// deliver puts a packet into the inbox of the host's present stack. The
// network's wires are held.
func (h *host) deliver(port int, p *wire.Packet) {
	if port >= len(h.ends) {
		return // the host is down, or does not know the link yet
	}
	e := h.ends[port]
	if e.gone {
		return // the host's stack was closed
	}
	p.CopyTo(e.inbox.Next())
	e.signal()
}

// attach gives the host's stack its end of the i-th link. n.mu is held.
func (n *Network) attach(h *host, i int) {
	n.wires.Lock()
	p := h.endpoint.Attachment(i)
	e := &end{network: n, host: h, port: p, arrived: make(chan struct{}, 1), closed: make(chan struct{})}
	h.ends = append(h.ends, e)
	n.wires.Unlock()
	var prefixes []netip.Prefix
	for _, a := range p.Addrs {
		prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
	}
	err := h.stack.AddLink(e, prefixes...)
	for _, r := range p.Routes {
		if err == nil {
			err = h.stack.AddRoute(r, e)
		}
	}
	if err != nil {
		panic(err) // the stack was closed behind the network's back
	}
}

// end is one host's end of a link. It implements link.Link.
type end struct {
	network *Network
	host    *host
	port    sim.Attachment

	// These are guarded by Network.wires.
	inbox wire.Batch // arrived; bounded by what senders have under way
	read  int        // of the inbox
	gone  bool       // the host crashed, or closed its stack: it is not heard, and does not hear

	arrived chan struct{} // holds one token when the inbox may be filled
	once    sync.Once
	closed  chan struct{}
}

// cut parts the end from the network and drops what nobody will read.
// Network.wires is held.
func (e *end) cut() {
	e.gone = true
	e.inbox.Release()
	e.read = 0
}

// signal tells the reader that the inbox is filled. Network.wires is held.
func (e *end) signal() {
	select {
	case e.arrived <- struct{}{}:
	default:
	}
}

// take moves packets from the inbox to pkts.
func (e *end) take(pkts []wire.Packet) int {
	e.network.wires.Lock()
	defer e.network.wires.Unlock()
	waiting := e.inbox.Packets[e.read:]
	n := min(len(pkts), len(waiting))
	for i := range n {
		// By exchange: both keep the memory of a slice.
		pkts[i], waiting[i] = waiting[i], pkts[i]
		waiting[i].Reset()
	}
	e.read += n
	if n < len(waiting) {
		e.signal()
	} else {
		e.inbox.Reset()
		e.read = 0
	}
	return n
}

// Read implements link.Link.
func (e *end) Read(pkts []wire.Packet) (int, error) {
	for {
		select {
		case <-e.closed:
			return 0, net.ErrClosed
		default:
		}
		if n := e.take(pkts); n > 0 {
			return n, nil
		}
		select {
		case <-e.arrived:
		case <-e.closed:
		}
	}
}

// Write implements link.Link.
func (e *end) Write(pkts []wire.Packet) (int, error) {
	select {
	case <-e.closed:
		return 0, net.ErrClosed
	default:
	}
	n := e.network
	n.wires.Lock()
	defer n.wires.Unlock()
	if e.gone {
		return len(pkts), nil
	}
	for i := range pkts {
		e.host.endpoint.Send(e.port.Index, &pkts[i])
	}
	n.settle()
	return len(pkts), nil
}

// MTU implements link.Link.
func (e *end) MTU() int { return e.port.MTU }

// Offloads implements link.Link: none, so that packets are what a capture on a
// wire would show.
func (e *end) Offloads() link.Offloads { return 0 }

// Close implements link.Link.
func (e *end) Close() error {
	e.once.Do(func() { close(e.closed) })
	e.network.read(e.cut)
	return nil
}
