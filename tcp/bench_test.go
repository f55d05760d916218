package tcp

import (
	"io"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// joined is two established connections whose segments arrive at once.
type joined struct {
	now  Time
	a, b Conn
	out  Batch
}

func join(tb testing.TB, super int) *joined {
	tb.Helper()
	j := &joined{now: Time(time.Second)}
	o := Open{Tuple: testTuple, ISS: testISS, Path: Path{MTU: 1500, MaxSuper: super}, Options: Options{NoDelay: true}}
	j.a.Dial(j.now, NewConfig(Config{}), &o)
	o.ISS = testIRS
	j.b.Dial(j.now, NewConfig(Config{}), &o)
	j.settle()
	if j.a.State() != StateEstablished || j.b.State() != StateEstablished {
		tb.Fatalf("states %v, %v", j.a.State(), j.b.State())
	}
	return j
}

// move hands what one connection sends to the other and reports whether there
// was anything.
func (j *joined) move(from, to *Conn) bool {
	j.out.Reset()
	from.Output(j.now, &j.out)
	for i := range j.out.Segments {
		to.Input(j.now, &j.out.Segments[i])
	}
	return len(j.out.Segments) > 0
}

// settle moves segments until there are none.
func (j *joined) settle() {
	for {
		there, back := j.move(&j.a, &j.b), j.move(&j.b, &j.a)
		if !there && !back {
			return
		}
	}
}

// transfer sends data from a to b and reads it there.
func (j *joined) transfer(tb testing.TB, data, buf []byte) {
	j.now += 1000
	if n, err := j.a.Write(j.now, data); n != len(data) || err != nil {
		tb.Fatalf("Write = %v, %v", n, err)
	}
	for got := 0; got < len(data); {
		j.move(&j.a, &j.b)
		for {
			n, err := j.b.Read(j.now, buf)
			got += n
			if err == syscall.EAGAIN {
				break
			}
			if err != nil {
				tb.Fatalf("Read = %v, %v", n, err)
			}
		}
		j.move(&j.b, &j.a)
	}
}

// BenchmarkTransfer is the way of 64 KiB from Write to Read, with what the
// ACKs cost, as plain segments and as super-segments.
func BenchmarkTransfer(b *testing.B) {
	for _, bm := range []struct {
		name  string
		super int
	}{{"segments", 0}, {"super-segments", 64 << 10}} {
		b.Run(bm.name, func(b *testing.B) {
			j := join(b, bm.super)
			data, buf := make([]byte, 64<<10), make([]byte, 64<<10)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				j.transfer(b, data, buf)
			}
		})
	}
}

// BenchmarkRoundTrip is one byte there and one back.
func BenchmarkRoundTrip(b *testing.B) {
	j := join(b, 0)
	p := []byte{1}
	b.ReportAllocs()
	for b.Loop() {
		j.now += 1000
		for _, c := range []*Conn{&j.a, &j.b} {
			if _, err := c.Write(j.now, p); err != nil {
				b.Fatal(err)
			}
			j.settle()
		}
		for _, c := range []*Conn{&j.a, &j.b} {
			if n, err := c.Read(j.now, p); n != 1 {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkConnect is the life of a connection: open, one byte, close. It
// reports the size of a connection.
func BenchmarkConnect(b *testing.B) {
	p := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		j := join(b, 0)
		if _, err := j.a.Write(j.now, p); err != nil {
			b.Fatal(err)
		}
		j.a.Close(j.now)
		j.settle()
		for {
			if _, err := j.b.Read(j.now, p); err == io.EOF {
				break
			}
		}
		j.b.Close(j.now)
		j.settle()
		if j.a.State() != StateTimeWait || j.b.State() != StateClosed {
			b.Fatalf("states %v, %v", j.a.State(), j.b.State())
		}
	}
	b.ReportMetric(float64(unsafe.Sizeof(Conn{})), "B/conn")
}
