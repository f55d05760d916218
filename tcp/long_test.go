package tcp

import (
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.4: the sequence space wraps; a connection that carries
// more than 2 GiB works at the end as it did at the beginning, and marks of
// the past (ISS, recover, the last small segment) never seem to lie ahead.
func TestSendBeyondTheSequenceSpace(t *testing.T) {
	d := newDriver(t, withOptions(Options{NoDelay: false, SendBuffer: 1 << 20}))
	d.open.Path.MaxSuper = 64000
	d.connect()
	data := make([]byte, 1<<20)
	sent := 1 // wraps where int has 32 bits, as sequence numbers do
	d.cfg.Trace = nil
	for total := int64(0); total < 17<<27; total += int64(len(data)) { // more than 2 GiB
		n, _ := d.c.Write(d.now, data)
		for n > 0 {
			d.batch.Reset()
			d.c.Output(d.now, &d.batch)
			if len(d.batch.Segments) == 0 {
				t.Fatalf("nothing is sent after %d bytes; unsent %d", sent, d.c.unsent())
			}
			k := d.c.outstanding()
			sent += k
			n -= k
			d.now++
			d.input(seg{f: wire.ACK, seq: 1, ack: sent})
		}
	}
	// Nagle still knows that nothing small is outstanding.
	d.write(10)
	if d.c.outstanding() != 10 {
		t.Fatalf("a small segment on an idle connection is held")
	}
	sent += 10
	d.input(seg{f: wire.ACK, seq: 1, ack: sent})
	// Three duplicate ACKs still mean a loss.
	d.write(100_000)
	for range 3 {
		d.input(seg{f: wire.ACK, seq: 1, ack: sent})
	}
	if d.c.loss.phase != lossFast {
		t.Errorf("three duplicate ACKs after %d bytes: phase %v", sent, d.c.loss.phase)
	}
}

// The same for the receiver: text, SACK and FIN at any place of the space.
func TestReceiveBeyondTheSequenceSpace(t *testing.T) {
	d := newDriver(t, withAllOptions).connect()
	d.cfg.Trace = nil
	data := make([]byte, 60_000)
	at := seqnum.Value(1)
	ts := uint32(100)
	for total := int64(0); total < 17<<27; total += int64(len(data)) {
		w := wire.Segment{Seq: testIRS + at, Ack: testISS + 1, Flags: wire.ACK, Window: 65535, Count: 1}
		w.Options.HasTS, w.Options.TSVal = true, ts
		w.Append(block.Chunk{Data: data})
		d.c.Input(d.now, &w)
		d.batch.Reset()
		d.c.Output(d.now, &d.batch)
		at += seqnum.Value(len(data))
		if n, err := d.c.Read(d.now, data); n != len(data) || err != nil {
			t.Fatalf("after %d bytes: Read = %v, %v", total, n, err)
		}
		d.batch.Reset()
		d.c.Output(d.now, &d.batch)
	}
	if got := d.c.Info(d.now).RcvWnd; got < 1<<19 {
		t.Errorf("window = %d", got)
	}
}
