package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// The bounds of what is read; the rest is left out, and a note says so.
const (
	maxPackets = 1 << 20
	maxBytes   = 512 << 20
	maxPacket  = 256 << 10
)

// Capture is what could be read of a capture.
type Capture struct {
	// Log has the TCP segments, the inferred states of both ends, the UDP
	// datagrams, and the ICMP messages about either.
	Log trace.Log
	// Packets is how many packets were read, Segments how many of them are TCP,
	// Datagrams how many UDP and Errors how many ICMP messages about either.
	Packets, Segments, Datagrams, Errors int
	// Cut counts the segments of which the capture has only the beginning.
	Cut int
	// Twice counts the packets that were left out because they had been captured
	// before: by a mirror port, or on two interfaces.
	Twice int
	// Other counts the packets that are no TCP segments, by what they are.
	Other map[string]int
	// End is why reading ended early, nil at the end of the file.
	End error

	observer observer
	seen     recent
	bytes    int
}

// ErrFormat is what Read returns for what is no capture.
var ErrFormat = errors.New("capture: neither pcapng nor pcap")

// source is where packets come from.
type source interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// Read reads a capture to its end, or as far as it makes sense, also one that
// gzip has compressed. The error is ErrFormat, or why not even the beginning
// could be read.
func Read(r io.Reader) (*Capture, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	magic, err := in.Peek(4)
	if err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, unpack := gzip.NewReader(in)
		if unpack != nil {
			return nil, fmt.Errorf("capture: %w", unpack)
		}
		in = bufio.NewReaderSize(z, 1<<16)
		magic, err = in.Peek(4)
	}
	c := &Capture{Log: trace.Log{Captured: true}, Other: map[string]int{}}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(magic) < 4:
		return nil, fmt.Errorf("%w: %d bytes are too short", ErrFormat, len(magic))
	case bytes.Equal(magic, []byte{0x0a, 0x0d, 0x0d, 0x0a}):
		return c, c.readPcapng(in)
	case magic[0] == 0x1f: // nor would the reader unpack what is packed twice
		return nil, ErrFormat
	}
	return c, c.readPcap(in)
}

// readPcapng reads the packets of a pcapng file.
func (c *Capture) readPcapng(in *bufio.Reader) error {
	guard := &blocks{in: in}
	packets, err := pcapgo.NewNgReader(guard, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
	if err != nil {
		return fmt.Errorf("capture: the pcapng header: %w", err)
	}
	c.read(packets, func(i int) layers.LinkType {
		device, err := packets.Interface(i)
		if err != nil {
			return layers.LinkTypeRaw
		}
		return device.LinkType
	})
	if guard.damaged > 0 {
		c.Other["damaged blocks"] = guard.damaged
	}
	return nil
}

// readPcap reads the packets of a file in the old format.
func (c *Capture) readPcap(in *bufio.Reader) error {
	packets, err := pcapgo.NewReader(in)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	// What the file says of itself is no reason to hold more.
	packets.SetSnaplen(min(packets.Snaplen(), maxPacket))
	c.read(packets, func(int) layers.LinkType { return packets.LinkType() })
	return nil
}

// read takes packet after packet.
func (c *Capture) read(packets source, link func(int) layers.LinkType) {
	for {
		data, info, err := packets.ReadPacketData()
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return
		case err != nil:
			c.End = err
			return
		case c.Packets >= maxPackets || c.bytes > maxBytes:
			c.End = fmt.Errorf("more than %d packets or %d MiB", maxPackets, maxBytes>>20)
			return
		}
		c.Packets++
		at, kind := tcp.Time(info.Timestamp.UnixNano()), link(info.InterfaceIndex)
		if !known(kind) {
			c.Other[linkName(kind)]++
			continue
		}
		c.packet(at, strip(kind, data))
	}
}

// Notes say, in a language, what could not be read or shown.
func (c *Capture) Notes(lang trace.Lang) []string {
	var notes []string
	say := func(en, zh string, args ...any) {
		text := en
		if lang == trace.Chinese {
			text = zh
		}
		notes = append(notes, fmt.Sprintf(text, args...))
	}
	if c.End != nil {
		say("The capture could be read up to packet %d only: %v.", "抓包文件只能读到第 %d 个包：%v。", c.Packets, c.End)
	}
	if c.Twice > 0 {
		say("Captured twice, and shown once: %d packets.", "有 %d 个包被抓到两次，只显示一次。", c.Twice)
	}
	if c.Cut > 0 {
		say("Of %d segments the capture has only the beginning: their data is unknown.", "有 %d 个报文段只抓到开头，其数据未知。", c.Cut)
	}
	if len(c.Other) > 0 {
		say("Packets that are not shown: %s.", "没有显示的包：%s。", countText(c.Other, lang))
	}
	return notes
}
