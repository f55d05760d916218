package conformance

import (
	"fmt"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// text sends n bytes at the offset from RCV.NXT. The peer's clock has ticked.
func (t *trial) text(offset, n int) {
	t.now = t.now.Add(time.Millisecond)
	t.send(wire.ACK, offset, t.ack(), n)
}

// delayed uses up the segments that are acknowledged at once because the
// connection is new.
func (t *trial) delayed() {
	if !t.has("delayed") {
		return
	}
	for range 20 {
		t.deliver(1)
	}
	if n, err := t.read(); n != 20 || err != nil {
		t.Fatalf("Read = %d, %v, want 20", n, err)
	}
	t.wait(time.Second)
	t.mark()
	t.after = func() {
		t.mark()
		t.wait(40 * time.Millisecond)
		if len(t.sent) != 1 || t.sent[0].Ack != t.peer.seq.Add(5) {
			t.Errorf("%s sent after the delay, want ACK", t.segments())
		}
	}
}

// segZeroWindow sends text into a window of zero. That of a half-open
// connection of a listener never is: nobody could have filled the buffer.
func (t *trial) segZeroWindow() {
	if t.has("passive") {
		t.absent = true
		if t.window() <= 0 {
			t.Errorf("window of %d bytes", t.window())
		}
		return
	}
	if !t.begins("CL", "LI", "SS") && t.window() != 0 {
		t.Fatalf("window of %d bytes, want 0", t.window())
	}
	t.text(0, 5)
}

// segTrim sends text of which only a part is new and in the window.
func (t *trial) segTrim() {
	switch {
	case t.has("left"):
		t.text(-5, 10)
	case t.has("right"):
		t.text(t.window()-5, 10)
	default:
		t.text(-5, t.window()+10)
	}
}

func (t *trial) finAt(offset int) {
	flags := wire.FIN | wire.ACK
	if t.has("no-ack") {
		flags = wire.FIN
	}
	if t.begins("TW") {
		t.now = t.now.Add(time.Second)
	}
	t.send(flags, offset, t.ack(), t.some())
}

// segFinGap sends a FIN after a gap. When the gap is filled, the user reads up
// to it.
func (t *trial) segFinGap() {
	t.finAt(10)
	if !t.begins("ES", "F1", "F2") {
		return
	}
	t.after = func() {
		t.send(wire.ACK, 0, t.peer.una, 10)
		want := fmt.Sprintf("%dB EOF", 10+t.some())
		if got := t.reads(); got != want {
			t.Errorf("user reads %s after the gap is filled, want %s", got, want)
		}
	}
}

// segFinAgain sends the FIN again. Where none has come yet, there is none that
// could come again: the user is not at the end of the stream.
func (t *trial) segFinAgain() {
	if t.begins("ES", "F1", "F2") {
		t.absent = true
		if _, err := t.read(); err != syscall.EAGAIN {
			t.Errorf("Read: %v, want EAGAIN", err)
		}
		return
	}
	t.finAt(-1)
}

// segUrgent sends urgent data's announcement, and repeats it.
func (t *trial) segUrgent() {
	t.send(wire.URG|wire.ACK, 0, t.ack(), t.some())
	if t.begins("ES", "F1", "F2") && !t.has("with-text") {
		t.send(wire.URG|wire.ACK, 0, t.ack(), 0)
	}
}
