package tcp

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.10.7.4, with RFC 5961, Section 5.2 (R5961-4): what an
// ACK does, by where it lies. Text that comes with an ACK that is believed is
// taken, with any other it is not.
func TestAckRange(t *testing.T) {
	tests := []struct {
		name  string
		ack   int
		rule  Rule
		taken bool
	}{
		{"new", 2001, RuleAckNew, true},
		{"partly", 1500, RuleAckNew, true},
		{"all", 3001, RuleAckNew, true},
		{"SND.UNA again", 1001, RuleInOrder, true},
		{"old", 1, RuleAckOld, true},
		{"oldest believed", 1001 - 65535, RuleAckOld, true},
		{"too old", 1000 - 65535, RuleChallengeAckOld, false},
		{"unsent", 3002, RuleAckUnsent, false},
		{"half of the space away", 3001 - 1<<31, RuleAckUnsent, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t).connect()
			d.write(3000)
			d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
			d.sent, d.trace = d.sent[:0], d.trace[:0]
			d.in(seg{f: wire.ACK, seq: 1, ack: tt.ack, n: 10})
			d.wantRule(tt.rule)
			if tt.taken {
				d.want(". 3001:3001(0) ack 11")
			} else {
				d.want(". 3001:3001(0) ack 1")
			}
		})
	}
}

// The range is no wider when it has a single number, with nothing outstanding and
// a peer that never offered a window.
func TestAckRangeOfOne(t *testing.T) {
	d := newDriver(t)
	d.dial()
	d.in(seg{f: wire.SYN | wire.ACK, ack: 1, win: -1})
	d.want(". 1:1(0) ack 1")
	for _, ack := range []int{0, 2, 1 - 1<<31} {
		d.advance(time.Second)
		d.in(seg{f: wire.ACK, seq: 1, ack: ack, win: -1})
		d.want(". 1:1(0) ack 1")
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, n: 10, win: -1})
	d.want(". 1:1(0) ack 11")
}

// RFC 5961, Section 5.2 (R5961-5): MAX.SND.WND is the largest window the peer
// ever announced, scaled.
func TestMaxSendWindow(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 8000, opt: d.stamp()}) // 1024000
	d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 10, opt: d.stamp()})
	d.trace = d.trace[:0]
	d.in(seg{f: wire.ACK, seq: 1, ack: 1 - 1024000, opt: d.stamp()})
	d.wantRule(RuleAckOld)
	d.in(seg{f: wire.ACK, seq: 1, ack: -1024000, opt: d.stamp()})
	d.wantRule(RuleChallengeAckOld)
}

// RFC 5681, Section 2 (R5681-7): a duplicate ACK finds data outstanding, has
// no text, no SYN or FIN, the number SND.UNA and the window of the one before.
func TestWhatIsADuplicateAck(t *testing.T) {
	tests := []struct {
		name string
		idle bool
		seg  seg
		want uint64
	}{
		{"the same again", false, seg{f: wire.ACK, seq: 1, ack: 1}, 1},
		{"nothing outstanding", true, seg{f: wire.ACK, seq: 1, ack: 1}, 0},
		{"text", false, seg{f: wire.ACK, seq: 1, ack: 1, n: 1}, 0},
		{"FIN", false, seg{f: wire.ACK | wire.FIN, seq: 1, ack: 1}, 0},
		{"another window", false, seg{f: wire.ACK, seq: 1, ack: 1, win: 6000}, 0},
		{"old", false, seg{f: wire.ACK, seq: 1, ack: 0}, 0},
		{"new", false, seg{f: wire.ACK, seq: 1, ack: 2}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t).connect()
			if !tt.idle {
				d.write(3000)
			}
			d.in(tt.seg)
			if got := d.c.Info(d.now).DupAcksIn; got != tt.want {
				t.Errorf("%v duplicate ACKs, want %v", got, tt.want)
			}
		})
	}
	// RFC 6675, Section 2 (R6675-7): with SACK it is one that tells of more.
	t.Run("another window, SACK", func(t *testing.T) {
		d := newDriver(t, withAllOptions).connect()
		d.write(3000)
		o := d.stamp()
		o.NumSACK, o.SACK[0] = 1, wire.SACKBlock{Left: ours(1001), Right: ours(2001)}
		d.in(seg{f: wire.ACK, seq: 1, ack: 1, win: 6000, opt: o})
		if got := d.c.Info(d.now).DupAcksIn; got != 1 {
			t.Errorf("%v duplicate ACKs, want 1", got)
		}
	})
}

// RFC 2018, Section 8 (R2018-5, R2018-8): what was only SACKed is kept, and
// blocks that cannot be are ignored.
func TestSACKBlocksReceived(t *testing.T) {
	blocks := map[string]wire.SACKBlock{
		"right":       {Left: ours(1001), Right: ours(3001)},
		"inverted":    {Left: ours(3001), Right: ours(1001)},
		"empty":       {Left: ours(1001), Right: ours(1001)},
		"below UNA":   {Left: ours(-5000), Right: ours(-3000)},
		"beyond NXT":  {Left: ours(1001), Right: ours(90001)},
		"half around": {Left: ours(1001), Right: ours(0x8000_0000)},
	}
	for name, b := range blocks {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, withAllOptions).connect()
			d.write(5000)
			d.sent = d.sent[:0]
			o := d.stamp()
			o.NumSACK, o.SACK[0] = 1, b
			d.in(seg{f: wire.ACK, seq: 1, ack: 1, opt: o})
			if got := d.c.Info(d.now).Unacked; got != 5000 {
				t.Errorf("%v bytes unacknowledged, want 5000", got)
			}
			d.want()
		})
	}
}

// RFC 9293, Section 3.10.2: acknowledged bytes make room for new ones, and the
// user learns of it.
func TestAckMakesRoom(t *testing.T) {
	d := newDriver(t, withOptions(Options{SendBuffer: 5000, NoDelay: true})).connect()
	if n, err := d.c.Write(d.now, make([]byte, 6000)); n != 5000 || err == nil {
		t.Fatalf("Write = %v, %v, want 5000, EAGAIN", n, err)
	}
	d.output()
	if r := d.c.Ready(); r&(Writable|Drained) != 0 {
		t.Errorf("Ready = %b with a full buffer", r)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1001})
	if r := d.c.Ready(); r&Writable != 0 {
		t.Errorf("Ready = %b with room for a fifth", r)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 2001})
	if r := d.c.Ready(); r&Writable == 0 {
		t.Errorf("Ready = %b with room for two fifths", r)
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 5001})
	if r := d.c.Ready(); r&Drained == 0 {
		t.Errorf("Ready = %b with all acknowledged", r)
	}
	if i := d.c.Info(d.now); i.BytesAcked != 5000 || i.BytesSent != 5000 {
		t.Errorf("%v bytes sent, %v acknowledged, want 5000", i.BytesSent, i.BytesAcked)
	}
}

// RFC 9293, Section 3.9.1.2 (MUST-60, MUST-61): the last segment of what is
// queued has PSH, and nothing is held back for ever.
func TestPush(t *testing.T) {
	d := newDriver(t).connect()
	d.write(2500)
	d.want(". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", "P. 2001:2501(500) ack 1")
	d.advance(250 * time.Millisecond)
	d.want(". 1:1001(1000) ack 1")
	d.in(seg{f: wire.ACK, seq: 1, ack: 2001})
	d.want("P. 2001:2501(500) ack 1")
}
