package main

import (
	"fmt"
	"net"
	"time"
)

// longTerms are 1 Gbit/s and 100 ms there and back, with a queue of one
// bandwidth-delay product at the bottleneck.
var longTerms = terms{rate: 1e9 / 8, delay: 50 * time.Millisecond, queue: 1e8 / 8}

const pathTime = 10 * time.Second

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
	client, server, err := endpoints(s.Variant, s.Variant, longTerms)
	if err != nil {
		return nil, err
	}
	from, to, err := connect(client, server)
	if err != nil {
		return nil, err
	}
	before := now()
	received, err := stream(from, to, pathTime)
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
