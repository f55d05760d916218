package main

import (
	"context"
	"net"
	"runtime"
	"time"
)

// timeWaits is how many connections are left in TIME-WAIT.
const timeWaits = 20000

func timewaitWorkloads() []workload {
	return []workload{{
		name:     "timewait",
		about:    "20,000 connections in TIME-WAIT at the client; per connection",
		variants: []string{"gvisor", "trivet"},
		rounds:   3,
		metrics: []metric{
			{name: "heap", unit: "B heap", goal: goal{value: 128}},
			{name: "heapstacks", unit: "B heap+stacks"},
			{name: "rss", unit: "B resident"},
		},
		run: timewait,
	}}
}

func timewait(s settings) (result, error) {
	n, err := open(s.Variant, mtu1500)
	if err != nil {
		return nil, err
	}
	l, err := n.Listen(7, 0)
	if err != nil {
		return nil, err
	}
	go answer(l, true)
	dial := func(ctx context.Context) (net.Conn, error) { return n.Dial(ctx, 7) }
	before := memory()
	if _, _, err := (churn{parallel: 16, clientCloses: true, count: timeWaits}).run(dial); err != nil {
		return nil, err
	}
	time.Sleep(settleTime)
	r := before.each(memory(), timeWaits)
	runtime.KeepAlive(n)
	return r, nil
}
