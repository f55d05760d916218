package sim

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

const ms = tcp.Time(time.Millisecond)

// arrived is a packet that came out of a pipe.
type arrived struct {
	Arrival
	data []byte
}

// arrivals drains the pipe and returns what arrived, in order.
func arrivals(p *Pipe) []arrived {
	var got []arrived
	var pkt wire.Packet
	for t := p.NextTimeout(); t != 0; t = p.NextTimeout() {
		for a, ok := p.Receive(t, &pkt); ok; a, ok = p.Receive(t, &pkt) {
			got = append(got, arrived{a, pkt.AppendTo(nil)})
			pkt.Release()
		}
	}
	return got
}

// A packet takes its size divided by the rate to be sent, behind those before
// it, and then the delay of the way.
func TestPipeRateAndDelay(t *testing.T) {
	p := NewPipe(Settings{Rate: 8_000_000, Delay: 10 * time.Millisecond}, 1, 1) // 1000 bytes in 1 ms
	for i := range 3 {
		if fate := p.Send(1*ms, i, make([]byte, 1000), Verdict{}); fate != trace.FateInFlight {
			t.Fatalf("Send(%d) = %v, want in flight", i, fate)
		}
	}
	if _, ok := p.Receive(12*ms-1, new(wire.Packet)); ok {
		t.Error("a packet arrived before its time")
	}
	for i, a := range arrivals(p) {
		if want := tcp.Time(12+i) * ms; a.At != want || a.Number != i || a.Sent != 1*ms {
			t.Errorf("packet %d: number %d, sent %v, at %v, want at %v", i, a.Number, a.Sent, a.At, want)
		}
	}
}

// What does not fit the queue is dropped at its tail; the packet being sent
// does not count.
func TestPipeQueue(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Settings
		want int // of 10 packets of 1000 bytes sent at once
	}{
		{"no bound", Settings{Rate: 8000}, 10},
		{"two packets", Settings{Rate: 8000, QueuePackets: 2}, 3},
		{"2500 bytes", Settings{Rate: 8000, QueueBytes: 2500}, 3},
		{"no rate, no queue", Settings{QueuePackets: 1}, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPipe(tt.s, 1, 1)
			sent := 0
			for i := range 10 {
				switch fate := p.Send(1, i, make([]byte, 1000), Verdict{}); fate {
				case trace.FateInFlight:
					sent++
				case trace.FateQueue:
				default:
					t.Errorf("Send = %v", fate)
				}
			}
			if sent != tt.want || len(arrivals(p)) != tt.want {
				t.Errorf("%d of 10 packets were taken, want %d", sent, tt.want)
			}
			if s := p.Stats(); s.QueueFull != uint64(10-tt.want) {
				t.Errorf("QueueFull = %d, want %d", s.QueueFull, 10-tt.want)
			}
		})
	}
}

// The queue drains as the sender works.
func TestPipeQueueDrains(t *testing.T) {
	p := NewPipe(Settings{Rate: 8_000_000, QueuePackets: 1}, 1, 1)
	for i, at := range []tcp.Time{0, 0, 1 * ms, 2 * ms} {
		if fate := p.Send(at+1, i, make([]byte, 1000), Verdict{}); fate != trace.FateInFlight {
			t.Errorf("packet %d at %v: %v, want in flight", i, at, fate)
		}
	}
}

// Over many packets the dice fall as often as the settings ask, within four
// standard deviations.
func TestPipeProbabilities(t *testing.T) {
	const n = 20000
	for _, tt := range []struct {
		name  string
		s     Settings
		count func(Stats) uint64
		p     float64
	}{
		{"loss", Settings{Loss: 0.05}, func(s Stats) uint64 { return s.Lost }, 0.05},
		{"duplicate", Settings{Duplicate: 0.3}, func(s Stats) uint64 { return s.Duplicated }, 0.3},
		{"reorder", Settings{Reorder: 0.01}, func(s Stats) uint64 { return s.Reordered }, 0.01},
		{"corrupt", Settings{Corrupt: 0.5}, func(s Stats) uint64 { return s.Torn }, 0.5},
		{"certain loss", Settings{Loss: 1}, func(s Stats) uint64 { return s.Lost }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPipe(tt.s, 7, 7)
			for i := range n {
				p.Send(tcp.Time(i+1), i, []byte{1, 2, 3}, Verdict{})
				var pkt wire.Packet
				for _, ok := p.Receive(tcp.Time(i+1), &pkt); ok; _, ok = p.Receive(tcp.Time(i+1), &pkt) {
					pkt.Release()
				}
			}
			got, want := float64(tt.count(p.Stats())), n*tt.p
			if math.Abs(got-want) > 4*math.Sqrt(want*(1-tt.p))+0.5 {
				t.Errorf("happened %v times in %d, want about %v", got, n, want)
			}
		})
	}
}

// A packet held back is overtaken; jitter alone overtakes nothing.
func TestPipeOrder(t *testing.T) {
	order := func(s Settings) (inOrder bool) {
		p := NewPipe(s, 3, 4)
		for i := range 1000 {
			p.Send(tcp.Time(i+1)*ms, i, []byte{0}, Verdict{})
		}
		inOrder = true
		last := -1
		for _, a := range arrivals(p) {
			inOrder = inOrder && a.Number > last
			last = a.Number
		}
		return inOrder
	}
	if !order(Settings{Delay: time.Second, Jitter: 50 * time.Millisecond}) {
		t.Error("jitter reordered packets")
	}
	if order(Settings{Delay: 10 * time.Millisecond, Reorder: 0.1}) {
		t.Error("reorder 0.1 reordered nothing")
	}
}

// Corruption changes exactly one byte of one copy and never the sender's own.
func TestPipeCorrupts(t *testing.T) {
	p := NewPipe(Settings{Corrupt: 1, Duplicate: 1}, 1, 2)
	for i := range 500 {
		data := bytes.Repeat([]byte{byte(i)}, 1+i%40)
		sent := bytes.Clone(data)
		p.Send(1, i, data, Verdict{})
		if !bytes.Equal(data, sent) {
			t.Fatal("Send changed the caller's bytes")
		}
		for _, a := range arrivals(p) {
			changed := 0
			for j := range sent {
				if a.data[j] != sent[j] {
					changed++
				}
			}
			if want := 1 - a.Copy; changed != want || a.Corrupted != (want == 1) {
				t.Fatalf("copy %d: %d bytes changed, Corrupted %v, want %d", a.Copy, changed, a.Corrupted, want)
			}
		}
	}
}

// A cut cable loses what is on its way and what is sent, until it is mended.
func TestPipeUnplug(t *testing.T) {
	p := NewPipe(Settings{Rate: 8000, Delay: time.Second}, 1, 1)
	p.Send(1, 1, []byte{1}, Verdict{})
	p.Send(1, 2, []byte{2}, Verdict{})
	var lost []Arrival
	p.Unplug(1, func(a *Arrival, _ []byte) { lost = append(lost, *a) })
	if len(lost) != 2 || lost[0].Number != 1 || lost[1].Number != 2 {
		t.Errorf("Unplug lost %v, want packets 1 and 2", lost)
	}
	if got := p.Send(2, 3, []byte{3}, Verdict{}); got != trace.FateUnplugged {
		t.Errorf("Send while unplugged = %v, want unplugged", got)
	}
	if got := p.NextTimeout(); got != 0 {
		t.Errorf("NextTimeout while unplugged = %v, want 0", got)
	}
	p.Plug()
	if got := p.Send(3, 4, []byte{4}, Verdict{}); got != trace.FateInFlight || len(arrivals(p)) != 1 {
		t.Errorf("Send after Plug = %v, want in flight", got)
	}
}

// The luck of a packet depends on the seed and its number alone: dropping
// another on purpose, or changing an unrelated setting, does not change it.
func TestPipeLuckIsIndependent(t *testing.T) {
	fates := func(s Settings, v func(i int) Verdict) string {
		p := NewPipe(s, 5, 6)
		var out []byte
		for i := range 200 {
			switch p.Send(tcp.Time(i+1), i, []byte{0}, v(i)) {
			case trace.FateLoss:
				out = append(out, 'x')
			default:
				out = append(out, '.')
			}
		}
		return string(out)
	}
	pass := func(int) Verdict { return Verdict{} }
	base := fates(Settings{Loss: 0.2}, pass)
	if got := fates(Settings{Loss: 0.2, Duplicate: 0.5, Reorder: 0.5, Corrupt: 0.5, Jitter: 1}, pass); got != base {
		t.Errorf("other settings changed the losses:\n%s\n%s", got, base)
	}
	got := fates(Settings{Loss: 0.2}, func(i int) Verdict { return Verdict{Drop: i == 3} })
	if got[4:] != base[4:] {
		t.Errorf("dropping packet 3 changed later losses:\n%s\n%s", got, base)
	}
	if again := fates(Settings{Loss: 0.2}, pass); again != base {
		t.Error("the same seed gave other losses")
	}
}

// An intervention does to one packet what it says.
func TestPipeVerdict(t *testing.T) {
	for _, tt := range []struct {
		v    Verdict
		want string
	}{
		{Verdict{}, "1@5 2@5 3@5"},
		{Verdict{Drop: true}, "1@5 3@5"},
		{Verdict{Duplicate: true}, "1@5 2@5 2@5 3@5"},
		{Verdict{Delay: 2 * time.Millisecond}, "1@5 3@5 2@7"},
	} {
		p := NewPipe(Settings{Delay: 4 * time.Millisecond}, 1, 1)
		for i := 1; i <= 3; i++ {
			v := Verdict{}
			if i == 2 {
				v = tt.v
			}
			p.Send(1*ms, i, []byte{0}, v)
		}
		var got bytes.Buffer
		for i, a := range arrivals(p) {
			if i > 0 {
				got.WriteByte(' ')
			}
			fmt.Fprintf(&got, "%d@%d", a.Number, a.At/ms)
		}
		if got.String() != tt.want {
			t.Errorf("%+v: arrivals %q, want %q", tt.v, &got, tt.want)
		}
	}
}

func TestSettingsCheck(t *testing.T) {
	for _, tt := range []struct {
		s  Settings
		ok bool
	}{
		{Settings{}, true},
		{Settings{Loss: 1, Delay: time.Hour, Rate: 1}, true},
		{Settings{Loss: 1.1}, false},
		{Settings{Loss: math.NaN()}, false},
		{Settings{Corrupt: -0.1}, false},
		{Settings{Delay: -1}, false},
		{Settings{Rate: -1}, false},
		{Settings{QueueBytes: -1}, false},
	} {
		if err := tt.s.Check(); (err == nil) != tt.ok {
			t.Errorf("%+v.Check() = %v, want ok %v", tt.s, err, tt.ok)
		}
	}
}

func BenchmarkPipe(b *testing.B) {
	p := NewPipe(Settings{Rate: 10e9, Delay: time.Millisecond, Loss: 0.01}, 1, 1)
	data := make([]byte, 1500)
	var pkt wire.Packet
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	now := tcp.Time(0)
	for b.Loop() {
		now += 2000
		p.Send(now, 0, data, Verdict{})
		for _, ok := p.Receive(now, &pkt); ok; _, ok = p.Receive(now, &pkt) {
			pkt.Release()
		}
	}
}
