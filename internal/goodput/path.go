package main

import (
	"math/rand/v2"
	"time"

	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

const (
	mbit = 1_000_000
	gbit = 1000 * mbit
)

// bufferSize is that of both hosts, in bytes: as the kernel was measured.
const bufferSize = 32 << 20

// path is a bottleneck and the flows that cross it.
type path struct {
	name  string
	rate  int64         // bits per second
	rtt   time.Duration // without a queue
	queue float64       // of the bottleneck, in bandwidth-delay products
	loss  float64       // of data packets
	late  float64       // share of data packets that come late
	by    time.Duration // how late
	upTo  bool          // late by up to that, not by just that
	flows []string      // the congestion control of each; a second starts within a second
	own   bool          // with the default buffers, not with bufferSize
	time  time.Duration // how long it runs
	seeds int
	quick bool // the test runs it with one seed even if it is to be quick
	wide  bool // its seeds differ so much that one says nothing

	// What is to be reached; 0: nothing is asked.
	goodput float64       // share of the rate
	retrans float64       // at most, share of the segments sent
	stall   time.Duration // at most
	jain    float64
	share   float64 // of each flow, at least
}

// paths are the rows of the table.
var paths = concat(
	lossy(tcp.CongestionCubic, 0.92, 0.26, 0.075, 0.043),
	lossy(tcp.CongestionBBR, 0.92, 0.92, 0.88, 0.75),
	[]path{
		{
			name: "100 Mbit/s, 20 ms, 1 % of packets 2 ms late", rate: 100 * mbit, rtt: 20 * time.Millisecond, queue: 1,
			late: 0.01, by: 2 * time.Millisecond, wide: true, flows: []string{tcp.CongestionCubic}, time: 10 * time.Second, seeds: 10,
			goodput: 0.88, retrans: 0.01,
		},
		{
			name: "100 Mbit/s, 20 ms, 5 % of packets up to 10 ms late", rate: 100 * mbit, rtt: 20 * time.Millisecond, queue: 1,
			late: 0.05, by: 10 * time.Millisecond, upTo: true, wide: true, flows: []string{tcp.CongestionCubic}, time: 10 * time.Second, seeds: 10,
			goodput: 0.80, retrans: 0.01,
		},
		{
			name: "1 Gbit/s, 100 ms, default buffers", rate: gbit, rtt: 100 * time.Millisecond, queue: 1,
			flows: []string{tcp.CongestionCubic}, time: 10 * time.Second, seeds: 1, goodput: 0.80, own: true,
		},
		{
			name: "10 Mbit/s, 600 ms, loss 0.1 %", rate: 10 * mbit, rtt: 600 * time.Millisecond, queue: 1, loss: 0.001,
			flows: []string{tcp.CongestionBBR}, time: 60 * time.Second, seeds: 10, goodput: 0.80,
		},
		{
			name: "10 Gbit/s, 50 us", rate: 10 * gbit, rtt: 50 * time.Microsecond, queue: 1,
			flows: []string{tcp.CongestionCubic}, time: 300 * time.Millisecond, seeds: 1, goodput: 0.80,
			stall: time.Millisecond,
		},
		{
			name: "two flows, 100 Mbit/s, 20 ms", rate: 100 * mbit, rtt: 20 * time.Millisecond, queue: 1,
			flows: []string{tcp.CongestionCubic, tcp.CongestionCubic}, wide: true, time: 30 * time.Second, seeds: 5, jain: 0.95,
		},
		{
			name: "two flows, 100 Mbit/s, 20 ms", rate: 100 * mbit, rtt: 20 * time.Millisecond, queue: 1,
			flows: []string{tcp.CongestionCubic, tcp.CongestionBBR}, wide: true, time: 30 * time.Second, seeds: 5, share: 0.20,
		},
	},
)

// lossy is the path of 100 Mbit/s and 20 ms at four rates of loss.
func lossy(cc string, want ...float64) []path {
	var list []path
	for i, loss := range []struct {
		name string
		rate float64
	}{{"0", 0}, {"0.1 %", 0.001}, {"1 %", 0.01}, {"3 %", 0.03}} {
		list = append(list, path{
			name: "100 Mbit/s, 20 ms, loss " + loss.name, rate: 100 * mbit, rtt: 20 * time.Millisecond, queue: 1,
			loss: loss.rate, flows: []string{cc}, time: 5 * time.Second, seeds: 10, quick: true, goodput: want[i],
		})
	}
	return list
}

func concat(lists ...[]path) (all []path) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// delay returns what delays packets from the server as the path does.
func (p *path) delay(seed uint64) func(tcp.Time, *trace.Packet) sim.Verdict {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(_ tcp.Time, q *trace.Packet) (v sim.Verdict) {
		late, part := random.Float64() < p.late, random.Float64()
		if late && q.From == "server" {
			v.Delay = p.by
			if p.upTo {
				v.Delay = time.Duration(part * float64(p.by))
			}
		}
		return v
	}
}

// link is the path as a link of the simulation. The way back loses nothing and
// is as fast, so that what is measured is the sender's.
func (p *path) link() sim.LinkConfig {
	there := sim.Settings{
		Rate: p.rate, Delay: p.rtt / 2, Loss: p.loss,
		QueueBytes: int(p.queue * float64(p.rate) / 8 * p.rtt.Seconds()),
	}
	return sim.LinkConfig{AtoB: there, BtoA: sim.Settings{Rate: p.rate, Delay: p.rtt / 2}}
}
