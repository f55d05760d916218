package main

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

func rrWorkloads() []workload {
	cpu := map[int]float64{1: 5, 64: 6}
	var list []workload
	for _, n := range []int{1, 64} {
		list = append(list, workload{
			name:     fmt.Sprintf("rr/pairs=%d", n),
			about:    "one byte there and one back, on each connection in turn",
			variants: []string{"gvisor", "gvisor/inline", "lwip", "kernel", "trivet"},
			lwip:     lwipTask{name: "rr", count: n},
			metrics: []metric{
				{name: "rate", unit: "1/s", more: true},
				{name: "p50", unit: "p50 us"},
				{name: "p99", unit: "p99 us"},
				{name: "cpu", unit: "CPU us", goal: goal{value: cpu[n]}},
				{name: "allocs", unit: "allocs", goal: goal{value: 0.05}},
			},
			run: func(s settings) (result, error) { return rr(s, n) },
		})
	}
	// The same round trip to the p50 of one pair is what the 5 us are.
	list[0].metrics[1].goal = goal{value: 5}
	return list
}

func rr(s settings, count int) (result, error) {
	n, err := open(s.Variant, mtu1500)
	if err != nil {
		return nil, err
	}
	clients, servers, err := pairs(n, 7, count)
	if err != nil {
		return nil, err
	}
	return askEcho(s, clients, servers)
}

// askEcho is ask with an echo on the other side.
func askEcho(s settings, clients, servers []net.Conn) (result, error) {
	for _, c := range servers { // until the process ends
		go echo(c)
	}
	return ask(s, clients)
}

// echo gives back each byte.
func echo(c net.Conn) {
	buf := make([]byte, 1)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// maxTrips is how many trips of a connection are timed.
const maxTrips = 1 << 20

// ask sends a byte on each connection and waits for one, again and again.
func ask(s settings, conns []net.Conn) (result, error) {
	trips := make([]int, len(conns))
	times := make([][]int32, len(conns)) // nanoseconds
	errs := make([]error, len(conns))
	for i := range times {
		times[i] = make([]int32, 0, maxTrips/len(conns))
	}
	var warm, running sync.WaitGroup
	warm.Add(len(conns))
	var end time.Time
	begin := make(chan struct{})
	for i, c := range conns {
		running.Go(func() {
			buf := make([]byte, 1)
			errs[i] = trip(c, buf)
			warm.Done()
			<-begin
			for last := time.Now(); last.Before(end) && errs[i] == nil; {
				errs[i] = trip(c, buf)
				t := time.Now()
				if len(times[i]) < cap(times[i]) {
					times[i] = append(times[i], int32(t.Sub(last)))
				}
				last = t
				trips[i]++
			}
		})
	}
	warm.Wait()
	runtime.GC() // the garbage of the beginning is not the trips'
	start := now()
	end = start.at.Add(s.Time)
	close(begin)
	running.Wait()
	total := 0
	for i := range trips {
		if errs[i] != nil {
			return nil, errs[i]
		}
		total += trips[i]
	}
	r := start.since().perOp(total)
	sorted := slices.Concat(times...)
	slices.Sort(sorted)
	r["p50"] = float64(percentile(sorted, 50)) / 1e3
	r["p99"] = float64(percentile(sorted, 99)) / 1e3
	return r, nil
}

// trip sends a byte and waits for one.
func trip(c net.Conn, buf []byte) error {
	if _, err := c.Write(buf); err != nil {
		return err
	}
	_, err := io.ReadFull(c, buf)
	return err
}
