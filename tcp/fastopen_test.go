package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

var testCookie = wire.FastOpen{Present: true, Len: 8, Cookie: [16]byte{1, 2, 3, 4, 5, 6, 7, 8}}

// dialFast opens actively with a cookie of the peer's, whose MSS was 1000.
func dialFast(t *testing.T) *driver {
	t.Helper()
	d := newDriver(t)
	d.open.FastOpen, d.open.PeerMSS = testCookie, 1000
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want()
	return d
}

// synText writes n bytes, of which the SYN is to carry want.
func (d *driver) synText(n, want int) {
	d.t.Helper()
	m, err := d.c.Write(d.now, pattern(0, n))
	if m != want || (err == syscall.EAGAIN) != (want < n) {
		d.t.Fatalf("Write = %v, %v, want %v", m, err, want)
	}
	d.output()
	if d.last.Options.FastOpen != testCookie {
		d.t.Errorf("the SYN has %v", d.last.Options.FastOpen)
	}
}

var synAck = seg{f: wire.SYN | wire.ACK, ack: 1, opt: wire.Options{MSS: 1000}}

// RFC 7413, Section 4.2.1: the SYN waits for the first Write and carries its text,
// as much as the peer took as a segment before, less 40 bytes of options. The
// SYN,ACK may acknowledge it.
func TestFastOpenText(t *testing.T) {
	d := dialFast(t)
	if d.c.NextTimeout() != 0 {
		t.Error("a timer runs before the SYN is sent")
	}
	d.synText(2000, 960)
	d.want("S 0:960(960)")
	d.wantWrite(syscall.EAGAIN)
	if r := d.c.Ready() & Connected; r != 0 {
		t.Error("connected before the SYN,ACK")
	}
	d.now = d.now.Add(10 * ms)
	all := synAck
	all.ack = 961
	d.in(all)
	d.want(". 961:961(0) ack 1")
	d.wantRule(RuleFastOpenAcked)
	if i := d.c.Info(d.now); !i.SynData || i.RTT != 10*ms || i.Unacked != 0 || i.InFlight != 0 || i.BytesAcked != 960 {
		t.Errorf("SynData %v, RTT %v, unacked %v, in flight %v, acked %v", i.SynData, i.RTT, i.Unacked, i.InFlight, i.BytesAcked)
	}
	d.write(100)
	d.want("P. 961:1061(100) ack 1")
}

// RFC 7413, Section 4.2.2 (R7413-5, R7413-9); RFC 9293, Section 3.10.7.3: what the
// SYN,ACK does not acknowledge of the text goes again at once, and the window stays
// as it is.
func TestFastOpenPartlyAcked(t *testing.T) {
	for _, tt := range []struct {
		ack  int
		want string
	}{
		{1, "P. 1:501(500) ack 1"},
		{101, "P. 101:501(400) ack 1"},
	} {
		d := dialFast(t)
		d.synText(500, 500)
		d.want("S 0:500(500)")
		part := synAck
		part.ack = tt.ack
		d.in(part)
		d.want(tt.want)
		d.wantRule(RuleFastOpenRefused)
		if i := d.c.Info(d.now); i.SynData || i.SndCwnd != 10*1000 || i.CAState != "open" {
			t.Errorf("SynData %v, cwnd %v, %v", i.SynData, i.SndCwnd, i.CAState)
		}
		d.in(seg{f: wire.ACK, seq: 1, ack: 501})
		if d.c.outstanding() != 0 {
			t.Errorf("%d bytes outstanding", d.c.outstanding())
		}
	}
}

// RFC 9293, Section 3.10.7.3: a SYN,ACK of more than was sent is refused.
func TestFastOpenOveracked(t *testing.T) {
	d := dialFast(t)
	d.synText(500, 500)
	d.want("S 0:500(500)")
	over := synAck
	over.ack = 502
	d.in(over)
	d.want("R 502:502(0)")
	d.wantState(StateSynSent)
}

// RFC 7413, Section 4.2.1 (R7413-7): a SYN that goes again has neither text nor
// option. What the first one brought may be acknowledged all the same.
func TestFastOpenSynAgain(t *testing.T) {
	for _, taken := range []bool{false, true} {
		d := dialFast(t)
		d.synText(500, 500)
		d.want("S 0:500(500)")
		d.advance(initialRTO)
		d.want("S 0:0(0)")
		if d.last.Options.FastOpen.Present {
			t.Error("the second SYN has the option")
		}
		answer, want := synAck, "P. 1:501(500) ack 1"
		if taken {
			answer.ack, want = 501, ". 501:501(0) ack 1"
		}
		d.in(answer)
		d.want(want)
		if o, ok := d.c.TakeFastOpen(); !ok || !o.Again || !o.Text || o.Taken != taken {
			t.Errorf("TakeFastOpen = %+v, %v, want it to have gone again, taken: %v", o, ok, taken)
		}
	}
}

// A router to which the SYN is too big: it goes again at once, without text.
func TestFastOpenTooBig(t *testing.T) {
	d := dialFast(t)
	d.synText(500, 500)
	d.want("S 0:500(500)")
	if !d.c.ICMPTooBig(d.now, ours(0), 600) {
		t.Fatal("not believed")
	}
	d.output()
	d.want("S 0:0(0)")
}

// Without a cookie the SYN asks for one, at once; what is written waits.
func TestFastOpenRequest(t *testing.T) {
	d := newDriver(t)
	d.open.FastOpen.Present = true
	d.dial()
	if f := d.last.Options.FastOpen; !f.Present || f.Len != 0 {
		t.Errorf("the SYN has %v", f)
	}
	d.wantWrite(syscall.EAGAIN)
	d.in(synAck)
	d.want(". 1:1(0) ack 1")
}

// RFC 7413, Section 4.2.1: both ends open at once, and text comes with both SYNs:
// ours goes again after the handshake unless it was acknowledged.
func TestFastOpenSimultaneous(t *testing.T) {
	d := dialFast(t)
	d.synText(500, 500)
	d.want("S 0:500(500)")
	d.in(seg{f: wire.SYN, opt: wire.Options{MSS: 1000}})
	d.want("S. 0:0(0) ack 1")
	if d.last.Options.FastOpen.Present {
		t.Error("the SYN,ACK has the option")
	}
	d.in(seg{f: wire.ACK, seq: 1, ack: 1})
	d.want("P. 1:501(500) ack 1")
	d.wantState(StateEstablished)
}

// acceptFast opens passively by a SYN with a good cookie and text.
func acceptFast(t *testing.T, text string) *driver {
	t.Helper()
	d := newDriver(t)
	h := &Handshake{Open: d.open, IRS: testIRS, Peer: wire.Options{MSS: 1000}, Window: 65535}
	syn := wire.Segment{Seq: testIRS, Flags: wire.SYN, Window: 65535, Options: h.Peer, Count: 1}
	if text != "" {
		syn.Append(block.Chunk{Data: []byte(text)})
	}
	d.c.AcceptFast(d.now, d.cfg, h, &syn, wire.FastOpen{})
	d.output()
	return d
}

// RFC 7413, Section 4.2.2 (R7413-4): a server reads what came with the SYN and
// sends before the handshake is over, up to its initial window and that of the SYN.
func TestFastOpenPassive(t *testing.T) {
	d := acceptFast(t, "hello")
	d.want("S. 0:0(0) ack 6")
	d.wantState(StateSynReceived)
	if r := d.c.Ready(); r&(Readable|Writable|Connected) != Readable|Writable|Connected {
		t.Errorf("Ready = %v", r)
	}
	if i := d.c.Info(d.now.Add(time.Second)); i.InState != time.Second {
		t.Errorf("in SYN-RECEIVED for %v after 1 s", i.InState)
	}
	p := make([]byte, 10)
	if n, err := d.c.Read(d.now, p); err != nil || string(p[:n]) != "hello" {
		t.Errorf("Read = %q, %v", p[:n], err)
	}
	d.write(2000)
	d.want(". 1:1001(1000) ack 6", "P. 1001:2001(1000) ack 6")
	d.now = d.now.Add(10 * ms)
	d.in(seg{f: wire.ACK, seq: 6, ack: 1})
	d.wantState(StateEstablished)
	d.want()
	d.in(seg{f: wire.ACK, seq: 6, ack: 2001})
	if i := d.c.Info(d.now); i.Unacked != 0 || i.RTT != 10*ms || !i.SynData || i.TotalRetrans != 0 {
		t.Errorf("unacked %v, RTT %v, SynData %v, retransmitted %v", i.Unacked, i.RTT, i.SynData, i.TotalRetrans)
	}
}

// While the SYN,ACK is not answered it alone goes again; the text that followed it
// once the handshake is over. R2 of a SYN ends the connection.
func TestFastOpenPassiveLoss(t *testing.T) {
	d := acceptFast(t, "hello")
	d.want("S. 0:0(0) ack 6")
	d.write(500)
	d.want("P. 1:501(500) ack 6")
	d.advance(initialRTO)
	d.want("S. 0:0(0) ack 6")
	d.in(seg{f: wire.ACK, seq: 6, ack: 1})
	d.wantState(StateEstablished)
	d.advance(lostSynRTO)
	d.want("P. 1:501(500) ack 6")

	d = acceptFast(t, "hello")
	d.advance(time.Hour)
	d.wantState(StateClosed)
	p := make([]byte, 10)
	if n, _ := d.c.Read(d.now, p); string(p[:n]) != "hello" {
		t.Errorf("Read = %q", p[:n])
	}
	d.wantRead(0, syscall.ETIMEDOUT)
}

// The handshake's ACK may acknowledge the server's text, too, and the client's FIN
// come before it is over.
func TestFastOpenPassiveAckOfText(t *testing.T) {
	d := acceptFast(t, "")
	d.want("S. 0:0(0) ack 1")
	d.write(500)
	d.want("P. 1:501(500) ack 1")
	d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 501})
	d.wantState(StateCloseWait)
	d.want(". 501:501(0) ack 2")
	if d.c.snd.una != ours(501) {
		t.Errorf("SND.UNA = ISS+%d", d.c.snd.una.Diff(testISS))
	}
}

// A server that closes without reading resets; one that has read sends its FIN
// before the handshake is over.
func TestFastOpenPassiveClose(t *testing.T) {
	d := acceptFast(t, "hello")
	d.want("S. 0:0(0) ack 6")
	d.c.Close(d.now)
	d.output()
	d.want("R. 1:1(0) ack 6")

	d = acceptFast(t, "hello")
	d.want("S. 0:0(0) ack 6")
	d.drop(5)
	d.c.Close(d.now)
	d.output()
	d.want("F. 1:1(0) ack 6")
	d.in(seg{f: wire.ACK, seq: 6, ack: 2})
	d.wantState(StateFinWait2)
}

// drop reads n bytes, whatever they are.
func (d *driver) drop(n int) {
	d.t.Helper()
	if m, err := d.c.Read(d.now, make([]byte, n)); m != n || err != nil {
		d.t.Fatalf("Read = %v, %v, want %v", m, err, n)
	}
}

// acceptFastOf is acceptFast with a SYN of that window.
func acceptFastOf(t *testing.T, text, window int, mod ...func(*driver)) *driver {
	t.Helper()
	d := newDriver(t, mod...)
	h := &Handshake{Open: d.open, IRS: testIRS, Peer: wire.Options{MSS: 1000}, Window: uint16(window)}
	syn := wire.Segment{Seq: testIRS, Flags: wire.SYN, Window: uint16(window), Options: h.Peer, Count: 1}
	if text > 0 {
		syn.Append(block.Chunk{Data: pattern(0, text)})
	}
	d.c.AcceptFast(d.now, d.cfg, h, &syn, wire.FastOpen{})
	d.output()
	return d
}

// RFC 7413, Section 4.2.2: before the handshake is over a server sends as much as
// the window of the SYN and its initial window let it: all of both, since the SYN
// takes no room.
func TestFastOpenPassiveWindow(t *testing.T) {
	for _, window := range []int{10_000, 60_000} {
		d := acceptFastOf(t, 5, window)
		d.want("S. 0:0(0) ack 6")
		d.write(20_000)
		if n := len(d.sent); n != 10 {
			t.Errorf("%d segments sent with a window of %d, want 10", n, window)
		}
		if i := d.c.Info(d.now); i.InFlight != 10_000 {
			t.Errorf("%d bytes in flight with a window of %d", i.InFlight, window)
		}
	}
}

// A SYN that leaves no room holds the text back, and nothing probes it: the SYN,ACK
// goes again, and the ACK of the handshake brings the window.
func TestFastOpenPassiveZeroWindow(t *testing.T) {
	d := acceptFastOf(t, 5, 0)
	d.want("S. 0:0(0) ack 6")
	d.write(500)
	d.want()
	d.advance(initialRTO)
	d.want("S. 0:0(0) ack 6")
	d.in(seg{f: wire.ACK, seq: 6, ack: 1})
	d.want("P. 1:501(500) ack 6")
}

// The SYN,ACK offers what every SYN,ACK offers, the text of the SYN notwithstanding;
// a user who reads that brings no window update, unless the window is small.
func TestFastOpenPassiveRead(t *testing.T) {
	d := acceptFastOf(t, 1000, 60_000, withAllOptions)
	d.want("S. 0:0(0) ack 1001 win 65535")
	d.in(seg{f: wire.ACK, seq: 1001, ack: 1})
	d.read(0, 1000)
	d.want()
	d = acceptFastOf(t, 1500, 60_000, withOptions(Options{RecvBuffer: 2304}))
	d.want("S. 0:0(0) ack 1501 win 804")
	d.read(0, 1500)
	d.want(". 1:1(0) ack 1501 win 2304")
}

// The user of a connection that was writable at once may close it at once: what was
// written goes, and goes again where the server refuses it, and the FIN follows.
func TestFastOpenCloseEarly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ack   int
		want  []string
		close func(*driver)
	}{
		{"close-write, taken", 501, []string{"F. 501:501(0) ack 1"}, closeWriteEarly},
		{"close-write, refused", 1, []string{"P. 1:501(500) ack 1", "F. 501:501(0) ack 1"}, closeWriteEarly},
		{"close, taken", 501, []string{"F. 501:501(0) ack 1"}, closeEarly},
		{"close, refused", 1, []string{"P. 1:501(500) ack 1", "F. 501:501(0) ack 1"}, closeEarly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := dialFast(t)
			d.synText(500, 500)
			d.want("S 0:500(500)")
			tt.close(d)
			d.wantState(StateSynSent)
			d.wantWrite(syscall.EPIPE)
			answer := synAck
			answer.ack = tt.ack
			d.in(answer)
			d.want(tt.want...)
			d.wantState(StateFinWait1)
			d.in(seg{f: wire.ACK | wire.FIN, seq: 1, ack: 502})
			d.wantState(StateTimeWait)
		})
	}
}

func closeWriteEarly(d *driver) {
	d.t.Helper()
	if err := d.c.CloseWrite(d.now); err != nil {
		d.t.Errorf("CloseWrite: %v", err)
	}
}

func closeEarly(d *driver) { d.c.Close(d.now) }

// One that is shut down before anything was written is opened for its FIN; one that
// is closed unused sends nothing.
func TestFastOpenCloseUnused(t *testing.T) {
	d := dialFast(t)
	closeWriteEarly(d)
	d.output()
	d.want("S 0:0(0)")
	d.in(synAck)
	d.want("F. 1:1(0) ack 1")

	d = dialFast(t)
	d.c.Close(d.now)
	d.output()
	d.want()
	d.wantState(StateClosed)
	if o, ok := d.c.TakeFastOpen(); ok {
		t.Errorf("TakeFastOpen = %+v of a connection that was never tried", o)
	}

	d = newDriver(t)
	d.open.FastOpen.Present = true
	d.dial()
	if err := d.c.CloseWrite(d.now); err != syscall.ENOTCONN {
		t.Errorf("CloseWrite without a cookie: %v, want ENOTCONN", err)
	}
}

// Options.FastOpenNoCookie: the text goes with the SYN without the option.
func TestFastOpenNoCookie(t *testing.T) {
	d := newDriver(t)
	d.open.SynText = true
	d.c.Dial(d.now, d.cfg, &d.open)
	d.output()
	d.want()
	if m, err := d.c.Write(d.now, pattern(0, 400)); m != 400 || err != nil {
		t.Fatalf("Write = %v, %v", m, err)
	}
	d.output()
	d.want("S 0:400(400)")
	if d.last.Options.FastOpen.Present {
		t.Errorf("the SYN has %v", d.last.Options.FastOpen)
	}
	gift := synAck
	gift.ack, gift.opt.FastOpen = 401, testCookie
	d.in(gift)
	if o, ok := d.c.TakeFastOpen(); !ok || !o.Taken || o.Cookie.Present {
		t.Errorf("TakeFastOpen = %+v, %v, want no cookie, since none was asked for", o, ok)
	}
}

// RFC 7413, Section 4.1.3.1: what the client is to remember of the server: no
// answer at all, an ICMP error, a reset; nothing when the user gave up.
func TestFastOpenOutcome(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*driver)
		want FastOpenOutcome
		none bool
	}{
		{
			name: "cookie and segment size",
			do: func(d *driver) {
				s := synAck
				s.ack, s.opt.FastOpen = 501, testCookie
				d.in(s)
			},
			want: FastOpenOutcome{Cookie: testCookie, MSS: 1000, Text: true, Taken: true},
		},
		{name: "refused", do: func(d *driver) { d.in(synAck) }, want: FastOpenOutcome{MSS: 1000, Text: true}},
		{name: "silence", do: func(d *driver) { d.advance(time.Hour) }, want: FastOpenOutcome{Text: true, Again: true, Failed: true}},
		{name: "reset", do: func(d *driver) { d.in(seg{f: wire.RST | wire.ACK, ack: 501}) }, want: FastOpenOutcome{Text: true}},
		{
			name: "unreachable",
			do:   func(d *driver) { d.c.ICMPError(d.now, ours(0), syscall.EHOSTUNREACH, true) },
			want: FastOpenOutcome{Text: true, Failed: true},
		},
		{name: "aborted", do: func(d *driver) { d.c.Abort(d.now) }, none: true},
		{name: "under way", do: func(*driver) {}, none: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := dialFast(t)
			d.synText(500, 500)
			tt.do(d)
			if o, ok := d.c.TakeFastOpen(); ok == tt.none || o != tt.want {
				t.Errorf("TakeFastOpen = %+v, %v, want %+v, %v", o, ok, tt.want, !tt.none)
			}
			if o, ok := d.c.TakeFastOpen(); ok {
				t.Errorf("TakeFastOpen = %+v again", o)
			}
		})
	}
}

// A path that takes the text of the SYN and nothing after it is suspected after two
// time-outs in a row (R7413-10); not so when the peer was heard.
func TestFastOpenBlackHole(t *testing.T) {
	for _, heard := range []bool{false, true} {
		d := dialFast(t)
		d.synText(500, 500)
		all := synAck
		all.ack = 501
		d.in(all)
		if _, ok := d.c.TakeFastOpen(); !ok {
			t.Fatal("TakeFastOpen has nothing to tell of the SYN,ACK")
		}
		if heard {
			d.in(seg{f: wire.ACK, seq: 1, ack: 501, n: 10})
		}
		d.write(300)
		d.advance(10 * time.Second)
		if o, ok := d.c.TakeFastOpen(); ok == heard || o.BlackHole == heard {
			t.Errorf("TakeFastOpen = %+v, %v, the peer was heard: %v", o, ok, heard)
		}
	}
}

// A user who waits to write what did not fit sends it with the ACK of the SYN,ACK,
// as on Linux, and not after it; should the text not come, the ACK goes by itself.
// The answer is acknowledged with delay: the next request may be about to come.
func TestFastOpenRestGoesWithTheAck(t *testing.T) {
	for _, comes := range []bool{true, false} {
		d := dialFast(t)
		d.synText(2000, 960)
		d.want("S 0:960(960)")
		d.c.ExpectText()
		all := synAck
		all.ack = 961
		d.in(all)
		d.want()
		if !comes {
			d.advance(40 * ms)
			d.want(". 961:961(0) ack 1")
			continue
		}
		d.write(1000)
		d.want("P. 961:1961(1000) ack 1")
		d.in(seg{f: wire.ACK, seq: 1, ack: 1961, n: 100})
		d.want()
		d.advance(40 * ms)
		d.want(". 1961:1961(0) ack 101")
	}
}
