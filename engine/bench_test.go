package engine

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// stream is an established connection with a peer that sends data, as a
// receive path without a device in front.
type stream struct {
	e    *Engine
	conn *Conn
	now  tcp.Time
	from wire.FourTuple
	seg  wire.Segment
	pkt  wire.Packet
	out  wire.Batch
	buf  []byte
}

func newStream(tb testing.TB, size int) *stream {
	h := newHost(tb, Config{}, addrA)
	h.e.tcp.Trace = nil
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80).timestamps(1)
	p.seg.Options.MSS = 1460
	c := p.connect(l)
	b := block.Get(size)
	s := &stream{e: h.e, conn: c, now: h.now, from: p.tuple.Reverse(), buf: make([]byte, size)}
	s.seg = wire.Segment{Seq: p.seq, Ack: p.ack, Flags: wire.ACK, Window: 65535, Options: p.seg.Options}
	s.seg.Append(block.Chunk{Block: b, Data: b.Bytes()[:size]})
	if size > 1448 {
		s.seg.SegSize = 1448
	}
	return s
}

// receive takes one segment in, reads its data, and sends the ACK if there is
// one.
func (s *stream) receive() {
	s.pkt.BuildTCP(s.from, &s.seg, 0)
	s.pkt.Checksum = wire.ChecksumValid
	s.seg.Seq = s.seg.End()
	s.e.Input(s.now, &s.pkt)
	s.conn.Read(s.now, s.buf)
	s.e.Output(s.now, &s.out)
	s.out.Release()
	s.now = s.now.Add(10 * time.Microsecond)
}

// The path of a packet allocates nothing.
func TestReceiveAllocs(t *testing.T) {
	for _, size := range []int{1, 1448, 60000} {
		t.Run(fmt.Sprintf("size=%d", size), func(t *testing.T) {
			s := newStream(t, size)
			for range 100 {
				s.receive()
			}
			if n := testing.AllocsPerRun(1000, s.receive); n > spareAllocs {
				t.Errorf("%v allocations per segment, want 0", n)
			}
			if got := s.conn.Info(s.now).BytesReceived; got < uint64(1000*size) {
				t.Fatalf("only %d bytes arrived", got)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{1, 1448, 60000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			s := newStream(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.receive()
			}
		})
	}
}

// send writes size bytes, sends them, and takes the ACK of them in.
func (s *stream) send() {
	s.conn.Write(s.now, s.buf)
	s.e.Output(s.now, &s.out)
	s.out.Release()
	s.seg.Ack = s.seg.Ack.Add(seqnum.Size(len(s.buf)))
	s.pkt.BuildTCP(s.from, &s.seg, 0)
	s.pkt.Checksum = wire.ChecksumValid
	s.e.Input(s.now, &s.pkt)
	s.now = s.now.Add(10 * time.Microsecond)
}

func newSender(tb testing.TB, size int) *stream {
	s := newStream(tb, size)
	s.seg.Payload, s.seg.PayloadLen, s.seg.SegSize = nil, 0, 0
	return s
}

func TestSendAllocs(t *testing.T) {
	for _, size := range []int{1, 1448, 10000} {
		t.Run(fmt.Sprintf("size=%d", size), func(t *testing.T) {
			s := newSender(t, size)
			for range 100 {
				s.send()
			}
			if n := testing.AllocsPerRun(1000, s.send); n > spareAllocs {
				t.Errorf("%v allocations per write, want 0", n)
			}
			if got := s.conn.Info(s.now).BytesAcked; got < uint64(1000*size) {
				t.Fatalf("only %d bytes were acknowledged", got)
			}
		})
	}
}

func BenchmarkSend(b *testing.B) {
	for _, size := range []int{1, 1448} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			s := newSender(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.send()
			}
		})
	}
}

// BenchmarkConnect is dial, accept and close at both ends, with all packets
// between.
func BenchmarkConnect(b *testing.B) {
	p := newPair(b, Config{})
	p.a.e.tcp.Trace, p.b.e.tcp.Trace = nil, nil
	l := p.b.listen("10.0.0.2:80", ListenOptions{})
	b.ReportAllocs()
	for b.Loop() {
		c, s := p.dial(l)
		c.Close(p.a.now)
		p.exchange()
		s.Close(p.b.now)
		p.exchange()
		p.log = p.log[:0]
		p.advance(p.a.now.Add(10 * time.Millisecond))
	}
}

// BenchmarkIdleMemory reports the bytes of a connection that is open and idle.
func BenchmarkIdleMemory(b *testing.B) {
	const n = 10_000
	h := newHost(b, Config{}, addrA)
	h.e.tcp.Trace = nil
	l := h.listen("0.0.0.0:80", ListenOptions{})
	before := heap()
	conns := make([]*Conn, 0, n)
	for i := range uint16(n) {
		conns = append(conns, h.peer(netip.AddrFrom4([4]byte{10, 0, 0, 7}), 1000+i, 80).connect(l))
	}
	perConn := float64(heap()-before) / n
	for b.Loop() {
		h.e.Advance(h.now)
	}
	b.ReportMetric(perConn, "B/conn")
	runtime.KeepAlive(conns)
}
