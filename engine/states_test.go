package engine

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// columns are the states of the tables in this file, in order.
var columns = [...]tcp.State{
	tcp.StateEstablished, tcp.StateFinWait1, tcp.StateFinWait2,
	tcp.StateCloseWait, tcp.StateClosing, tcp.StateLastAck,
}

// inState returns a connection in the state, and its peer. Something of ours
// is unacknowledged, ten bytes or our FIN, except in FIN-WAIT-2. p.ack is
// SND.UNA, nxt SND.NXT, and p.seq RCV.NXT.
func inState(t *testing.T, s tcp.State) (p *peer, c *Conn, nxt seqnum.Value) {
	t.Helper()
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p = h.peer(addrB, 5000, 80)
	c = p.connect(l)
	fin := func() {
		if err := c.CloseWrite(h.now); err != nil {
			t.Fatal(err)
		}
		p.want(wire.FIN|wire.ACK, 0, 0)
	}
	peerFin := func() {
		p.send(wire.FIN|wire.ACK, 0, "")
		p.seq = p.seq.Add(1)
		h.one()
	}
	nxt = p.ack.Add(1)
	switch s {
	case tcp.StateFinWait1:
		fin()
	case tcp.StateFinWait2:
		fin()
		p.ack = nxt
		p.send(wire.ACK, 0, "")
	case tcp.StateClosing:
		fin()
		peerFin()
	case tcp.StateLastAck:
		peerFin()
		fin()
	case tcp.StateCloseWait:
		peerFin()
	}
	if s == tcp.StateEstablished || s == tcp.StateCloseWait {
		nxt = p.ack.Add(10)
		c.Write(h.now, []byte("0123456789"))
		h.one()
	}
	if st := c.State(); st != s {
		t.Fatalf("state = %v, want %v", st, s)
	}
	return p, c, nxt
}

// RFC 9293, Section 3.10.7.4, SEGMENT ARRIVES, with RFC 5961: what a segment
// does in each synchronized state. Of each cell the first letter is the
// answer, - for none, A for an ACK of everything that is in order, and what
// follows the next state, nothing for the same. n/a cannot be.
func TestSegmentsInStates(t *testing.T) {
	const far = 100_000
	tests := []struct {
		event  string
		flags  wire.Flags
		offset int    // of the sequence number, from RCV.NXT
		ack    int    // from SND.UNA
		text   string // of the segment
		read   string // what the user can read where the stream goes on
		cells  string // by columns
	}{
		{"RST=", wire.RST, 0, 0, "", "", "-CLOSED -CLOSED -CLOSED -CLOSED -CLOSED -CLOSED"},
		{"RST~", wire.RST, 9, 0, "", "", "A A A A A A"},
		{"RSTx", wire.RST, far, 0, "", "", "- - - - - -"},
		{"SYN", wire.SYN, 9, 0, "", "", "A A A A A A"},
		{"SYN outside", wire.SYN, far, 0, "", "", "A A A A A A"},
		{"SYNACK", wire.SYN | wire.ACK, -1, 0, "", "", "A A A A A A"},
		{"SYNFIN", wire.SYN | wire.FIN, 0, 0, "", "", "A A A A A A"},
		{"ACKn", wire.ACK, 0, 1, "", "", "- -FIN-WAIT-2 n/a - -TIME-WAIT -CLOSED"},
		{"ACKd", wire.ACK, 0, 0, "", "", "- - - - - -"},
		{"ACKo", wire.ACK, 0, -100, "", "", "- - - - - -"},
		{"ACKo with text", wire.ACK, 0, -100, "text", "text", "A A A A A A"},
		{"ACKx", wire.ACK, 0, -far, "text", "", "A A A A A A"},
		{"ACKf", wire.ACK, 0, far, "text", "", "A A A A A A"},
		{"NOACK", 0, 0, 0, "text", "", "- - - - - -"},
		{"DATA", wire.ACK, 0, 0, "text", "text", "A A A A A A"},
		{"DATA, PSH", wire.ACK | wire.PSH, 0, 0, "text", "text", "A A A A A A"},
		{"OOO", wire.ACK, 9, 0, "text", "", "A A A A A A"},
		{"DOLD", wire.ACK, -9, 0, "text", "", "A A A A A A"},
		{"DRIGHT", wire.ACK, far, 0, "text", "", "A A A A A A"},
		{"DTRIM", wire.ACK, -2, 0, "text", "xt", "A A A A A A"},
		{"FIN", wire.FIN | wire.ACK, 0, 0, "", "", "ACLOSE-WAIT ACLOSING ATIME-WAIT A A A"},
		{"FIN with text", wire.FIN | wire.ACK, 0, 0, "text", "text", "ACLOSE-WAIT ACLOSING ATIME-WAIT A A A"},
		{"FIN that acknowledges ours", wire.FIN | wire.ACK, 0, 1, "", "", "ACLOSE-WAIT ATIME-WAIT n/a A ATIME-WAIT -CLOSED"},
		{"FINg", wire.FIN | wire.ACK, 9, 0, "", "", "A A A A A A"},
		{"FINd", wire.FIN | wire.ACK, -1, 0, "", "", "n/a n/a n/a A A A"},
		{"URG", wire.URG | wire.ACK, 0, 0, "", "", "- - - - - -"},
		{"URG with text", wire.URG | wire.ACK, 0, 0, "text", "text", "A A A A A A"},
	}
	for _, tt := range tests {
		for i, cell := range strings.Fields(tt.cells) {
			s := columns[i]
			if cell == "n/a" {
				continue
			}
			t.Run(tt.event+"/"+s.String(), func(t *testing.T) {
				p, c, nxt := inState(t, s)
				una, rcv := p.ack, p.seq
				p.ack = una.Add(seqnum.Size(tt.ack))
				p.send(tt.flags, tt.offset, tt.text)
				open := i < 3 // the peer's stream has not ended
				if open {
					rcv = rcv.Add(seqnum.Size(len(tt.read)))
					if strings.HasPrefix(cell, "A") && tt.flags&(wire.SYN|wire.FIN) == wire.FIN && tt.offset == 0 {
						rcv = rcv.Add(1)
					}
				}
				wantAnswer(t, p, cell[0] == 'A', nxt, rcv)
				if want := cell[1:]; want != "" && c.State().String() != want || want == "" && c.State() != s {
					t.Errorf("state = %v, want %s", c.State(), cell)
				}
				if !open {
					return
				}
				b := make([]byte, 100)
				if n, _ := c.Read(p.now, b); string(b[:n]) != tt.read {
					t.Errorf("Read = %q, want %q", b[:n], tt.read)
				}
			})
		}
	}
}

// wantAnswer fails unless the host sends an ACK with these numbers, or nothing.
func wantAnswer(t *testing.T, p *peer, ack bool, seq, rcv seqnum.Value) {
	t.Helper()
	if !ack {
		p.none()
		return
	}
	if s := p.one(); s.Flags != wire.ACK || s.Seq != seq || s.Ack != rcv || s.text != "" {
		t.Errorf("answer %v, want ACK %d ack %d", s, seq, rcv)
	}
}

// RFC 9293, Section 3.10.7.4: with our window closed (DZW), text gets an ACK of
// what there was, while its ACK field counts.
func TestZeroWindowInStates(t *testing.T) {
	for _, s := range columns[:3] {
		t.Run(s.String(), func(t *testing.T) {
			h := newHost(t, Config{}, addrA)
			l := h.listen("10.0.0.1:80", ListenOptions{Options: tcp.Options{RecvBuffer: 2304}})
			p := h.peer(addrB, 5000, 80)
			c := p.connect(l)
			p.send(wire.ACK, 0, strings.Repeat("x", 2304))
			p.seq = p.seq.Add(2304)
			h.one()
			switch s {
			case tcp.StateEstablished:
				c.Write(h.now, []byte("x"))
			default:
				c.CloseWrite(h.now)
			}
			last := h.one()
			nxt := last.End()
			if s == tcp.StateFinWait2 {
				p.ack = nxt
				p.send(wire.ACK, 0, "")
			}
			p.ack = nxt // in ESTABLISHED and FIN-WAIT-1 it acknowledges something
			p.send(wire.ACK, 0, "y")
			if a := h.one(); a.Flags != wire.ACK || a.Seq != nxt || a.Ack != p.seq || a.Window != 0 {
				t.Errorf("answer %v, want an ACK with window 0", a)
			}
			if u := c.Info(h.now).SndUna; u != c.Info(h.now).SndNxt {
				t.Errorf("SND.UNA = %d, want %d", u, c.Info(h.now).SndNxt)
			}
		})
	}
}

// RFC 9293, Sections 3.10.2 to 3.10.5: what the user's calls do in each state.
func TestCallsInStates(t *testing.T) {
	tests := []struct {
		state      tcp.State
		send, recv error
		close      tcp.State // the state after CloseWrite
		reset      bool      // Abort sends a RST
	}{
		{tcp.StateEstablished, nil, syscall.EAGAIN, tcp.StateFinWait1, true},
		{tcp.StateFinWait1, syscall.EPIPE, syscall.EAGAIN, tcp.StateFinWait1, true},
		{tcp.StateFinWait2, syscall.EPIPE, syscall.EAGAIN, tcp.StateFinWait2, true},
		{tcp.StateCloseWait, nil, io.EOF, tcp.StateLastAck, true},
		{tcp.StateClosing, syscall.EPIPE, io.EOF, tcp.StateClosing, false},
		{tcp.StateLastAck, syscall.EPIPE, io.EOF, tcp.StateLastAck, false},
	}
	for _, tt := range tests {
		t.Run(tt.state.String(), func(t *testing.T) {
			p, c, _ := inState(t, tt.state)
			if _, err := c.Write(p.now, []byte("x")); err != tt.send {
				t.Errorf("Write: %v, want %v", err, tt.send)
			}
			if _, err := c.Read(p.now, make([]byte, 1)); err != tt.recv {
				t.Errorf("Read: %v, want %v", err, tt.recv)
			}
			for range 2 { // a second FIN there never is
				if err := c.CloseWrite(p.now); err != nil || c.State() != tt.close {
					t.Errorf("CloseWrite: %v, state %v, want nil, %v", err, c.State(), tt.close)
				}
			}
			if state := c.Info(p.now).State; state != tt.close {
				t.Errorf("STATUS says %v, want %v", state, tt.close)
			}

			p, c, nxt := inState(t, tt.state)
			c.Abort(p.now)
			if tt.reset {
				if s := p.one(); s.Flags != wire.RST|wire.ACK || s.Seq != nxt {
					t.Errorf("Abort sends %v, want RST %d", s, nxt)
				}
			} else {
				p.none()
			}
			if st := c.State(); st != tcp.StateClosed {
				t.Errorf("state after Abort = %v, want CLOSED", st)
			}
		})
	}
}

// RFC 9293, Section 3.10.8, RFC 6298, Section 5: the retransmission time-out
// sends what is unacknowledged again, and R2 ends the connection; in
// FIN-WAIT-2 nothing is outstanding, and no timer runs.
func TestTimeoutsInStates(t *testing.T) {
	for _, s := range columns {
		t.Run(s.String(), func(t *testing.T) {
			p, c, _ := inState(t, s)
			if s == tcp.StateFinWait2 {
				p.wait(24 * time.Hour)
				p.none()
				if st := c.State(); st != s {
					t.Errorf("state after a day = %v, want %v", st, s)
				}
				return
			}
			p.wait(300 * time.Millisecond)
			again := p.one()
			text, flags := "", wire.FIN|wire.ACK
			if s == tcp.StateEstablished || s == tcp.StateCloseWait {
				text, flags = "0123456789", wire.PSH|wire.ACK
			}
			if again.Seq != p.ack || again.text != text || again.Flags != flags {
				t.Errorf("sent again: %v, want %s %d %q", again, flagString(flags), p.ack, text)
			}
			p.silence(time.Hour)
			if st := c.State(); st != tcp.StateClosed {
				t.Errorf("state after an hour = %v, want CLOSED", st)
			}
			if err := c.TakeError(); err != syscall.ETIMEDOUT {
				t.Errorf("pending error %v, want ETIMEDOUT", err)
			}
		})
	}
}

// RFC 9293, Section 3.9.2.2, RFC 5927: in a synchronized state ICMP errors that
// quote what is outstanding are remembered, hard ones too; packet too big
// lowers the MTU.
func TestErrorsInStates(t *testing.T) {
	for _, s := range columns {
		t.Run(s.String(), func(t *testing.T) {
			p, c, _ := inState(t, s)
			seg := wire.Segment{Flags: wire.ACK, Seq: p.ack}
			quote := build(p.tuple, &seg)
			believed := s != tcp.StateFinWait2
			for _, e := range []struct {
				name string
				code byte
				want error
			}{{"ISOFT", 1, syscall.EHOSTUNREACH}, {"IHARD", 3, syscall.ECONNREFUSED}} {
				p.input(0, icmpPacket(addrB, addrA, 3, e.code, 0, quote))
				if st := c.State(); st != s {
					t.Errorf("%s: state = %v, want %v", e.name, st, s)
				}
				if err := c.Info(p.now).SoftError; (err == e.want) != believed {
					t.Errorf("%s: SoftError = %v; outstanding: %v", e.name, err, believed)
				}
			}
			p.input(0, icmpPacket(addrB, addrA, 3, 4, 1000, quote))
			if mtu := c.Info(p.now).PMTU; (mtu == 1000) != believed || c.State() != s {
				t.Errorf("IPTB: MTU %d, state %v; outstanding: %v", mtu, c.State(), believed)
			}
		})
	}
}
