package main

import (
	"fmt"
	"net"
	"runtime"
	"time"
)

func connsWorkloads() []workload {
	variants := []string{"gvisor", "trivet"}
	return []workload{
		{
			name: "conns/10k", about: "10,000 idle connections, each used for one byte both ways; per pair of ends",
			variants: []string{"gvisor", "lwip", "trivet"}, metrics: connsMetrics(goal{value: 2000}, goal{}),
			lwip: lwipTask{name: "idle", count: 10000},
			run:  func(s settings) (result, error) { return conns(s, 10000, false) },
		}, {
			name: "conns/10k/reading", about: "the same with a Read waiting at both ends",
			variants: variants, metrics: connsMetrics(goal{}, goal{value: 8000}),
			run: func(s settings) (result, error) { return conns(s, 10000, true) },
		}, {
			name: "conns/100k", about: "100,000 idle connections to 5 ports",
			variants: variants, rounds: 1, metrics: connsMetrics(goal{value: 2000}, goal{}),
			run: func(s settings) (result, error) { return conns(s, 100000, false) },
		},
	}
}

func connsMetrics(heap, heapstacks goal) []metric {
	return []metric{
		{name: "heap", unit: "B heap", goal: heap},
		{name: "heapstacks", unit: "B heap+stacks", goal: heapstacks},
		{name: "rss", unit: "B resident"},
		{name: "rate", unit: "opened 1/s", more: true},
	}
}

// connsPerPort keeps within everybody's ephemeral ports.
const connsPerPort = 20000

// settleTime lets delayed ACKs and the like pass before memory is looked at.
const settleTime = 500 * time.Millisecond

func conns(s settings, count int, reading bool) (result, error) {
	n, err := open(s.Variant, mtu1500)
	if err != nil {
		return nil, err
	}
	all := make([]net.Conn, 0, 2*count) // before the first look
	before, start := memory(), now()
	for port := 7; len(all) < 2*count; port++ {
		l, err := n.Listen(port, 0)
		if err != nil {
			return nil, err
		}
		for range min(connsPerPort, count-len(all)/2) {
			c, p, err := pair(n, l, port)
			if err != nil {
				return nil, fmt.Errorf("pair %d: %w", len(all)/2+1, err)
			}
			if err := useBothWays(c, p); err != nil {
				return nil, err
			}
			all = append(all, c, p)
		}
	}
	opened := start.since()
	if reading {
		buf := make([]byte, 1) // nothing ever comes
		for _, c := range all {
			go c.Read(buf) // until the process ends
		}
	}
	time.Sleep(settleTime)
	r := before.each(memory(), count)
	r["rate"] = float64(count) / opened.wall
	runtime.KeepAlive(all)
	return r, nil
}

// useBothWays sends a byte each way.
func useBothWays(a, b net.Conn) error {
	if err := pass(a, b); err != nil {
		return err
	}
	return pass(b, a)
}

// pass sends a byte.
func pass(from, to net.Conn) error {
	buf := make([]byte, 1)
	if _, err := from.Write(buf); err != nil {
		return err
	}
	_, err := to.Read(buf)
	return err
}
