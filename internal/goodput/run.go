package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
)

// result is what one flow did with one seed.
type result struct {
	goodput  float64       // bytes that reached the application, as a share of the rate
	retrans  float64       // share of the data segments sent
	spurious uint64        // segments sent again that had arrived
	stall    time.Duration // the longest time in which nothing reached the application
	info     tcp.Info
}

// flow is one bulk transfer.
type flow struct {
	network *sim.Network
	conn    *sim.Conn // the server's end, which sends
	err     error
	got     int64
	last    tcp.Time
	stall   time.Duration
}

// run runs all flows of a path with a seed.
func run(p *path, seed uint64) ([]result, error) {
	n := sim.New(sim.Config{Seed: seed})
	server, client := n.AddHost("server", engine.Config{}), n.AddHost("client", engine.Config{})
	n.Connect(server, client, p.link())
	if p.late > 0 {
		n.Filter(p.delay(seed))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	flows := make([]*flow, len(p.flows))
	for i := range flows {
		f := &flow{network: n}
		flows[i] = f
		wait := time.Duration(0)
		if i > 0 {
			wait = time.Duration(random.Int64N(int64(time.Second)))
		}
		n.After(wait, func() { f.err = f.start(server, client, uint16(80+i), p.flows[i], p.buffer()) })
	}
	n.RunFor(p.time)
	var results []result
	for _, f := range flows {
		if f.err == nil && f.conn == nil {
			f.err = errors.New("no connection")
		}
		if f.err != nil {
			return nil, fmt.Errorf("%s, seed %d: %w", p.name, seed, f.err)
		}
		results = append(results, f.result(p))
	}
	return results, nil
}

// buffer is the size of the buffers, 0 for the default.
func (p *path) buffer() int {
	if p.own {
		return 0
	}
	return bufferSize
}

// start lets the server send to the client, without end, once the client has
// connected.
func (f *flow) start(server, client *sim.Host, port uint16, cc string, buffer int) error {
	opt := engine.ListenOptions{Options: tcp.Options{Congestion: cc, SendBuffer: buffer}}
	_, err := server.ListenWith(netip.AddrPortFrom(netip.Addr{}, port), opt, func(c *sim.Conn) {
		f.conn = c
		sim.Pump(c)
	})
	if err != nil {
		return err
	}
	c, err := client.Dial(netip.AddrPortFrom(server.Addr(), port), tcp.Options{RecvBuffer: buffer})
	if err != nil {
		return err
	}
	sim.Receive(c, f.take, nil)
	return nil
}

func (f *flow) take(data []byte) {
	now := f.network.Now()
	if f.last != 0 {
		f.stall = max(f.stall, now.Sub(f.last))
	}
	f.last = now
	f.got += int64(len(data))
}

func (f *flow) result(p *path) result {
	r := result{goodput: float64(f.got) * 8 / (float64(p.rate) * p.time.Seconds()), stall: f.stall}
	if f.last != 0 {
		r.stall = max(r.stall, f.network.Now().Sub(f.last))
	}
	r.info = f.conn.Info()
	r.spurious = r.info.Spurious
	if r.info.DataSegsOut > 0 {
		r.retrans = float64(r.info.TotalRetrans) / float64(r.info.DataSegsOut)
	}
	return r
}
