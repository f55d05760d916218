package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// A receive buffer without a size of its own follows the rate at which the user
// reads: four times what was read in a round trip, and never less than before;
// a buffer with a size stays as it is (SO_RCVBUF, tcp_rmem).
func TestTuneReceive(t *testing.T) {
	const rtt = 10 * time.Millisecond
	for _, tt := range []struct {
		name  string
		opt   Options
		rtt   time.Duration
		reads []int // kilobytes, one read each round trip
		want  int
	}{
		{"slow", Options{}, rtt, []int{100, 100, 100}, initialBuffer},
		{"fast", Options{}, rtt, []int{500, 500}, 4 * 500_000},
		{"faster", Options{}, rtt, []int{500, 700, 200}, 4 * 700_000},
		{"to the limit", Options{}, rtt, []int{900, 1000, 1000}, 3 << 20},
		{"with a size", Options{RecvBuffer: 4 << 20}, rtt, []int{500, 1000}, 4 << 20},
		{"in a data centre", Options{}, 100 * time.Microsecond, []int{500, 1000}, initialBuffer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, withOptions(tt.opt), withConfig(func(c *Config) { c.NoWindowScale, c.MaxRecvBuffer = false, 3<<20 }))
			d.connectAfter(tt.rtt)
			at := 1
			for _, kB := range tt.reads {
				d.now = d.now.Add(tt.rtt)
				for range kB {
					d.input(seg{f: wire.ACK, seq: at, ack: 1, n: 1000})
					at += 1000
				}
				p := make([]byte, 1000*kB)
				if n, err := d.c.Read(d.now, p); n != len(p) || err != nil {
					t.Fatalf("Read = %v, %v, want %v, nil", n, err, len(p))
				}
				d.output()
			}
			if got := d.c.Info(d.now).RecvBuffer; got != tt.want {
				t.Errorf("RecvBuffer = %v, want %v", got, tt.want)
			}
		})
	}
}

// A user who reads much at once but seldom is as slow as one who reads little
// each time: the buffer does not grow for it.
func TestTuneReceiveSeldom(t *testing.T) {
	d := newDriver(t, withAllOptions)
	d.connectAfter(10 * time.Millisecond)
	for i := range 3 {
		d.now = d.now.Add(time.Second)
		for k := range 1000 {
			d.input(seg{f: wire.ACK, seq: 1 + 1_000_000*i + 1000*k, ack: 1, n: 1000, opt: d.stamp()})
		}
		if n, _ := d.c.Read(d.now, make([]byte, 1<<20)); n != 1_000_000 {
			t.Fatalf("Read = %v, want 1000000", n)
		}
		d.output()
	}
	if got := d.c.Info(d.now).RecvBuffer; got != initialBuffer {
		t.Errorf("RecvBuffer = %v, want %v", got, initialBuffer)
	}
}

// A send buffer without a size of its own is twice the congestion window (tcp_wmem).
func TestTuneSend(t *testing.T) {
	for _, tt := range []struct {
		opt  Options
		cwnd int // segments
		want int
	}{
		{Options{}, 10, initialBuffer},
		{Options{}, 1000, 2_000_000},
		{Options{}, 10_000, 3 << 20},
		{Options{SendBuffer: 100_000}, 1000, 100_000},
	} {
		d := newDriver(t, withOptions(tt.opt), withConfig(func(c *Config) {
			c.MaxSendBuffer, c.InitialWindow = 3<<20, tt.cwnd
		})).connect()
		if got := d.c.sendBufferSize(); got != tt.want {
			t.Errorf("with %d segments of congestion window: %v, want %v", tt.cwnd, got, tt.want)
		}
	}
}
