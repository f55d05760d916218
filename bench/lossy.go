package main

import "time"

// lossyTerms are 100 Mbit/s and 20 ms there and back, a queue of one
// bandwidth-delay product, and 2 % of the packets lost in each direction.
var lossyTerms = terms{rate: 1e8 / 8, delay: 10 * time.Millisecond, queue: 250_000, loss: 0.02}

const lossyTime = 15 * time.Second

func lossyWorkloads() []workload {
	metrics := []metric{{name: "rate", unit: "Mbit/s", more: true}}
	variants := []string{"gvisor", "kernel", "trivet"}
	return []workload{
		{
			name: "lossy/send", about: "one stream to the kernel over 100 Mbit/s, 20 ms and 2 % loss both ways, CUBIC where there is a choice",
			variants: variants, needRoot: true, metrics: metrics,
			run: func(s settings) (result, error) { return lossy(s.Variant, "kernel") },
		}, {
			name: "lossy/receive", about: "the same from the kernel",
			variants: variants, needRoot: true, metrics: metrics,
			run: func(s settings) (result, error) { return lossy("kernel", s.Variant) },
		},
	}
}

func lossy(client, server string) (result, error) {
	a, b, err := endpoints(client, server, lossyTerms)
	if err != nil {
		return nil, err
	}
	from, to, err := connect(a, b)
	if err != nil {
		return nil, err
	}
	received, err := stream(from, to, lossyTime)
	return result{"rate": float64(received) * 8 / lossyTime.Seconds() / 1e6}, err
}
