package trivet_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
)

// benchLinks are the links that the benchmarks run over.
var benchLinks = []struct {
	name string
	cfg  pairConfig
}{
	{name: "mtu=1500", cfg: pairConfig{mtu: 1500}},
	{name: "super", cfg: pairConfig{mtu: 1500, link: link.PairOptions{Offloads: link.TSO | link.RxMerged}}},
}

// BenchmarkBulkPair is one connection in one direction, 64 KiB a Write.
func BenchmarkBulkPair(b *testing.B) {
	for _, l := range benchLinks {
		b.Run(l.name, func(b *testing.B) {
			client, server := newPair(b, l.cfg)
			c, s := connect(b, client, server)
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, 256<<10)
				for {
					if _, err := s.Read(buf); err != nil {
						return
					}
				}
			}()
			buf := make([]byte, 64<<10)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
			}
			c.CloseWrite()
			<-done
		})
	}
}

// BenchmarkRoundTrip is a byte there and back, on one connection and on 64 at
// once.
func BenchmarkRoundTrip(b *testing.B) {
	for _, l := range benchLinks {
		for _, conns := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/conns=%d", l.name, conns), func(b *testing.B) {
				client, server := newPair(b, l.cfg)
				trips := make(chan struct{}, conns)
				var running sync.WaitGroup
				for range conns {
					c, s := connect(b, client, server)
					go io.Copy(onlyWriter{s}, onlyReader{s})
					running.Go(func() {
						buf := make([]byte, 1)
						for range trips {
							c.Write(buf)
							io.ReadFull(c, buf)
						}
						c.CloseWrite()
					})
				}
				b.ReportAllocs()
				for b.Loop() {
					trips <- struct{}{}
				}
				close(trips)
				running.Wait()
			})
		}
	}
}

// BenchmarkConnectClose is a connection, a byte each way, and its close by the
// server; one connection after the other, and 64 at once.
func BenchmarkConnectClose(b *testing.B) {
	for _, conns := range []int{1, 64} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			client, server := newPair(b, pairConfig{})
			l := listen(b, server, "tcp", ":7")
			go answer(l)
			dials := make(chan struct{}, conns)
			var running sync.WaitGroup
			for range conns {
				running.Go(func() {
					buf := make([]byte, 1)
					for range dials {
						c, err := client.Dial("tcp", serverIP4+":7")
						if err != nil {
							b.Error(err)
							continue
						}
						c.Write(buf)
						io.ReadFull(c, buf)
						c.Read(buf) // the FIN
						c.Close()
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				dials <- struct{}{}
			}
			close(dials)
			running.Wait()
		})
	}
}

// answer sends a byte back on each connection and closes it.
func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			buf := make([]byte, 1)
			io.ReadFull(c, buf)
			c.Write(buf)
			c.Close()
		}()
	}
}

// BenchmarkIdleConn tells the memory of a connection that was used for a byte
// each way and now is idle: both ends, and half of that.
func BenchmarkIdleConn(b *testing.B) {
	const n = 2000
	for b.Loop() {
		client, server := newPair(b, pairConfig{host: trivet.Config{Shards: 1}})
		l := listen(b, server, "tcp", ":7")
		before := heap()
		var conns []io.Closer
		for range n {
			c, err := client.Dial("tcp", serverIP4+":7")
			if err != nil {
				b.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 1)
			c.Write(buf)
			io.ReadFull(s, buf)
			s.Write(buf)
			io.ReadFull(c, buf)
			conns = append(conns, c, s)
		}
		b.ReportMetric(float64(heap()-before)/(2*n), "B/conn")
		for _, c := range conns {
			c.Close()
		}
	}
}

// heap returns the live bytes of the heap.
func heap() int64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied over two cycles
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
