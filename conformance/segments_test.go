package conformance

import (
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// reset sends a RST, in SYN-SENT with or without an ACK.
func (t *trial) reset(offset int) {
	switch {
	case t.has("acks"):
		t.send(wire.RST|wire.ACK, offset, t.peer.nxt, 0)
	case t.has("bad-ack"):
		t.send(wire.RST|wire.ACK, offset, t.peer.nxt.Add(1), 0)
	default:
		t.send(wire.RST, offset, 0, 0)
	}
}

// synOffset is the sequence number of a SYN: that of the first one ("again"),
// in the window ("new"), beyond it ("far"), or what comes next.
func (t *trial) synOffset() int {
	switch {
	case t.has("again"):
		return peerISN.Diff(t.peer.seq)
	case t.has("new"):
		return 9
	case t.has("far"):
		return 100_000
	case t.has("below"):
		return -9
	}
	return 0
}

func (t *trial) segSyn() {
	switch {
	case t.has("newer"):
		t.now = t.now.Add(100 * time.Millisecond)
	case t.has("older"):
		t.peer.tsval = t.tsval() - 100
	}
	if t.has("nobody-listens") {
		t.listener.Close(t.now)
	}
	t.send(wire.SYN, t.synOffset(), 0, 0)
	if t.begins("TW") && t.next() == "SR" {
		t.after = func() {
			t.peer.seq = t.in.Seq.Add(1)
			t.acknowledge()
			if c := t.listener.Accept(); c == nil || c.State() != tcp.StateEstablished {
				t.Error("the new incarnation is not accepted")
			} else {
				c.Abort(t.now)
			}
		}
	}
}

func (t *trial) segSynAck() {
	t.send(wire.SYN|wire.ACK, t.synOffset(), t.ack(), t.some())
}

func (t *trial) segSynFin() { t.send(wire.SYN|wire.FIN, t.synOffset(), 0, 0) }

// ackNew acknowledges what is outstanding: text, or our FIN, or text alone.
func (t *trial) ackNew() {
	switch {
	case t.begins("F2", "TW"):
		t.absent = true
		if i := t.conn.Info(t.now); i.SndUna != i.SndNxt || t.peer.una != t.peer.nxt {
			t.Errorf("outstanding: [%d, %d)", i.SndUna, i.SndNxt)
		}
		return
	case t.has("waiting"):
		t.peer.window = 2000
		t.acknowledge()
		t.write(3000)
		t.mark()
	case t.has("writer"): // which waits for room
		t.setOptions(func(o *tcp.Options) { o.SendBuffer = 5000 })
		if n, err := t.conn.Write(t.now, make([]byte, 6000)); n != 5792 || err != syscall.EAGAIN {
			t.Fatalf("Write = %d, %v, want 5792, EAGAIN", n, err)
		}
		t.collect()
		t.mark()
		if !t.pending {
			t.Error("the writer need not wait")
		}
	case t.begins("ES", "CW"):
		t.write(10)
		t.mark()
	}
	ack := t.peer.nxt
	if t.begins("F1", "CG", "LA") && t.has("text") {
		ack = t.peer.una.Add(10)
	}
	t.send(wire.ACK, 0, ack, 0)
}

// ackDuplicate acknowledges SND.UNA.
func (t *trial) ackDuplicate() {
	if t.begins("ES", "CW") && !t.has("idle") {
		t.write(10)
		t.mark()
	}
	if t.has("other-window") {
		t.peer.window = 1000
	}
	offset := 0
	if t.has("elsewhere") {
		offset = 9
	}
	t.send(wire.ACK, offset, t.peer.una, t.some())
}

// ackFuture acknowledges what was never sent. The peer's clock has ticked, so
// that TS.Recent could change.
func (t *trial) ackFuture() {
	if !t.begins("SS") {
		t.now = t.now.Add(20 * time.Millisecond)
	}
	t.send(wire.ACK, 0, t.peer.nxt.Add(10), t.some())
}
