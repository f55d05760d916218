package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// flood sends packets of 1000 bytes through a pipe of 8 Mbit/s, which takes 1
// ms for each, a little faster, and returns what arrived.
func flood(p *Pipe, d time.Duration, data []byte) []arrived {
	const every = 980 * tcp.Time(time.Microsecond)
	var got []arrived
	var pkt wire.Packet
	number := 0
	for now := every; now < tcp.Time(d); now += every {
		for t := p.NextTimeout(); t != 0 && t <= now; t = p.NextTimeout() {
			for a, ok := p.Receive(t, &pkt); ok; a, ok = p.Receive(t, &pkt) {
				got = append(got, arrived{a, pkt.AppendTo(nil)})
				pkt.Release()
			}
		}
		p.Send(now, number, data, Verdict{})
		number++
	}
	return append(got, arrivals(p)...)
}

// RFC 8289, Section 3.2: while the delay stays over the target, CoDel drops, at
// first one packet per interval and then more often, until it is under it. A
// queue that only tail drop bounds stays full.
func TestCoDel(t *testing.T) {
	data := make([]byte, 1000)
	slow := Settings{Rate: 8_000_000, QueueBytes: 400_000}
	worst := func(s Settings) (last time.Duration, p *Pipe) {
		p = NewPipe(s, 1, 1)
		got := flood(p, 60*time.Second, data)
		for _, a := range got[len(got)*3/4:] {
			last = max(last, a.At.Sub(a.Sent))
		}
		return last, p
	}
	if d, p := worst(slow); d < 390*time.Millisecond || p.Stats().AQM != 0 {
		t.Errorf("tail drop: delay %v, AQM dropped %d, want 400 ms, 0", d, p.Stats().AQM)
	}
	slow.CoDel = true
	d, p := worst(slow)
	if d > 60*time.Millisecond {
		t.Errorf("CoDel: a delay of %v stands after 45 s, want not much over the 5 ms of the target", d)
	}
	// One packet in fifty has to go in the long run.
	if s := p.Stats(); s.AQM < s.Sent/60 || s.AQM > s.Sent/30 || s.QueueFull != 0 {
		t.Errorf("CoDel dropped %d of %d, %d at the tail, want about one in fifty, 0", s.AQM, s.Sent, s.QueueFull)
	}
}

// RFC 8289, Section 4.3: a burst that drains within an interval is left alone.
func TestCoDelSparesBursts(t *testing.T) {
	p := NewPipe(Settings{Rate: 8_000_000, CoDel: true}, 1, 1)
	for i := range 90 {
		p.Send(1, i, make([]byte, 1000), Verdict{})
	}
	if got := len(arrivals(p)); got != 90 {
		t.Errorf("%d of a burst of 90 packets arrived, want all", got)
	}
}

// ipPacket is an IPv4 or IPv6 packet with the ECN field, of n bytes.
func ipPacket(version int, ecn byte, n int) []byte {
	b := make([]byte, n)
	if version == 6 {
		b[0], b[1] = 0x60, ecn<<4
		return b
	}
	b[0], b[1] = 0x45, ecn
	sealIPv4(b[:20])
	return b
}

// RFC 3168, Section 5: a packet that is ECN-capable is marked where another
// would be dropped, and its IPv4 checksum stays right.
func TestECNMarks(t *testing.T) {
	for _, version := range []int{4, 6} {
		for _, s := range []Settings{{CoDel: true, ECN: true}, {MarkBytes: 20_000, QueueBytes: 400_000}} {
			for ecn := range byte(4) {
				t.Run(fmt.Sprintf("version=%d/CoDel=%v/ecn=%d", version, s.CoDel, ecn), func(t *testing.T) {
					s.Rate = 8_000_000
					p := NewPipe(s, 1, 1)
					marked := 0
					for _, a := range flood(p, 5*time.Second, ipPacket(version, ecn, 1000)) {
						if version == 4 && wire.Checksum(a.data[:20], 0) != 0xffff {
							t.Fatal("the header's checksum is wrong")
						}
						if ce := ecnOf(a.data) == ecnCE; ce != (a.Marked || ecn == ecnCE) {
							t.Fatalf("Marked %v, CE %v", a.Marked, ce)
						}
						if a.Marked {
							marked++
						}
					}
					if (marked > 0) != (ecn != 0) || uint64(marked) != p.Stats().Marked {
						t.Errorf("%d packets marked, Stats says %d", marked, p.Stats().Marked)
					}
					if dropped := p.Stats().AQM; s.CoDel && (dropped > 0) != (ecn == 0) {
						t.Errorf("CoDel dropped %d packets", dropped)
					}
				})
			}
		}
	}
}

// A new rate holds for what waits already.
func TestRateChangesWhileQueued(t *testing.T) {
	p := NewPipe(Settings{Rate: 8_000_000}, 1, 1)
	for i := range 10 {
		p.Send(1, i, make([]byte, 1000), Verdict{})
	}
	p.Set(1+5*ms, Settings{Rate: 80_000_000}) // five are sent, and the sixth begun
	got := arrivals(p)
	if want := 1 + 6*ms + 4*ms/10; len(got) != 10 || got[9].At != want {
		t.Errorf("%d arrived, the last at %v, want 10, %v", len(got), got[len(got)-1].At, want)
	}
}

// Bursts loses the share it is asked for, in bursts of the length it is asked
// for.
func TestBursts(t *testing.T) {
	const n, loss, length = 200_000, 0.02, 8
	p := NewPipe(Settings{Burst: Bursts(loss, length)}, 3, 4)
	lost, bursts, before := 0, 0, false
	for i := range n {
		gone := p.Send(tcp.Time(i+1), i, []byte{0}, Verdict{}) == trace.FateLoss
		if gone {
			lost++
			if !before {
				bursts++
			}
		}
		before = gone
	}
	if got := float64(lost) / n; math.Abs(got-loss) > 0.004 {
		t.Errorf("%v of all packets were lost, want %v", got, loss)
	}
	if got := float64(lost) / float64(bursts); math.Abs(got-length) > 1 {
		t.Errorf("a burst is %v packets long, want %v", got, length)
	}
}

// ReorderDelay and ReorderJitter say how late the late ones are.
func TestReorderJitter(t *testing.T) {
	p := NewPipe(Settings{Delay: 10 * time.Millisecond, Reorder: 0.05, ReorderJitter: 10 * time.Millisecond}, 1, 1)
	const n = 10_000
	for i := range n {
		p.Send(tcp.Time(i+1)*ms/10, i, []byte{0}, Verdict{})
	}
	late, least, most := 0, time.Hour, time.Duration(0)
	for _, a := range arrivals(p) {
		if a.Delayed {
			d := a.At.Sub(a.Sent) - 10*time.Millisecond
			late, least, most = late+1, min(least, d), max(most, d)
		}
	}
	if late < 400 || late > 600 || least > time.Millisecond || most < 9*time.Millisecond || most > 10*time.Millisecond {
		t.Errorf("%d of %d packets are late, by %v to %v, want 500, 0 to 10 ms", late, n, least, most)
	}
}

// A network card that coalesces hands over what came within the time, and
// nothing earlier than it came.
func TestCoalesce(t *testing.T) {
	p := NewPipe(Settings{Coalesce: 2 * time.Millisecond}, 1, 1)
	for i := range 10 {
		p.Send(tcp.Time(i+1)*ms, i, []byte{0}, Verdict{})
	}
	var got []tcp.Time
	for _, a := range arrivals(p) {
		got = append(got, a.At/ms)
	}
	if want := "[3 3 3 6 6 6 9 9 9 12]"; fmt.Sprint(got) != want {
		t.Errorf("handed over at %v ms, want %v", got, want)
	}
}

// Super-segments cross a link as the packets they stand for: whether anybody
// looks at them makes no difference to what happens.
func TestSuperSegmentsMakeNoDifference(t *testing.T) {
	run := func(observed bool, coalesce time.Duration) (events int, end tcp.Time, stats Stats) {
		s := bad
		s.Duplicate, s.Loss, s.CoDel, s.Coalesce = 0.001, 0.01, true, coalesce
		cfg := Symmetric(s)
		cfg.MaxSuper = 60_000
		n := New(Config{Seed: 3})
		if observed {
			n.onPacket = func(tcp.Time, *trace.Packet) {}
		}
		p := &pair{t: t, Network: n, paths: map[string][]tcp.State{}, quiet: true}
		n.cfg.OnEvent = func(host string, e *tcp.Event) {
			p.event(host, e)
			events++
		}
		p.client, p.server = n.AddHost("client", engine.Config{}), n.AddHost("server", engine.Config{})
		p.link = n.Connect(p.client, p.server, cfg)
		x := exchange{request: pseudoRandom(1_000_000, 1), response: pseudoRandom(1_000_000, 2)}
		x.start(p)
		p.until("both forget", time.Hour, p.over)
		x.check(p)
		stats, _ = p.link.Stats()
		return events, p.Now(), stats
	}
	for _, coalesce := range []time.Duration{0, 500 * time.Microsecond} {
		e1, t1, s1 := run(false, coalesce)
		e2, t2, s2 := run(true, coalesce)
		if e1 != e2 || t1 != t2 || s1 != s2 {
			t.Errorf("coalesce %v: %d events until %v, %+v when nobody looks, %d until %v, %+v when somebody does",
				coalesce, e1, t1, s1, e2, t2, s2)
		}
	}
}
