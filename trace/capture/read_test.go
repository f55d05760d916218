package capture_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/capture"
)

// saved is a capture of a scenario, from the wire or from a host.
func saved(t testing.TB, scenario, name string) []byte {
	t.Helper()
	run, err := lab.Play(lab.Recipe{Scenario: scenario, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	files, err := run.Files(trace.Style{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name == name {
			return f.Data
		}
	}
	t.Fatalf("no file %s", name)
	return nil
}

func read(t testing.TB, data []byte) (*capture.Capture, *trace.Analysis) {
	t.Helper()
	c, err := capture.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return c, trace.Analyse(&c.Log)
}

// The states inferred from a capture on the wire are those in which the real
// ends were at last.
func TestStates(t *testing.T) {
	for _, tt := range []struct{ scenario, client, server string }{
		{"handshake", "ESTABLISHED", "ESTABLISHED"},
		{"lost-syn-ack", "ESTABLISHED", "ESTABLISHED"},
		{"simultaneous-open", "ESTABLISHED", "ESTABLISHED"},
		{"close-four-way", "TIME-WAIT", "CLOSED"},
		{"close-three-segment", "TIME-WAIT", "CLOSED"},
		{"half-close", "TIME-WAIT", "CLOSED"},
		{"simultaneous-close", "TIME-WAIT", "TIME-WAIT"},
		{"close-wait-leak", "FIN-WAIT-2", "CLOSE-WAIT"},
		{"refused", "CLOSED", "CLOSED"},
		{"connect-timeout", "SYN-SENT", "CLOSED"},
		{"linger-zero", "CLOSED", "CLOSED"},
		{"half-open-recovery", "ESTABLISHED", "ESTABLISHED"},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			_, a := read(t, saved(t, tt.scenario, "wire.pcapng"))
			c := a.Connections()[0]
			if got := [2]string{c.States[0].String(), c.States[1].String()}; got != [2]string{tt.client, tt.server} {
				var b strings.Builder
				if _, err := a.Ladder(trace.Style{}).WriteTo(&b); err != nil {
					t.Fatal(err)
				}
				t.Errorf("states %v, want %s and %s\n%s", got, tt.client, tt.server, &b)
			}
		})
	}
}

// What deserves a look is named.
func TestPatterns(t *testing.T) {
	for scenario, want := range map[string]string{
		"syn-flood": "syn-flood", "refused": "refused", "rst-in-window-and-out": "reset", "zero-window": "zero-window",
		"fast-retransmit": "retransmissions", "connect-timeout": "half-open",
	} {
		_, a := read(t, saved(t, scenario, "wire.pcapng"))
		found := map[string]bool{}
		for _, p := range capture.Patterns(a) {
			found[p.Kind] = true
			if p.In(trace.English) == "" || p.In(trace.Chinese) == "" || len(p.Connections) == 0 {
				t.Errorf("%s: pattern %+v", scenario, p)
			}
		}
		if !found[want] {
			t.Errorf("%s: found %v, want %s", scenario, found, want)
		}
	}
	_, a := read(t, saved(t, "fast-retransmit", "wire.pcapng"))
	if got, want := capture.Patterns(a)[0].In(trace.English), "Sent again: 1 segment, on 1 connection."; got != want {
		t.Errorf("one repetition: %q, want %q", got, want)
	}
	if list := capture.Patterns(trace.Analyse(&trace.Log{})); len(list) != 0 {
		t.Errorf("an empty log has patterns %v", list)
	}
}

// A file that is cut short is read as far as it goes, and says so.
func TestTruncated(t *testing.T) {
	data := saved(t, "close-four-way", "wire.pcapng")
	for cut := 1; cut < len(data); cut += 13 {
		c, err := capture.Read(bytes.NewReader(data[:cut]))
		if err != nil {
			continue // not even the header
		}
		a := trace.Analyse(&c.Log)
		if _, err := a.Ladder(trace.Style{}).WriteTo(new(bytes.Buffer)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := capture.Read(bytes.NewReader(data[:len(data)-20]))
	if err != nil || c.End == nil || c.Segments != 6 || len(c.Notes(trace.Chinese)) != 1 {
		t.Errorf("without its end: %v, segments %d, end %v", err, c.Segments, c.End)
	}
	for _, foreign := range []string{"", "abc", "GET / HTTP/1.1\r\n", strings.Repeat("x", 1000)} {
		if _, err := capture.Read(strings.NewReader(foreign)); err == nil {
			t.Errorf("Read(%.20q) is a capture", foreign)
		}
	}
}

// The old format, Ethernet with a VLAN tag, packets cut by the snap length, and
// what is not TCP.
func TestForeign(t *testing.T) {
	ng, err := pcapgo.NewNgReader(bytes.NewReader(saved(t, "fast-retransmit", "wire.pcapng")), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(100, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	write := func(info gopacket.CaptureInfo, frame []byte) {
		info.Length = len(frame)
		frame = frame[:min(len(frame), 100)]
		info.CaptureLength = len(frame)
		if err := w.WritePacket(info, frame); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for data, info, err := ng.ReadPacketData(); err == nil; data, info, err = ng.ReadPacketData() {
		ether := append(make([]byte, 12), 0x81, 0, 0, 5, 8, 0)
		write(info, append(ether, data...))
		n++
		if n == 3 {
			write(info, append(make([]byte, 12), 8, 6, 1, 2, 3)) // ARP
		}
	}
	c, a := read(t, file.Bytes())
	if c.Segments != n || c.Other["not IP"] != 1 || c.Cut == 0 {
		t.Errorf("%d segments, %v, %d cut, want %d, one not IP, some", c.Segments, c.Other, c.Cut, n)
	}
	if got := a.Connections()[0]; got.Bytes[0] != 10*1448 || got.Repeats != 1 {
		t.Errorf("%d bytes, %d sent again, want %d and 1", got.Bytes[0], got.Repeats, 10*1448)
	}
}

// A capture that begins in the middle of a connection shows it as open.
func TestMiddle(t *testing.T) {
	ng, err := pcapgo.NewNgReader(bytes.NewReader(saved(t, "fast-retransmit", "wire.pcapng")), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	n := 0
	for data, info, err := ng.ReadPacketData(); err == nil; data, info, err = ng.ReadPacketData() {
		if n++; n <= 3 {
			continue // the handshake
		}
		info.InterfaceIndex = 0
		if err := w.WritePacket(info, data); err != nil {
			t.Fatal(err)
		}
	}
	_, a := read(t, file.Bytes())
	c := a.Connections()[0]
	if c.Initial != [2]tcp.State{tcp.StateEstablished, tcp.StateEstablished} || c.States[0] != tcp.StateTimeWait {
		t.Errorf("it goes from %v to %v, want from ESTABLISHED to TIME-WAIT", c.Initial, c.States)
	}
}

// editcap, which is Wireshark's, writes the old format as well; it reads the same.
func TestEditcap(t *testing.T) {
	editcap, err := exec.LookPath("editcap")
	if err != nil {
		t.Skip("editcap is not installed")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pcapng"), filepath.Join(dir, "out.pcap")
	data := saved(t, "half-close", "wire.pcapng")
	if err := os.WriteFile(in, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(editcap, "-F", "nsecpcap", in, out).CombinedOutput(); err != nil {
		t.Fatalf("editcap: %v\n%s", err, text)
	}
	old, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	ladders := [2]bytes.Buffer{}
	for i, d := range [][]byte{data, old} {
		_, a := read(t, d)
		if _, err := a.Ladder(trace.Style{}).WriteTo(&ladders[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(ladders[0].Bytes(), ladders[1].Bytes()) {
		t.Error("the two formats give different ladders")
	}
}

// FuzzRead: whatever the file, something is shown and nothing panics.
func FuzzRead(f *testing.F) {
	f.Add(saved(f, "handshake", "wire.pcapng"))
	f.Add(saved(f, "simultaneous-close", "client.pcapng"))
	f.Add(saved(f, "time-wait-reuse", "server.pcapng"))
	f.Add(saved(f, "unreachable", "client.pcapng"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := capture.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		a := trace.Analyse(&c.Log)
		c.Notes(trace.English)
		capture.Patterns(a)
		for i := range min(len(a.Connections()), 3) {
			if _, err := a.Ladder(trace.Style{Connection: i, Unicode: true, Rules: true}).WriteTo(new(bytes.Buffer)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range min(len(a.Flows()), 3) {
			if err := a.WriteFlow(new(bytes.Buffer), i, trace.Style{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
