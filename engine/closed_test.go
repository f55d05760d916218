package engine

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.10.7.1: without a connection everything but a RST is
// answered with a RST: with the sequence number that the segment acknowledges,
// or else zero and an ACK of all of the segment.
func TestClosedSegments(t *testing.T) {
	const ack = 4242
	tests := []struct {
		name  string
		flags wire.Flags
		text  string
		want  wire.Flags // 0: no answer
		len   int        // of the segment in sequence space
	}{
		{"RST", wire.RST, "", 0, 0},
		{"RST,ACK", wire.RST | wire.ACK, "", 0, 0},
		{"RST with text", wire.RST, "why", 0, 0},
		{"SYN", wire.SYN, "", wire.RST | wire.ACK, 1},
		{"SYN with text", wire.SYN, "text", wire.RST | wire.ACK, 5},
		{"SYN,FIN", wire.SYN | wire.FIN, "", wire.RST | wire.ACK, 2},
		{"SYN,ACK", wire.SYN | wire.ACK, "", wire.RST, 1},
		{"ACK", wire.ACK, "", wire.RST, 0},
		{"text", wire.ACK | wire.PSH, "text", wire.RST, 4},
		{"FIN,ACK", wire.FIN | wire.ACK, "", wire.RST, 1},
		{"FIN", wire.FIN, "", wire.RST | wire.ACK, 1},
		{"nothing", 0, "", wire.RST | wire.ACK, 0},
		{"text without ACK", wire.PSH, "text", wire.RST | wire.ACK, 4},
		{"URG", wire.URG | wire.ACK, "!", wire.RST, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA)
			p := h.peer(addrB, 5000, 80)
			p.ack = ack
			p.send(tt.flags, 0, tt.text)
			if st := h.e.StateOf(p.tuple); st != tcp.StateClosed {
				t.Errorf("state = %v, want CLOSED", st)
			}
			switch tt.want {
			case 0:
				h.none()
				h.wantEvents("closed-ignored")
			case wire.RST:
				if s := p.one(); s.tuple != p.tuple || s.Flags != wire.RST || s.Seq != ack || s.Ack != 0 {
					t.Errorf("answer %v of %v, want RST %d", s, s.tuple, ack)
				}
				h.wantEvents("closed-reset")
			default:
				s := p.one()
				if s.Flags != tt.want || s.Seq != 0 || s.Ack.Diff(p.seq) != tt.len {
					t.Errorf("answer %v, want RST,ACK 0 ack %d", s, p.seq.Add(1))
				}
			}
		})
	}
}

// RSTs without a connection are limited (D-51), and the rest counted.
func TestResetRate(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rate, want int
	}{
		{"limit", 50, 50 + 50},
		{"none", -1, 2000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{ResetRate: tt.rate}, addrA)
			sent := 0
			for range 2000 {
				h.peer(addrB, 5000, 80).send(wire.SYN, 0, "")
				sent += len(h.segments())
				h.now = h.now.Add(500 * time.Microsecond)
			}
			if sent < tt.want-1 || sent > tt.want {
				t.Errorf("%d RSTs in a second, want %d", sent, tt.want)
			}
			s := h.e.Stats()
			if s.TCP.ResetsOut != uint64(sent) || s.ResetsSuppressed != uint64(2000-sent) {
				t.Errorf("ResetsOut %d, ResetsSuppressed %d; want %d, %d", s.TCP.ResetsOut, s.ResetsSuppressed, sent, 2000-sent)
			}
		})
	}
}

// What waits for Output is bounded.
func TestReplyOverflow(t *testing.T) {
	h := newHost(t, Config{ResetRate: -1}, addrA)
	for range maxReplies + 10 {
		h.peer(addrB, 5000, 80).send(wire.SYN, 0, "")
	}
	if !h.e.Output(h.now, &h.out) {
		t.Error("Output() = false with packets left")
	}
	if n := h.out.Len(); n != batchPackets {
		t.Errorf("Output gave %d packets, want %d", n, batchPackets)
	}
	h.out.Release()
	if n := len(h.output()); n != maxReplies-batchPackets {
		t.Errorf("%d packets after that, want %d", n, maxReplies-batchPackets)
	}
	if n := h.e.Stats().ReplyOverflows; n != 10 {
		t.Errorf("ReplyOverflows = %d, want 10", n)
	}
}
