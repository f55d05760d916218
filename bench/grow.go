package main

import (
	"fmt"
	"net"

	"github.com/trivet-net/trivet/link"
)

// growWorkloads show how Trivet's cost grows with the connections that are
// active at once, and with the shards.
func growWorkloads() []workload {
	var list []workload
	add := func(name, about string, metrics []metric, shards, conns int, use func(settings, []net.Conn, []net.Conn) (result, error)) {
		list = append(list, workload{
			name: "grow/" + name, about: about, variants: []string{"trivet"}, rounds: 3, metrics: metrics,
			run: func(s settings) (result, error) {
				clients, servers, err := growPairs(shards, conns)
				if err != nil {
					return nil, err
				}
				return use(s, clients, servers)
			},
		})
	}
	trips := []metric{{name: "rate", unit: "1/s", more: true}, {name: "cpu", unit: "CPU us"}}
	bytes := []metric{{name: "rate", unit: "Gbit/s", more: true}, {name: "cpu", unit: "CPU s/GB"}}
	for _, n := range []int{1, 10, 100, 1000, 10000, 100000} {
		add(fmt.Sprintf("rr/pairs=%d", n), "one byte there and one back, on so many connections at once", trips, 0, n, askEcho)
	}
	for _, n := range []int{1, 10, 100, 1000, 10000, 100000} {
		add(fmt.Sprintf("bulk/streams=%d", n), "one way on so many connections, packets of 1500 bytes", bytes, 0, n, flow)
	}
	for _, n := range []int{1, 2, 4, 8} {
		add(fmt.Sprintf("shards=%d", n), "one byte there and one back on 64 connections, with so many shards", trips, n, 64, askEcho)
	}
	return list
}

// growQueue is how many packets may be on their way: more than there are
// connections, so that none of their first packets is dropped.
const growQueue = 1 << 18

// growPairs returns connections between two stacks with so many shards.
func growPairs(shards, count int) (clients, servers []net.Conn, err error) {
	n, err := newTrivet(link.PairOptions{QueuePackets: growQueue}, shards)
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
