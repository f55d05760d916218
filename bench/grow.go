package main

import (
	"fmt"
	"net"
	"slices"

	"github.com/trivet-net/trivet/link"
)

// growWorkloads show how the cost grows with the connections that are active at
// once, and Trivet's with the shards.
func growWorkloads() []workload {
	var list []workload
	add := func(name, about string, peers []string, metrics []metric, shards, conns int, use func(settings, []net.Conn, []net.Conn) (result, error)) {
		variants := append(slices.Clip(peers), "trivet")
		list = append(list, workload{
			name: "grow/" + name, about: about, variants: variants, rounds: 3, metrics: metrics,
			run: func(s settings) (result, error) {
				clients, servers, err := growPairs(s.Variant, shards, conns)
				if err != nil {
					return nil, err
				}
				return use(s, clients, servers)
			},
		})
	}
	trips := []metric{{name: "rate", unit: "1/s", more: true}, {name: "cpu", unit: "CPU us"}}
	bytes := []metric{{name: "rate", unit: "Gbit/s", more: true}, {name: "cpu", unit: "CPU s/GB"}}
	// The kernel has files for so many connections of one process, and with more
	// streams than that gVisor's stand still.
	const most = 1000
	for _, n := range []int{1, 10, 100, 1000, 10000, 100000} {
		peers := []string{"gvisor"}
		if n <= most {
			peers = append(peers, "kernel")
		}
		add(fmt.Sprintf("rr/pairs=%d", n), "one byte there and one back, on so many connections at once", peers, trips, 0, n, askEcho)
	}
	for _, n := range []int{1, 10, 100, 1000, 10000, 100000} {
		var peers []string
		if n <= most {
			peers = []string{"gvisor", "kernel"}
		}
		add(fmt.Sprintf("bulk/streams=%d", n), "one way on so many connections, packets of 1500 bytes", peers, bytes, 0, n, flow)
	}
	for _, n := range []int{1, 2, 4, 8} {
		add(fmt.Sprintf("shards=%d", n), "one byte there and one back on 64 connections, with so many shards", nil, trips, n, 64, askEcho)
	}
	return list
}

// growQueue is how many packets may be on their way: more than there are
// connections, so that none of their first packets is dropped.
const growQueue = 1 << 18

// growPairs returns connections between two hosts, Trivet's with so many shards.
func growPairs(variant string, shards, count int) (clients, servers []net.Conn, err error) {
	var n network
	if variant == "trivet" {
		n, err = newTrivet(link.PairOptions{QueuePackets: growQueue}, shards)
	} else {
		n, err = open(variant, mtu1500)
	}
	if err != nil {
		return nil, nil, err
	}
	for port := 7; len(clients) < count && err == nil; port++ {
		var c, s []net.Conn
		c, s, err = pairs(n, port, min(connsPerPort, count-len(clients)))
		clients, servers = append(clients, c...), append(servers, s...)
	}
	return clients, servers, err
}
