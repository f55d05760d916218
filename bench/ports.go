package main

// manyConns is more connections than there are ports.
const manyConns = 60000

func portsWorkloads() []workload {
	return []workload{{
		name:     "ports",
		about:    "60,000 connections, 64 at once, from one address to one address and port, the client closes first; it ends at the first failure",
		variants: []string{"gvisor", "kernel", "trivet"},
		rounds:   1, // gVisor searches all ports for each of the last connections
		metrics: []metric{
			{name: "done", unit: "connections", more: true, goal: goal{value: manyConns}},
			{name: "rate", unit: "1/s", more: true},
			{name: "cpu", unit: "CPU us"},
			{name: "slowest", unit: "slowest dial ms", goal: goal{value: 10}},
		},
		run: func(s settings) (result, error) {
			return crr(s, churn{parallel: 64, clientCloses: true, count: manyConns})
		},
	}}
}
