package capture_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/trace/capture"
)

// block is a pcapng block that says of itself that it has a length; 0: the
// true one.
func block(kind uint32, body []byte, length uint32) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	if length == 0 {
		length = uint32(12 + len(body))
	}
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = append(binary.LittleEndian.AppendUint32(b, length), body...)
	return binary.LittleEndian.AppendUint32(b, length)
}

// words are 32-bit numbers as pcapng writes them.
func words(numbers ...uint32) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// section is a section header, and the description of an interface with raw IP.
func section() []byte {
	b := block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff), 0)
	return append(b, block(1, words(101, 0), 0)...)
}

// enhanced is an enhanced packet block that claims a captured length; 0: the
// true one.
func enhanced(packet []byte, iface, captured uint32) []byte {
	if captured == 0 {
		captured = uint32(len(packet))
	}
	return block(6, append(words(iface, 0, 0, captured, captured), packet...), 0)
}

// packets are those of a scenario, from the IP header on.
func packets(t testing.TB, scenario string) [][]byte {
	t.Helper()
	ng, err := pcapgo.NewNgReader(bytes.NewReader(saved(t, scenario, "wire.pcapng")), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for {
		data, _, err := ng.ReadPacketData()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
}

// A block whose lengths contradict each other is left out when the blocks after
// it can still be found, and ends the reading when not. All before it is shown.
func TestHostileBlocks(t *testing.T) {
	p := packets(t, "handshake")
	one, two := enhanced(p[0], 0, 0), enhanced(p[1], 0, 0)
	for _, tt := range []struct {
		name     string
		between  []byte
		segments int
		end      string
		damaged  int
	}{
		{"nothing", nil, 2, "", 0},
		{"an unknown block", block(0x777, []byte("what is this?"), 0), 2, "", 0},
		{"a captured length beyond the block", enhanced(p[1], 0, 5000), 2, "", 1},
		{"a captured length of 4 GB", enhanced(p[1], 0, 0xfffffff0), 2, "", 1},
		{"an interface that nobody described", enhanced(p[1], 7, 0), 2, "", 1},
		{"a packet block too short for its header", block(6, words(0, 0), 0), 2, "", 1},
		{"an interface block too short", block(1, nil, 0), 2, "", 1},
		{"a block that claims 4 GB", block(6, words(0, 0, 0, 0xffffff00, 0xffffff00), 0xfffffff0), 1, "claims 4294967280 bytes", 0},
		{"an unknown block that claims 4 GB", block(0x777, nil, 0xfffffff0), 1, "ends in the middle", 0},
		{"a block of no length", append(words(6, 0), make([]byte, 500)...), 1, "0 bytes cannot be", 0},
		{"a block of 13 bytes", append(words(6, 13), make([]byte, 500)...), 1, "13 bytes cannot be", 0},
		{"two lengths", append(words(6, 40), make([]byte, 500)...), 1, "at its end", 0},
		{"a section in no byte order", block(0x0a0d0d0a, words(1, 2, 3, 4), 0), 1, "no byte order", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := capture.Read(bytes.NewReader(bytes.Join([][]byte{section(), one, tt.between, two}, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if c.Segments != tt.segments || c.Other["damaged blocks"] != tt.damaged {
				t.Errorf("%d segments, %v, want %d and %d damaged blocks", c.Segments, c.Other, tt.segments, tt.damaged)
			}
			if (c.End == nil) != (tt.end == "") || c.End != nil && !strings.Contains(c.End.Error(), tt.end) {
				t.Errorf("it ends with %v, want %q", c.End, tt.end)
			}
		})
	}
}

// zeros is a file that goes on for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A length that a file claims, and even delivers, asks for no more memory than
// the largest packet needs.
func TestClaimedLength(t *testing.T) {
	old := new(bytes.Buffer)
	if err := pcapgo.NewWriter(old).WriteFileHeader(0xffffffff, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for name, head := range map[string][]byte{
		"an enhanced packet": append(section(), words(6, 0xfffffff0, 0, 0, 0, 0xffffff00, 0xffffff00)...),
		"a simple packet":    append(section(), words(3, 0xfffffff0, 0xffffff00)...),
		"names":              append(section(), words(4, 256<<20, 1, 0xffff0001)...),
		"secrets":            append(section(), words(10, 256<<20, 0x544c534b, 255<<20)...),
		"a record of pcap":   append(old.Bytes(), words(0, 0, 0x7fffff00, 0x7fffff00)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := capture.Read(io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, 257<<20)))
		runtime.ReadMemStats(&after)
		if err != nil || c.End == nil {
			t.Errorf("%s: %v, want to hear that it ends", name, err)
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 4 {
			t.Errorf("%s: %d MiB were allocated", name, n)
		}
	}
}

// What a sender leaves to its card is no damage: the checksum of the IP header,
// and the length of a segment that is to be cut.
func TestOffload(t *testing.T) {
	var file bytes.Buffer
	file.Write(section())
	list := packets(t, "fast-retransmit")
	for _, p := range list {
		p[2], p[3], p[10], p[11] = 0, 0, 0, 0
		file.Write(enhanced(p, 0, 0))
	}
	c, a := read(t, file.Bytes())
	if c.Segments != len(list) || len(c.Other) > 0 || a.Connections()[0].Bytes[0] != 10*1448 {
		t.Errorf("%d segments, %v, %d bytes, want %d, none, %d", c.Segments, c.Other, a.Connections()[0].Bytes[0], len(list), 10*1448)
	}
}

// Each kind of link leads to the same ladder.
func TestLinks(t *testing.T) {
	list := packets(t, "close-four-way")
	want := ladder(t, inPcap(t, layers.LinkTypeRaw, nil, list))
	ether := make([]byte, 12)
	for _, tt := range []struct {
		name string
		link layers.LinkType
		head []byte
	}{
		{"raw, BSD", 12, nil},
		{"IPv4 alone", layers.LinkTypeIPv4, nil},
		{"loopback", layers.LinkTypeNull, []byte{2, 0, 0, 0}},
		{"loopback, OpenBSD", layers.LinkTypeLoop, []byte{0, 0, 0, 2}},
		{"Ethernet", layers.LinkTypeEthernet, append(ether, 8, 0)},
		{"VLAN", layers.LinkTypeEthernet, append(ether, 0x81, 0, 0, 5, 8, 0)},
		{"VLAN in VLAN", layers.LinkTypeEthernet, append(ether, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0)},
		{"PPPoE", layers.LinkTypeEthernet, append(ether, 0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 0, 0x21)},
		{"PPP", layers.LinkTypePPP, []byte{0xff, 3, 0, 0x21}},
		{"PPP, compressed", layers.LinkTypePPP, []byte{0x21}},
		{"Linux, any", layers.LinkTypeLinuxSLL, append(make([]byte, 14), 8, 0)},
		{"Linux, any, version 2", layers.LinkTypeLinuxSLL2, append([]byte{8, 0}, make([]byte, 18)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ladder(t, inPcap(t, tt.link, tt.head, list)); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// inPcap is a file in the old format, with a header before each packet.
func inPcap(t *testing.T, link layers.LinkType, head []byte, list [][]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65535, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		frame := append(bytes.Clone(head), p...)
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(frame), Length: len(frame)}
		if err := w.WritePacket(info, frame); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

func ladder(t *testing.T, file []byte) string {
	t.Helper()
	_, a := read(t, file)
	var b strings.Builder
	if _, err := a.Ladder(trace.Style{}).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A link that the reader does not know is named.
func TestUnknownLink(t *testing.T) {
	c, _ := read(t, inPcap(t, layers.LinkTypeIEEE802_11, nil, [][]byte{make([]byte, 40)}))
	if notes := c.Notes(trace.English); len(notes) != 1 || !strings.Contains(notes[0], "1 of link type 105 (802.11)") {
		t.Errorf("notes %q, want the link type", notes)
	}
}

// A capture that gzip compressed reads the same, whichever format it has.
func TestCompressed(t *testing.T) {
	plain := saved(t, "handshake", "wire.pcapng")
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := ladder(t, file.Bytes()), ladder(t, plain); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if c, err := capture.Read(bytes.NewReader(file.Bytes()[:30])); err == nil {
		t.Errorf("a cut file has %d packets", c.Packets)
	}
}
