package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

const (
	exchangeRTT  = 20 * time.Millisecond
	exchangeRate = 100 * mbit
	requestSize  = 100
	segmentSize  = 1448 // payload of a full packet with timestamps
	tailSegments = 10   // of the largest answer whose last segment is lost
)

// handshakeLoss is a segment at the start of a connection that is lost once.
type handshakeLoss struct {
	name string
	lost func(p *packet) bool
}

// packet is what the loss looks at.
type packet struct {
	client  bool // the client sent it
	syn     bool
	payload int
}

var handshakeLosses = []handshakeLoss{
	{"nothing", func(*packet) bool { return false }},
	{"the SYN", func(p *packet) bool { return p.client && p.syn }},
	{"the SYN,ACK", func(p *packet) bool { return !p.client && p.syn }},
	{"the ACK of the handshake", func(p *packet) bool { return p.client && !p.syn && p.payload == 0 }},
	{"the request", func(p *packet) bool { return p.client && p.payload > 0 }},
	{"the answer", func(p *packet) bool { return !p.client && p.payload > 0 }},
}

// exchange is a request and its answer over a link of their own.
type exchange struct {
	network *sim.Network
	client  *sim.Conn
	seen    int      // answers
	got     int      // bytes of the present one
	size    int      // of an answer
	first   tcp.Time // its first byte
	done    tcp.Time // its last
}

// newExchange connects a client to a server that answers each request of
// requestSize bytes with size bytes; both are opened, nothing is sent.
func newExchange(seed uint64, size int) (*exchange, error) {
	n := sim.New(sim.Config{Seed: seed})
	server, client := n.AddHost("server", engine.Config{}), n.AddHost("client", engine.Config{})
	n.Connect(client, server, sim.Symmetric(sim.Settings{Rate: exchangeRate, Delay: exchangeRTT / 2}))
	answer := make([]byte, size)
	_, err := server.Listen(80, func(c *sim.Conn) {
		got := 0
		sim.Receive(c, func(p []byte) {
			for got += len(p); got >= requestSize; got -= requestSize {
				sim.Send(c, answer, nil)
			}
		}, nil)
	})
	if err != nil {
		return nil, err
	}
	x := &exchange{network: n, size: size}
	x.client, err = client.Dial(netip.AddrPortFrom(server.Addr(), 80), tcp.Options{NoDelay: true})
	if err != nil {
		return nil, err
	}
	sim.Receive(x.client, x.take, nil)
	return x, nil
}

func (x *exchange) take(p []byte) {
	if x.got == 0 {
		x.first = x.network.Now()
	}
	if x.got += len(p); x.got >= x.size {
		x.done, x.got = x.network.Now(), 0
		x.seen++
	}
}

// request sends one and waits for its answer, for up to 30 s.
func (x *exchange) request() error {
	want := x.seen + 1
	x.client.Await(tcp.Connected, func() { sim.Send(x.client, make([]byte, requestSize), nil) })
	return x.network.RunUntil(func() bool { return x.seen == want }, 30*time.Second)
}

// lose drops the first packet that fits.
func (x *exchange) lose(fits func(*packet) bool) {
	dropped := false
	x.network.Filter(func(_ tcp.Time, p *trace.Packet) sim.Verdict {
		q := parse(p)
		drop := fits(&q) && !dropped
		dropped = dropped || drop
		return sim.Verdict{Drop: drop}
	})
}

// parse reads what counts of an IPv4 packet.
func parse(p *trace.Packet) packet {
	b := p.Data
	total := int(binary.BigEndian.Uint16(b[2:]))
	ip := int(b[0]&15) * 4
	return packet{client: p.From == "client", syn: b[ip+13]&2 != 0, payload: total - ip - int(b[ip+12]>>4)*4}
}

// firstByte is how long it takes from the dial to the first byte of the answer
// when a segment of the beginning is lost.
func firstByte(l *handshakeLoss) (time.Duration, error) {
	x, err := newExchange(1, requestSize)
	if err != nil {
		return 0, err
	}
	start := x.network.Now()
	x.lose(l.lost)
	if err := x.request(); err != nil {
		return 0, fmt.Errorf("loss of %s: %w", l.name, err)
	}
	return x.first.Sub(start), nil
}

// tailLoss is how long an exchange takes, on a connection that had some, when
// the last segment of the answer, of so many, is lost.
func tailLoss(segments int) (time.Duration, error) {
	x, err := newExchange(1, segments*segmentSize)
	if err != nil {
		return 0, err
	}
	for range 5 {
		if err := x.request(); err != nil {
			return 0, err
		}
	}
	start, sent := x.network.Now(), 0
	x.lose(func(p *packet) bool {
		if !p.client && p.payload > 0 {
			sent++
		}
		return sent == segments
	})
	if err := x.request(); err != nil {
		return 0, fmt.Errorf("loss of the last of %d segments: %w", segments, err)
	}
	if sent <= segments {
		return 0, errors.New("nothing was sent again")
	}
	return x.done.Sub(start), nil
}
