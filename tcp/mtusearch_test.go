package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// withPath opens a connection over a path of 1500 bytes to a peer that takes 1460
// (IPv6: 1440).
func withPath(t *testing.T, mod ...func(*driver)) *driver {
	t.Helper()
	d := newDriver(t, mod...)
	d.open.Path.MTU = 1500
	d.dial()
	d.now = d.now.Add(10 * ms)
	mss := uint16(1460)
	if !d.open.Tuple.LocalAddr.Is4() {
		mss = 1440
	}
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: mss, SACKPermitted: !d.cfg.NoSACK}})
	d.want(". 1:1(0) ack 1")
	d.trace = d.trace[:0]
	return d
}

var tuple6 = wire.FourTuple{LocalAddr: wire.Addr{0: 0xfd, 15: 1}, RemoteAddr: wire.Addr{0: 0xfd, 15: 2}}

func over6(d *driver) { d.open.Tuple = tuple6 }

func withProbing(m MTUProbing) func(*driver) {
	return withConfig(func(c *Config) { c.MTUProbing = m })
}

// timeouts lets the retransmission timer fire n times, and keeps what is sent
// after the last.
func (d *driver) timeouts(n int) {
	d.t.Helper()
	for range n {
		d.sent = d.sent[:0]
		next := d.c.NextTimeout()
		if next == 0 {
			d.t.Fatal("no timer runs")
		}
		d.advance(next.Sub(d.now))
	}
}

func (d *driver) wantMSS(want int) {
	d.t.Helper()
	if got := d.c.Info(d.now).SndMSS; got != want {
		d.t.Fatalf("SndMSS = %v, want %v", got, want)
	}
}

// RFC 4821, Sections 7.2 and 7.7 (R4821-2): when full segments time out again and
// again the path may drop them without a word: what every path carries is tried
// then. RFC 9293, Section 3.8.3: the third time-out is R1.
func TestBlackHoleSizes(t *testing.T) {
	for _, tt := range []struct {
		name string
		mod  func(*driver)
		want [7]int // segment size after so many time-outs
	}{
		{"IPv4", func(*driver) {}, [7]int{1460, 1460, 1460, 1024, 1024, 1024, 492}},
		{"IPv6", over6, [7]int{1440, 1440, 1440, 1220, 1220, 1220, 1220}},
		{"off", withProbing(MTUProbingOff), [7]int{1460, 1460, 1460, 1460, 1460, 1460, 1460}},
		{"always", withProbing(MTUProbingAlways), [7]int{1024, 1024, 1024, 492, 492, 492, 226}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := withPath(t, tt.mod)
			d.write(3000)
			d.wantMSS(tt.want[0])
			for n, size := range tt.want[1:] {
				d.timeouts(1)
				d.wantMSS(size)
				d.want(fmt.Sprintf(". 1:%d(%d) ack 1", 1+size, size))
				if size == tt.want[n] {
					continue
				}
				d.wantRule(RuleBlackHole)
			}
		})
	}
}

// To a sender an outage looks as a black hole does. It makes segments smaller each
// time that it has gone on for three more time-outs, but when it is over the search
// finds the size of before: nothing said that it does not get through.
func TestMTUSearchAfterOutage(t *testing.T) {
	for _, mod := range []func(*driver){func(*driver) {}, withSACK} {
		d := withPath(t, mod)
		d.write(3000)
		for d.c.count.retransmits < 9 {
			d.timeouts(1) // with SACK the first is a tail loss probe
		}
		d.wantMSS(226)
		end := 3001
		for d.c.outstanding() > 0 || d.c.unsent() > 0 {
			d.in(seg{f: wire.ACK, seq: 1, ack: min(d.c.snd.nxt.Diff(testISS), end)})
		}
		for rounds := 0; d.c.Info(d.now).SndMSS < 1460; rounds++ {
			if rounds == 10 {
				t.Fatalf("SndMSS is %d ten windows after an outage, want 1460", d.c.Info(d.now).SndMSS)
			}
			d.c.cc.adopt(20_480, 20_480) // as it grows to in a while
			d.write(10_000)
			end += 10_000
			d.in(seg{f: wire.ACK, seq: 1, ack: end})
		}
	}
}

// Refusals of the host's own link are no black hole.
func TestNoBlackHoleBehindRefusals(t *testing.T) {
	d := withPath(t)
	d.write(3000)
	for range 6 {
		d.timeouts(1)
		d.refuse(1, 1461)
	}
	d.wantMSS(1460)
}

// Segments that are no larger than those to be tried time out for another reason.
func TestNoBlackHole(t *testing.T) {
	d := withPath(t)
	d.write(1024)
	d.timeouts(6)
	d.wantMSS(1460)
	d.want("P. 1:1025(1024) ack 1")

	// Nor is a closed window one.
	d = withPath(t)
	d.write(3000)
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: -1})
	d.timeouts(6)
	d.wantMSS(1460)
}

// blackHole returns a connection that has just gone down to 1024 bytes, and from
// whose 3000 bytes the peer acknowledged those that are smaller now.
func blackHole(t *testing.T, mod ...func(*driver)) *driver {
	t.Helper()
	d := withPath(t, mod...)
	d.write(3000)
	for d.c.count.retransmits < 3 {
		d.timeouts(1) // with SACK the first is a tail loss probe
	}
	d.wantMSS(1024)
	for at := 1025; at < 3001; at += 1024 {
		d.in(seg{f: wire.ACK, seq: 1, ack: min(at, 3001)})
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 3001})
	d.sent = d.sent[:0]
	if n := d.c.outstanding(); n != 0 {
		t.Fatalf("%d bytes outstanding", n)
	}
	d.c.cc.adopt(20_480, 20_480) // as it grows to in a while
	d.sent, d.trace = d.sent[:0], d.trace[:0]
	return d
}

// from returns a segment of ours relative to at, as want has it.
func from(flags string, at, n int) string {
	return fmt.Sprintf("%s %d:%d(%d) ack 1", flags, at, at+n, n)
}

// RFC 4821, Sections 7.3 to 7.6.1 (R4821-1): larger segments of data are tried, one
// at a time, and what arrives is the size of all from then on, until the
// difference is not worth it.
func TestMTUSearch(t *testing.T) {
	for _, mod := range []func(*driver){func(*driver) {}, withSACK} {
		d := blackHole(t, mod)
		for _, size := range []int{1242, 1351, 1406, 1433, 1447, 1460} {
			mss := d.c.Info(d.now).SndMSS
			at := d.c.snd.nxt.Diff(testISS)
			d.write(size + 4*mss)
			d.want(from(".", at, size), from(".", at+size, mss), from(".", at+size+mss, mss),
				from(".", at+size+2*mss, mss), from("P.", at+size+3*mss, mss))
			d.wantRule(RuleMTUProbe)
			d.wantMSS(mss)
			d.in(seg{f: wire.ACK, seq: 1, ack: at + size + 4*mss})
			d.wantRule(RuleMTUProbeAcked)
			d.wantMSS(size)
		}
		at := d.c.snd.nxt.Diff(testISS)
		d.write(5 * 1460)
		if d.c.mtu.size != 0 || d.sent[0] != from(".", at, 1460)+" win 65535" {
			t.Errorf("the search goes on: %v", d.sent)
		}
	}
}

// RFC 4821, Section 7.6.2 (R4821-1): the loss of a probe, and of nothing else, is no
// sign of congestion. What it carried goes again at once, smaller, and the next
// probe is smaller, too.
func TestMTUProbeLost(t *testing.T) {
	for _, sack := range []bool{false, true} {
		t.Run(fmt.Sprintf("SACK=%v", sack), func(t *testing.T) {
			d := blackHole(t, func(d *driver) { d.cfg.NoSACK = !sack })
			at := d.c.snd.nxt.Diff(testISS)
			d.write(1242 + 4*1024)
			d.sent = d.sent[:0]
			before := d.c.Info(d.now)
			d.now = d.now.Add(10 * ms)
			for i := range 4 {
				if sack {
					d.sack(at, int64(at+1242), int64(at+1242+(i+1)*1024))
				} else {
					d.in(seg{f: wire.ACK, seq: 1, ack: at})
				}
			}
			d.wantRule(RuleMTUProbeLost)
			d.want(from(".", at, 1024), from(".", at+1024, 1242-1024))
			i := d.c.Info(d.now)
			if i.SndCwnd < before.SndCwnd || i.SndSsthresh != before.SndSsthresh || i.CAState == "recovery" {
				t.Errorf("cwnd %v after %v, ssthresh %v after %v, %v",
					i.SndCwnd, before.SndCwnd, i.SndSsthresh, before.SndSsthresh, i.CAState)
			}
			at += 1242 + 4*1024
			d.in(seg{f: wire.ACK, seq: 1, ack: at})
			d.wantMSS(1024)
			d.write(1133 + 4*1024)
			if want := from(".", at, 1133); d.sent[0] != want+" win 65535" {
				t.Errorf("the next probe is %v, want %v", d.sent[0], want)
			}
		})
	}
}

// RFC 4821, Section 7.6.2: when other segments are lost with the probe that is
// congestion, and what became of the probe tells nothing.
func TestMTUProbeLostWithOthers(t *testing.T) {
	d := blackHole(t, withSACK)
	at := d.c.snd.nxt.Diff(testISS)
	d.write(1242 + 6*1024)
	d.now = d.now.Add(10 * ms)
	d.sack(at, int64(at+1242+1024), int64(at+1242+6*1024))
	d.wantRule(RuleFastRetransmit)
	at += 1242 + 6*1024
	d.in(seg{f: wire.ACK, seq: 1, ack: at})
	d.c.cc.adopt(12_288, 12_288)
	d.sent = d.sent[:0]
	d.write(1242 + 4*1024)
	if want := from(".", at, 1242); d.sent[0] != want+" win 65535" {
		t.Errorf("the next probe is %v, want %v", d.sent[0], want)
	}
}

// RFC 4821, Section 7.6.3: nor does it when a time-out came before its answer.
func TestMTUProbeTimesOut(t *testing.T) {
	d := blackHole(t)
	at := d.c.snd.nxt.Diff(testISS)
	d.write(1242 + 4*1024)
	d.timeouts(1)
	d.want(from(".", at, 1024))
	if m := d.c.mtu; m.size != 0 || m.high != 1500 {
		t.Errorf("probe %v, high %v after the time-out", m.size, m.high)
	}
}

// A router that can speak answers the probe: RFC 4821, Section 7.6.4.
func TestMTUProbeTooBig(t *testing.T) {
	d := blackHole(t)
	at := d.c.snd.nxt.Diff(testISS)
	d.write(1242 + 4*1024)
	d.sent = d.sent[:0]
	if d.c.ICMPTooBig(d.now, ours(int64(at)), 1200) {
		t.Error("the path MTU is less than it was")
	}
	d.output()
	d.want(from(".", at, 1024), from(".", at+1024, 1242-1024))
	d.wantMSS(1024)
	d.in(seg{f: wire.ACK, seq: 1, ack: at + 1242 + 4*1024})
	at += 1242 + 4*1024
	d.write(1092 + 4*1024)
	if want := from(".", at, 1092); d.sent[0] != want+" win 65535" {
		t.Errorf("the next probe is %v, want %v", d.sent[0], want)
	}
}

// RFC 4821, Section 7.5: a probe goes only when there is enough behind it for its
// loss to show, within both windows.
func TestMTUProbeNeeds(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(*driver)
		want bool
	}{
		{"enough", func(d *driver) { d.write(1242 + 4*1024) }, true},
		{"too little data", func(d *driver) { d.write(1242 + 4*1024 - 1) }, false},
		{"too small a window", func(d *driver) {
			d.in(seg{f: wire.ACK, seq: 1, ack: d.c.snd.una.Diff(testISS), win: 1242 + 4*1024 - 1})
			d.write(10_000)
		}, false},
		{"SACK to be sent", func(d *driver) {
			d.in(seg{f: wire.ACK, seq: 2, ack: d.c.snd.una.Diff(testISS), n: 10})
			d.write(1242 + 4*1024)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := blackHole(t, withSACK)
			tt.f(d)
			if got := d.c.mtu.size != 0; got != tt.want {
				t.Errorf("a probe was sent: %v, want %v; %v", got, tt.want, d.sent)
			}
		})
	}
}

// A probe does not reach across the end of a record (MSG_EOR).
func TestMTUProbeOfRecord(t *testing.T) {
	d := blackHole(t)
	if _, err := d.c.Send(d.now, make([]byte, 1200), EndOfRecord); err != nil {
		t.Fatal(err)
	}
	d.write(1242 + 4*1024)
	d.sent = d.sent[:3]
	d.want(from(".", 3001, 1024), from("P.", 4025, 176), from(".", 4201, 1242))
}

// RFC 4821, Section 7.3: where the congestion window has no room for the probe
// just now, all else waits for it.
func TestMTUProbeWaitsForRoom(t *testing.T) {
	d := blackHole(t)
	at := d.c.snd.nxt.Diff(testISS)
	cwnd := d.c.cwnd()
	high := d.c.mtu.high
	d.c.mtu.high = d.c.mtu.low // no probe for now
	d.write(cwnd - cwnd%1024)
	d.c.mtu.high = high
	d.write(20_000)
	d.sent = d.sent[:0]
	d.in(seg{f: wire.ACK, seq: 1, ack: at + 1024}) // slow start is over: one segment leaves, one may go
	for i := 2; i < 10 && d.c.mtu.size == 0; i++ {
		d.want()
		d.in(seg{f: wire.ACK, seq: 1, ack: at + i*1024})
	}
	if size := d.c.mtu.end.Diff(d.c.mtu.start); size != 1242 {
		t.Errorf("a probe of %d bytes", size)
	}
}

// RFC 1191, Section 6.3; RFC 8201, Section 5.3 (R1191-3): ten minutes after ICMP told
// of a small MTU larger segments are tried, by connections that are open, too; and
// what a connection was told at birth expires when that does. Without probing they
// are as large as the link lets them be.
func TestPathMTUIsForgotten(t *testing.T) {
	d := withPath(t, withProbing(MTUProbingOff))
	d.write(3000)
	d.c.ICMPTooBig(d.now, ours(1), 840)
	d.output()
	d.wantMSS(800)
	d.in(seg{f: wire.ACK, seq: 1, ack: 3001})
	d.advance(PathMTUAge - time.Second)
	d.write(800)
	d.wantMSS(800)
	d.in(seg{f: wire.ACK, seq: 1, ack: 3801})
	d.advance(time.Second)
	d.sent = d.sent[:0]
	d.write(1460)
	d.want(from("P.", 3801, 1460))
	if got := d.c.Info(d.now).PMTU; got != 1500 {
		t.Errorf("PMTU = %v, want 1500", got)
	}

	d = withPath(t, func(d *driver) { d.open.KnownMTU, d.open.KnownUntil = 840, d.now.Add(time.Minute) })
	d.c.cc.adopt(12_288, 12_288)
	d.write(10_000)
	d.wantMSS(800)
	if d.c.mtu.size != 0 {
		t.Error("a probe before the time is over")
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 10_001})
	d.advance(time.Minute)
	d.c.cc.adopt(12_288, 12_288)
	d.c.count.lastSent = d.now
	d.write(10_000)
	if d.c.mtu.size != 1170 {
		t.Errorf("a probe of %d bytes, want 1170", d.c.mtu.size)
	}
}

// RFC 4821, Section 7.7: ten minutes after the search came to its end a larger
// packet is tried again.
func TestMTUSearchAgain(t *testing.T) {
	d := blackHole(t)
	d.c.mtu.high = d.c.mtu.low + probeStop - 1
	at := d.c.snd.nxt.Diff(testISS)
	d.write(10_000)
	if d.c.mtu.size != 0 {
		t.Fatalf("a probe: %v", d.sent)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: at + 10_000})
	d.advance(PathMTUAge)
	d.c.cc.adopt(12_288, 12_288)
	d.c.count.lastSent = d.now
	d.write(10_000)
	if d.c.mtu.size == 0 {
		t.Errorf("no probe ten minutes later: %v", d.sent)
	}
}

// The search halves what is between, and takes the last step whole, if its end was
// not tried before.
func TestMTUSearchSteps(t *testing.T) {
	for _, tt := range []struct{ low, high, largest, want int }{
		{1064, 1500, 1500, 218},
		{1064, 9000, 9000, 3968},
		{1487, 1500, 1500, 13},
		{1487, 1500, 9000, 7},
		{1495, 1500, 1500, 5},
		{1500, 1500, 1500, 0},
		{1280, 1287, 1500, 0},
		{1280, 1288, 1500, 4},
	} {
		m := mtuSearch{low: tt.low, high: tt.high}
		if got := m.step(tt.largest); got != tt.want {
			t.Errorf("step between %v and %v of %v = %v, want %v", tt.low, tt.high, tt.largest, got, tt.want)
		}
	}
}
