package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// What one Write is given and one Read takes at most, in bytes.
const (
	writeSize = 64 << 10
	readSize  = 256 << 10

	readMemory = 512 << 20 // of all readers together
)

func bulkWorkloads() []workload {
	var list []workload
	for _, streams := range []int{1, 8} {
		list = append(list, workload{
			name:     fmt.Sprintf("bulk/streams=%d", streams),
			about:    "one way as fast as it goes, packets of 1500 bytes, checksums made and checked",
			variants: []string{"gvisor", "gvisor/sgso+gro", "lwip", "kernel", "trivet"},
			lwip:     lwipTask{name: "bulk", count: streams},
			metrics:  bulkMetrics(goal{factor: 4}, goal{value: 1}),
			run:      func(s settings) (result, error) { return bulk(s, mtu1500, streams) },
		})
	}
	for _, streams := range []int{1, 8} {
		list = append(list, workload{
			name:     fmt.Sprintf("bulksuper/streams=%d", streams),
			about:    "the same with super-segments of 64 KiB and no checksums",
			variants: []string{"gvisor", "kernel", "trivet"},
			metrics:  bulkMetrics(goal{}, goal{value: 0.16}),
			run:      func(s settings) (result, error) { return bulk(s, super, streams) },
		})
	}
	return list
}

func bulkMetrics(rate, cpu goal) []metric {
	return []metric{
		{name: "rate", unit: "Gbit/s", more: true, goal: rate},
		{name: "cpu", unit: "CPU s/GB", goal: cpu},
		{name: "allocs", unit: "allocs/MB"},
	}
}

func bulk(s settings, k linkKind, streams int) (result, error) {
	n, err := open(s.Variant, k)
	if err != nil {
		return nil, err
	}
	clients, servers, err := pairs(n, 7, streams)
	if err != nil {
		return nil, err
	}
	return flow(s, clients, servers)
}

// flow measures what goes from the writers to the readers.
func flow(s settings, writers, readers []net.Conn) (result, error) {
	var received atomic.Uint64
	failed := make(chan error, len(writers)+len(readers))
	data := make([]byte, writeSize)
	for _, c := range writers { // until the process ends
		go func() {
			for {
				if _, err := c.Write(data); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for _, c := range readers { // until the process ends
		go func() {
			buf := make([]byte, min(readSize, readMemory/len(readers)))
			for {
				n, err := c.Read(buf)
				if err != nil {
					failed <- err
					return
				}
				received.Add(uint64(n))
			}
		}()
	}
	time.Sleep(min(warmUp+time.Duration(len(writers))*time.Millisecond, 5*time.Second)) // until buffers are full
	before, start := received.Load(), now()
	select {
	case err := <-failed:
		return nil, err
	case <-time.After(s.Time):
	}
	bytes := received.Load() - before
	return start.since().perByte(bytes), nil
}

// warmUp is how long a flow runs before it is measured.
const warmUp = 200 * time.Millisecond
