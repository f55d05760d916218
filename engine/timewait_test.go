package engine

import (
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// timeWaiting returns a peer whose connection the host has closed and that
// closed too: the host is in TIME-WAIT. p.seq is RCV.NXT, p.ack SND.NXT.
func timeWaiting(t *testing.T, cfg Config, tsval uint32) (*peer, *Listener) {
	t.Helper()
	h := newHost(t, cfg, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	if tsval != 0 {
		p.timestamps(tsval)
	}
	p.enterTimeWait(p.connect(l))
	return p, l
}

// enterTimeWait closes the connection, the host first.
func (p *peer) enterTimeWait(c *Conn) {
	p.t.Helper()
	c.Close(p.now)
	p.want(wire.FIN|wire.ACK, 0, 0)
	p.ack = p.ack.Add(1)
	p.send(wire.FIN|wire.ACK, 0, "")
	p.want(wire.ACK, 0, 1)
	p.seq = p.seq.Add(1)
	if st := p.e.StateOf(p.tuple); st != tcp.StateTimeWait {
		p.t.Fatalf("state = %v, want TIME-WAIT", st)
	}
	p.clearEvents()
}

// RFC 9293, Section 3.10.7.4, SEGMENT ARRIVES in TIME-WAIT.
func TestTimeWaitSegments(t *testing.T) {
	tests := []struct {
		name    string
		flags   wire.Flags
		offset  int // from RCV.NXT
		ack     int // from SND.NXT
		text    string
		answer  bool // with an ACK
		restart bool // of 2 MSL
		rule    tcp.Rule
	}{
		{"RST exact", wire.RST, 0, 0, "", false, false, tcp.RuleTimeWaitReset},
		{"RST in window", wire.RST, 9, 0, "", true, false, tcp.RuleChallengeReset},
		{"RST outside", wire.RST, -9, 0, "", false, false, tcp.RuleResetOutside},
		{"SYN,ACK", wire.SYN | wire.ACK, 9, 0, "", true, false, tcp.RuleTimeWaitSyn},
		{"SYN,FIN", wire.SYN | wire.FIN, 9, 0, "", true, false, tcp.RuleTimeWaitSyn},
		{"old SYN", wire.SYN, -9, 0, "", true, false, tcp.RuleTimeWaitSyn},
		{"ACK again", wire.ACK, 0, 0, "", false, false, tcp.RuleTimeWait},
		{"ACK elsewhere in window", wire.ACK, 9, 0, "", true, false, tcp.RuleTimeWaitAck},
		{"ACK before", wire.ACK, -1, 0, "", true, false, tcp.RuleTimeWaitAck},
		{"old ACK", wire.ACK, 0, -100, "", false, false, tcp.RuleTimeWait},
		{"oldest ACK", wire.ACK, 0, -65535, "", false, false, tcp.RuleTimeWait},
		{"ancient ACK", wire.ACK, 0, -65536, "", true, false, tcp.RuleChallengeAckOld},
		{"ACK of nothing sent", wire.ACK, 0, 1, "", true, false, tcp.RuleAckUnsent},
		{"no ACK", 0, 0, 0, "text", false, false, tcp.RuleNoAck},
		{"text after FIN", wire.ACK, 0, 0, "text", true, false, tcp.RuleDataAfterFin},
		{"text after a gap", wire.ACK, 5, 0, "text", true, false, tcp.RuleDataAfterFin},
		{"old text", wire.ACK, -5, 0, "text", true, false, tcp.RuleTimeWaitAck},
		{"text right of the window", wire.ACK, 70000, 0, "text", true, false, tcp.RuleTimeWaitAck},
		{"FIN at RCV.NXT", wire.FIN | wire.ACK, 0, 0, "", true, true, tcp.RuleTimeWaitFin},
		{"FIN after a gap", wire.FIN | wire.ACK, 3, 0, "", true, false, tcp.RuleDataAfterFin},
		{"FIN again", wire.FIN | wire.ACK, -1, 0, "", true, true, tcp.RuleTimeWaitFin},
		{"FIN again with its text", wire.FIN | wire.ACK, -5, 0, "text", true, true, tcp.RuleTimeWaitFin},
		{"URG", wire.ACK | wire.URG, 0, 0, "", false, false, tcp.RuleTimeWait},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := timeWaiting(t, Config{}, 0)
			p.now = p.now.Add(time.Second)
			sndNxt := p.ack
			p.ack = p.ack.Add(seqnum.Size(tt.ack))
			p.send(tt.flags, tt.offset, tt.text)
			p.ack = sndNxt
			p.wantEvents(tt.rule.String())
			if tt.answer {
				p.want(wire.ACK, 0, 0)
			} else {
				p.none()
			}
			want := p.now.Add(59 * time.Second)
			if tt.restart {
				want = p.now.Add(60 * time.Second)
			}
			if got := p.e.NextTimeout(); got != want {
				t.Errorf("TIME-WAIT ends in %v, want %v", got.Sub(p.now), want.Sub(p.now))
			}
		})
	}
}

// RFC 9293, Section 3.6.1, MUST-13: TIME-WAIT lasts 2 MSL, as configured.
func TestTimeWaitExpires(t *testing.T) {
	for _, tt := range []struct{ cfg, want time.Duration }{
		{0, 60 * time.Second},
		{time.Second, time.Second},
		{time.Millisecond, time.Second},
		{time.Hour, 240 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.cfg), func(t *testing.T) {
			p, _ := timeWaiting(t, Config{TimeWait: tt.cfg}, 0)
			p.wait(tt.want - 1)
			p.wantEvents()
			p.wait(1)
			p.wantEvents("time-wait-expired", "TIME-WAIT>CLOSED")
			if st := p.e.StateOf(p.tuple); st != tcp.StateListen {
				t.Errorf("state = %v, want LISTEN", st)
			}
		})
	}
}

// RFC 9293, Section 3.10.7.4, against RFC 1337, Section 4: a RST ends TIME-WAIT
// only if it is configured to.
func TestTimeWaitReset(t *testing.T) {
	p, _ := timeWaiting(t, Config{TimeWaitReset: true}, 0)
	p.send(wire.RST, 0, "")
	p.none()
	p.wantEvents("time-wait-reset", "TIME-WAIT>CLOSED")
}

// RFC 6191, Section 2: which SYNs open a new incarnation. Its ISS is above the
// old SND.NXT (MAY-2).
func TestTimeWaitReuse(t *testing.T) {
	const old = 1000 // TSval
	tests := []struct {
		name   string
		before uint32 // TSval of the old incarnation, 0 for none
		now    uint32 // of the new one
		seq    int    // of the SYN, from RCV.NXT
		want   bool
	}{
		{"timestamp grew", old, old + 1, -1000, true},
		{"timestamp wrapped", 0xffff_ffff, 1, -1000, true},
		{"timestamp same, sequence beyond", old, old, 1, true},
		{"timestamp same, sequence not", old, old, -1, false},
		{"timestamp older", old, old - 1, 1000, false},
		{"timestamp gone, sequence beyond", old, 0, 1, true},
		{"timestamp gone, sequence not", old, 0, -1, false},
		{"timestamp new", 0, old, -1000, true},
		{"no timestamps, sequence beyond", 0, 0, 0, true},
		{"no timestamps, sequence not", 0, 0, -1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, l := timeWaiting(t, Config{}, tt.before)
			p.now = p.now.Add(time.Millisecond)
			p.seg.Options = wire.Options{}
			if tt.now != 0 {
				p.timestamps(tt.now)
			}
			p.send(wire.SYN, tt.seq, "")
			s := p.one()
			if !tt.want {
				if s.Flags != wire.ACK || s.Ack != p.seq || s.Seq != p.ack {
					t.Errorf("answer %v, want an ACK of the old incarnation", s)
				}
				p.wantEvents("time-wait-syn")
				return
			}
			p.wantEvents("time-wait-reuse", "TIME-WAIT>CLOSED", "listen-syn", "LISTEN>SYN-RECEIVED")
			p.seq = p.seq.Add(seqnum.Size(tt.seq + 1))
			if s.Flags != wire.SYN|wire.ACK || s.Ack != p.seq || s.Seq.Diff(p.ack) <= 65535 {
				t.Fatalf("answer %v, want SYN,ACK of %d with a sequence number well above %d", s, p.seq, p.ack)
			}
			p.ack = s.Seq.Add(1)
			p.send(wire.ACK, 0, "")
			if l.Accept() == nil {
				t.Error("the new incarnation did not arrive")
			}
		})
	}
}

// A SYN that would be a new incarnation is answered by the old one when nobody
// listens, and dropped when there is no room.
func TestTimeWaitReuseWithoutListener(t *testing.T) {
	p, l := timeWaiting(t, Config{SynBacklog: 1}, 0)
	p.peer(addrB, 7000, 80).open()
	p.clearEvents()
	p.send(wire.SYN, 100, "")
	p.none()
	p.wantEvents("syn-queue-full")
	l.Close(p.now)
	p.clearEvents()
	p.send(wire.SYN, 100, "")
	p.want(wire.ACK, 0, 0)
	p.wantEvents("time-wait-syn")
}

// RFC 7323, Section 5.3, and R1337-4: PAWS holds in TIME-WAIT, and its ACKs
// carry the clock of the connection and echo the newest timestamp.
func TestTimeWaitTimestamps(t *testing.T) {
	p, _ := timeWaiting(t, Config{}, 1000)
	p.now = p.now.Add(5 * time.Second)
	p.seg.Options.TSVal = 1100
	p.send(wire.FIN|wire.ACK, -1, "")
	s := p.want(wire.ACK, 0, 0)
	if want := p.seg.Options.TSEcr + 5000; s.Options.TSEcr != 1100 || s.Options.TSVal != want {
		t.Errorf("TSval %d, TSecr %d; want %d, 1100", s.Options.TSVal, s.Options.TSEcr, want)
	}
	p.clearEvents()
	p.seg.Options.TSVal = 1099
	p.send(wire.FIN|wire.ACK, -1, "")
	p.want(wire.ACK, 0, 0)
	p.wantEvents("paws")
}

// RFC 5961, Section 7: answers to what TIME-WAIT does not accept are at most
// one in 500 ms; a retransmitted FIN is answered each time.
func TestTimeWaitAnswerRate(t *testing.T) {
	p, _ := timeWaiting(t, Config{}, 0)
	for i := range 4 {
		p.send(wire.RST, 9, "")
		if i%2 == 0 {
			p.want(wire.ACK, 0, 0)
		} else {
			p.none()
			p.now = p.now.Add(answerInterval)
		}
		p.send(wire.FIN|wire.ACK, -1, "")
		p.want(wire.ACK, 0, 0)
	}
}

// A bound below one keeps one record: that of the connection that ended last.
func TestLeastTimeWaits(t *testing.T) {
	h := newHost(t, Config{MaxTimeWait: -1}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	for i := range uint16(2) {
		p := h.peer(addrB, 5000+i, 80)
		p.enterTimeWait(p.connect(l))
	}
	if s := h.e.Stats(); s.TimeWaits != 1 || s.TimeWaitOverflows != 1 {
		t.Errorf("%d records, %d overflows; want 1, 1", s.TimeWaits, s.TimeWaitOverflows)
	}
}

// R1337-3: the records are bounded; the oldest goes first.
func TestMaxTimeWait(t *testing.T) {
	h := newHost(t, Config{MaxTimeWait: 10}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	for i := range uint16(13) {
		p := h.peer(addrB, 5000+i, 80)
		p.enterTimeWait(p.connect(l))
		h.now = h.now.Add(time.Second)
	}
	if s := h.e.Stats(); s.TimeWaits != 10 || s.TimeWaitOverflows != 3 {
		t.Errorf("%d records, %d overflows; want 10, 3", s.TimeWaits, s.TimeWaitOverflows)
	}
	for i := range uint16(13) {
		want := tcp.StateTimeWait
		if i < 3 {
			want = tcp.StateListen
		}
		if st := h.e.StateOf(h.peer(addrB, 5000+i, 80).tuple); st != want {
			t.Errorf("state of connection %d = %v, want %v", i, st, want)
		}
	}
}

// A user that has not closed still reads what arrived before TIME-WAIT, and
// RFC 9293, Section 3.10.5: ABORT in TIME-WAIT ends it, without a RST.
func TestTimeWaitUser(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	c.CloseWrite(h.now)
	p.want(wire.FIN|wire.ACK, 0, 0)
	p.ack = p.ack.Add(1)
	p.send(wire.FIN|wire.ACK, 0, "last words")
	p.want(wire.ACK, 0, 11)
	b := make([]byte, 100)
	if n, err := c.Read(h.now, b); string(b[:n]) != "last words" || err != nil {
		t.Errorf("Read = %q, %v", b[:n], err)
	}
	if _, err := c.Write(h.now, b); err != syscall.EPIPE {
		t.Errorf("Write: %v, want EPIPE", err)
	}
	if st := c.State(); st != tcp.StateTimeWait || c.Info(h.now).State != st {
		t.Errorf("state = %v, want TIME-WAIT", st)
	}
	h.clearEvents()
	c.Abort(h.now)
	h.none()
	h.wantEvents("abort", "TIME-WAIT>CLOSED")
	if s := h.e.Stats(); s.TimeWaits != 0 || h.e.NextTimeout() != 0 {
		t.Errorf("%d records after Abort", s.TimeWaits)
	}
}

// The old user's Abort leaves a new incarnation's TIME-WAIT alone.
func TestTimeWaitAbortOfOld(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	old := p.connect(l)
	old.CloseWrite(h.now)
	p.want(wire.FIN|wire.ACK, 0, 0)
	p.ack = p.ack.Add(1)
	p.send(wire.FIN|wire.ACK, 0, "")
	h.one()
	p.seq = p.seq.Add(1000)
	p.enterTimeWait(p.connect(l))
	if st := old.State(); st != tcp.StateClosed {
		t.Errorf("state of the old connection = %v, want CLOSED", st)
	}
	old.Abort(h.now)
	if st := h.e.StateOf(p.tuple); st != tcp.StateTimeWait {
		t.Errorf("state = %v after the old user's Abort, want TIME-WAIT", st)
	}
}

// The table of records keeps order and identity through growth, removal and
// restart.
func TestTimeWaitTable(t *testing.T) {
	const n = 3 * slabSize
	k := deriveKey(&[32]byte{}, "table")
	hash := func(i int) (uint32, wire.FourTuple) {
		tuple := tupleNumber(i)
		return uint32(k.hash(&tuple)) &^ 3, tuple
	}
	var w timeWaits
	for i := range n {
		h, tuple := hash(i)
		w.add(h, &tuple, tcp.Time(i+1)).sndNxt = seqnum.Value(i)
	}
	for i := range n {
		h, tuple := hash(i)
		switch at := w.lookup(h, &tuple); {
		case at == 0 || w.at(at).sndNxt != seqnum.Value(i):
			t.Fatalf("record %d not found", i)
		case i%3 == 0:
			w.remove(at)
		case i%3 == 1:
			w.restart(at, tcp.Time(n+i))
		}
	}
	var want []int // those not touched, then those restarted
	for rest := 2; rest >= 1; rest-- {
		for i := rest; i < n; i += 3 {
			want = append(want, i)
		}
	}
	for _, i := range want {
		if got := w.at(w.first).sndNxt; got != seqnum.Value(i) {
			t.Fatalf("first to expire is %d, want %d", got, i)
		}
		w.remove(w.first)
	}
	if w.size != 0 || w.nextExpiry() != 0 {
		t.Error("the table is not empty")
	}
	for i := range n { // records are used again
		h, tuple := hash(i)
		w.add(h, &tuple, 1)
	}
	if len(w.slabs) != 3 {
		t.Errorf("%d slabs for %d records, want 3", len(w.slabs), n)
	}
}

// Bytes of a TIME-WAIT record with its share of the index.
func BenchmarkTimeWaitMemory(b *testing.B) {
	const n = 65536
	e := New(Config{})
	before := heap()
	for i := range n {
		tuple := tupleNumber(i)
		e.timeWaits.add(uint32(e.keys.table.hash(&tuple)), &tuple, 1)
	}
	perRecord := float64(heap()-before) / n
	for b.Loop() { // what an expiry and a new record cost
		r := *e.timeWaits.at(e.timeWaits.first)
		e.timeWaits.remove(e.timeWaits.first)
		e.timeWaits.add(r.hash, &r.tuple, 1)
	}
	b.ReportMetric(perRecord, "B/record")
	runtime.KeepAlive(e)
}

// heap returns the bytes in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// R1337-5: our side opens a connection anew whose TIME-WAIT is a second old and
// had timestamps; else a fixed port is in use (SOCK-90).
func TestDialReusesTimeWait(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  tcp.Config
		port uint16 // 0: chosen, out of one
		wait time.Duration
		want error
	}{
		{"after a second", tcp.Config{}, 4000, time.Second, nil},
		{"before", tcp.Config{}, 4000, time.Second - 1, syscall.EADDRNOTAVAIL},
		{"no timestamps", tcp.Config{NoTimestamps: true}, 4000, time.Second, syscall.EADDRNOTAVAIL},
		{"chosen port after ten ticks", tcp.Config{}, 0, 10 * time.Millisecond, nil},
		{"chosen port before", tcp.Config{}, 0, 10*time.Millisecond - 1, syscall.EADDRNOTAVAIL},
		{"chosen port, no timestamps", tcp.Config{NoTimestamps: true}, 0, time.Second, syscall.EADDRNOTAVAIL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, Config{TCP: tt.cfg, FirstPort: 4000, LastPort: 4000})
			l := p.b.listen("10.0.0.2:80", ListenOptions{})
			local := netip.AddrPortFrom(netip.Addr{}, tt.port)
			c, err := p.a.e.Dial(p.a.now, local, l.Addr(), tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			p.exchange()
			s := l.Accept()
			c.Close(p.a.now)
			p.exchange()
			s.Close(p.b.now)
			p.exchange()
			if st := c.State(); st != tcp.StateTimeWait {
				t.Fatalf("state = %v, want TIME-WAIT", st)
			}
			p.wait(tt.wait)
			p.a.clearEvents()
			again, err := p.a.e.Dial(p.a.now, local, l.Addr(), tcp.Options{})
			if err != tt.want {
				t.Fatalf("Dial: %v, want %v", err, tt.want)
			}
			if err != nil {
				return
			}
			p.exchange()
			if again.State() != tcp.StateEstablished || l.Accept() == nil {
				t.Errorf("the new connection is in %v", again.State())
			}
			p.a.wantEvents("time-wait-reuse", "TIME-WAIT>CLOSED", "active-open", "CLOSED>SYN-SENT", "syn-ack", "SYN-SENT>ESTABLISHED")
		})
	}
}
