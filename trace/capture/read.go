package capture

import (
	"bufio"
	"bytes"
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
	// Log has the TCP segments, and the inferred states of both ends.
	Log trace.Log
	// Packets is how many packets were read, Segments how many of them are TCP.
	Packets, Segments int
	// Cut counts the segments of which the capture has only the beginning.
	Cut int
	// Other counts the packets that are no TCP segments, by what they are.
	Other map[string]int
	// End is why reading ended early, nil at the end of the file.
	End error

	observer observer
	bytes    int
}

// ErrFormat is what Read returns for what is no capture.
var ErrFormat = errors.New("capture: neither pcapng nor pcap")

// source is where packets come from.
type source interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// Read reads a capture to its end, or as far as it makes sense. The error is
// ErrFormat, or why not even the beginning could be read.
func Read(r io.Reader) (*Capture, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	magic, err := in.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("%w: %d bytes are too short", ErrFormat, len(magic))
	}
	c := &Capture{Other: map[string]int{}}
	var packets source
	var link func(int) layers.LinkType
	if bytes.Equal(magic, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		ng, err := pcapgo.NewNgReader(&bounded{in}, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		if err != nil {
			return nil, fmt.Errorf("capture: the pcapng header: %w", err)
		}
		packets = ng
		link = func(i int) layers.LinkType {
			device, err := ng.Interface(i)
			if err != nil {
				return layers.LinkTypeRaw
			}
			return device.LinkType
		}
	} else {
		old, err := pcapgo.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrFormat, err)
		}
		packets = old
		link = func(int) layers.LinkType { return old.LinkType() }
	}
	c.read(packets, link)
	return c, nil
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
		c.packet(tcp.Time(info.Timestamp.UnixNano()), strip(link(info.InterfaceIndex), data))
	}
}

// bounded keeps a length field in a file from asking for more memory than the
// largest packet needs: it gives large reads in pieces.
type bounded struct{ r io.Reader }

func (b *bounded) Read(p []byte) (int, error) { return b.r.Read(p[:min(len(p), maxPacket)]) }

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
	if c.Cut > 0 {
		say("Of %d segments the capture has only the beginning: their data is unknown.", "有 %d 个报文段只抓到开头，其数据未知。", c.Cut)
	}
	other := 0
	for _, n := range c.Other {
		other += n
	}
	if other > 0 {
		say("%d packets are not shown: %s.", "有 %d 个包没有显示：%s。", other, countText(c.Other))
	}
	return notes
}
