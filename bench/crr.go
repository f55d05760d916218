package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

func crrWorkloads() []workload {
	var list []workload
	for _, parallel := range []int{1, 64} {
		for _, closer := range []string{"server", "client"} {
			list = append(list, workload{
				name:     fmt.Sprintf("crr/parallel=%d/closes=%s", parallel, closer),
				about:    "connect, one byte each way, close by the one named, then by the other",
				variants: []string{"gvisor", "gvisor/inline", "lwip", "kernel", "trivet"},
				lwip:     lwipTask{name: "crr", count: parallel, closes: closer},
				metrics: []metric{
					{name: "rate", unit: "1/s", more: true},
					{name: "cpu", unit: "CPU us", goal: goal{value: 40}},
					{name: "allocs", unit: "allocs", goal: goal{value: 25}},
					{name: "bytes", unit: "B allocated"},
				},
				run: func(s settings) (result, error) {
					return crr(s, churn{parallel: parallel, clientCloses: closer == "client", time: s.Time})
				},
			})
		}
	}
	return list
}

// churn says how connections come and go.
type churn struct {
	parallel     int
	clientCloses bool          // before the server
	time         time.Duration // how long, or 0
	count        int64         // how many connections, or 0
}

func crr(s settings, c churn) (result, error) {
	n, err := open(s.Variant, mtu1500)
	if err != nil {
		return nil, err
	}
	l, err := n.Listen(7, 0)
	if err != nil {
		return nil, err
	}
	go answer(l, c.clientCloses)
	start := now()
	done, slowest, err := c.run(func(ctx context.Context) (net.Conn, error) { return n.Dial(ctx, 7) })
	if err != nil {
		if c.count == 0 {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "after %d connections: %v\n", done, err) // that many is the result
	}
	r := start.since().perOp(int(done))
	r["done"], r["slowest"] = float64(done), slowest.Seconds()*1e3
	return r, nil
}

// answer sends a byte back on each connection, and closes it, or waits for the
// peer to do so first. It ends with the listener.
func answer(l net.Listener, clientCloses bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { // ends with the connection
			defer c.Close()
			buf := make([]byte, 1)
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			c.Write(buf)
			if clientCloses {
				c.Read(buf) // the end
			}
		}()
	}
}

// run makes connections until the time or the number is over, or one fails. It
// returns how many were done and how long the slowest dial took.
func (c churn) run(dial func(context.Context) (net.Conn, error)) (done int64, slowest time.Duration, err error) {
	var begun, ended, longest atomic.Int64
	var failure atomic.Pointer[error]
	start := time.Now()
	more := func() bool {
		if failure.Load() != nil {
			return false
		}
		return c.count > 0 && begun.Add(1) <= c.count || c.count == 0 && time.Since(start) < c.time
	}
	var running sync.WaitGroup
	for range c.parallel {
		running.Go(func() {
			buf := make([]byte, 1)
			for more() {
				took, err := c.once(dial, buf)
				if err != nil {
					failure.Store(&err)
					return
				}
				ended.Add(1)
				for old := longest.Load(); int64(took) > old && !longest.CompareAndSwap(old, int64(took)); {
					old = longest.Load()
				}
			}
		})
	}
	running.Wait()
	if p := failure.Load(); p != nil {
		err = *p
	}
	return ended.Load(), time.Duration(longest.Load()), err
}

// once is one connection. It returns how long the dial took.
func (c churn) once(dial func(context.Context) (net.Conn, error), buf []byte) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	before := time.Now()
	conn, err := dial(ctx)
	took := time.Since(before)
	if err != nil {
		return took, fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	if err := trip(conn, buf); err != nil {
		return took, err
	}
	if !c.clientCloses {
		conn.Read(buf) // the end
	}
	return took, nil
}
