package trivet_test

import (
	"io"
	"runtime"
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

// BenchmarkRoundTrip is a byte there and back.
func BenchmarkRoundTrip(b *testing.B) {
	for _, l := range benchLinks {
		b.Run(l.name, func(b *testing.B) {
			client, server := newPair(b, l.cfg)
			c, s := connect(b, client, server)
			go func() {
				buf := make([]byte, 1)
				for {
					if _, err := io.ReadFull(s, buf); err != nil {
						return
					}
					if _, err := s.Write(buf); err != nil {
						return
					}
				}
			}()
			buf := make([]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
			c.CloseWrite()
		})
	}
}

// BenchmarkConnectClose is a connection, a byte each way, and its close by the
// server, one connection after the other.
func BenchmarkConnectClose(b *testing.B) {
	client, server := newPair(b, pairConfig{})
	l := listen(b, server, "tcp", ":7")
	go func() {
		buf := make([]byte, 1)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, buf)
			c.Write(buf)
			c.Close()
		}
	}()
	buf := make([]byte, 2)
	b.ReportAllocs()
	for b.Loop() {
		c, err := client.Dial("tcp", serverIP4+":7")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Write(buf[:1]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf[:1]); err != nil {
			b.Fatal(err)
		}
		c.Read(buf) // the FIN
		c.Close()
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
