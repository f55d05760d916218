package capture_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/capture"
)

// picked is the capture of a scenario's wire with the packets, each as often,
// that pick says.
func picked(t *testing.T, scenario string, pick func(number int, packet []byte) int) []byte {
	t.Helper()
	ng, err := pcapgo.NewNgReader(bytes.NewReader(saved(t, scenario, "wire.pcapng")), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w := pcapgo.NewWriterNanos(&file)
	if err := w.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		data, info, err := ng.ReadPacketData()
		if err != nil {
			return file.Bytes()
		}
		for k := range pick(n, data) {
			again := gopacket.CaptureInfo{
				Timestamp:     info.Timestamp.Add(time.Duration(k) * 3 * time.Microsecond),
				CaptureLength: len(data), Length: len(data),
			}
			if err := w.WritePacket(again, data); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func findings(a *trace.Analysis) string { return strings.Join(a.Findings(0, trace.English), "\n") }

// A capture does not know what was lost behind it: only an acknowledgement shows
// that a segment had arrived.
func TestArrivalIsAGuess(t *testing.T) {
	_, a := read(t, saved(t, "retransmission-timeout", "wire.pcapng"))
	if got := findings(a); strings.Contains(got, "had arrived") || !strings.Contains(got, "#8 repeats #7: no ACK came within 880 ms.") {
		t.Errorf("findings of segments that were lost:\n%s", got)
	}
	_, a = read(t, saved(t, "tcp-and-udp", "wire.pcapng"))
	if got := findings(a); !strings.Contains(got, "which had been acknowledged.") || strings.Contains(got, "was lost") {
		t.Errorf("findings where one was needless:\n%s", got)
	}
}

// Where a capture has one direction only, the other end is taken to have said
// what this one acknowledges.
func TestOneDirection(t *testing.T) {
	const client, server = 1, 2 // the last byte of the sender's address
	for _, tt := range []struct {
		from   byte
		states string
		lacks  string
	}{
		{client, "FIN-WAIT-1 CLOSE-WAIT", "The capture lacks 10241 bytes of 10.0.0.2, which 10.0.0.1 acknowledged."},
		{server, "FIN-WAIT-1 CLOSE-WAIT", "The capture lacks 20 bytes of 10.0.0.1, which 10.0.0.2 acknowledged."},
	} {
		c, a := read(t, picked(t, "half-close", func(_ int, packet []byte) int {
			if packet[15] == tt.from {
				return 1
			}
			return 0
		}))
		states := a.Connections()[0].States
		if got := states[0].String() + " " + states[1].String(); got != tt.states {
			t.Errorf("from %d: the states are %s, want %s", tt.from, got, tt.states)
		}
		if got := findings(a); !strings.Contains(got, tt.lacks) || strings.Contains(got, "Nothing was lost") {
			t.Errorf("from %d: findings\n%s\nwant %q", tt.from, got, tt.lacks)
		}
		if list := capture.Patterns(a); len(list) > 0 {
			t.Errorf("from %d: patterns %v", tt.from, list)
		}
		if c.Twice != 0 {
			t.Errorf("%d packets are left out", c.Twice)
		}
	}
}

// Bytes that were acknowledged but never captured are told of.
func TestLackingBytes(t *testing.T) {
	_, a := read(t, picked(t, "close-flushes-unsent-data", func(n int, _ []byte) int {
		if n == 7 || n == 9 {
			return 0
		}
		return 1
	}))
	if got, want := findings(a), "The capture lacks 2896 bytes of 10.0.0.1, which 10.0.0.2 acknowledged."; !strings.Contains(got, want) {
		t.Errorf("findings\n%s\nwant %q", got, want)
	}
	_, a = read(t, saved(t, "close-flushes-unsent-data", "wire.pcapng"))
	if got := findings(a); strings.Contains(got, "lacks") {
		t.Errorf("a whole capture lacks something:\n%s", got)
	}
}

// What a mirror port shows twice is taken once.
func TestCapturedTwice(t *testing.T) {
	c, a := read(t, picked(t, "fast-retransmit", func(int, []byte) int { return 2 }))
	if got := a.Connections()[0]; c.Twice != got.Segments || got.Repeats != 1 || got.States[0] != tcp.StateTimeWait {
		t.Errorf("%d of %d left out, %d sent again, want half, and 1", c.Twice, c.Packets, got.Repeats)
	}
	if got, want := strings.Join(c.Notes(trace.English), "\n"), "Captured twice, and shown once: 28 packets."; got != want {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// A capture with as many connections of the same ports as segments takes no
// longer for that.
func TestManyConnectionsOfTheSamePorts(t *testing.T) {
	syn := packets(t, "handshake")[0]
	var file bytes.Buffer
	file.Write(section())
	for i := range 50_000 {
		p := bytes.Clone(syn)
		p[24], p[25], p[26] = byte(i>>8), byte(i), 7 // the sequence number
		at := uint32(i)
		file.Write(block(6, append(words(0, 0, at*100, uint32(len(p)), uint32(len(p))), p...), 0))
	}
	begin := time.Now()
	_, a := read(t, file.Bytes())
	findings(a)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
