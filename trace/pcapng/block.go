package pcapng

import (
	"encoding/binary"
	"io"

	"github.com/trivet-net/trivet/tcp"
)

// Block types and options of pcapng (draft-ietf-opsawg-pcapng, Sections 4.1 to
// 4.3), and the values that are used here.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	byteOrderMagic = 0x1a2b3c4d
	linkTypeRaw    = 101 // packets begin with an IP header
	nanoseconds    = 9   // resolution of time stamps, as a negative power of ten
	inbound        = 1   // of a packet's flags
	outbound       = 2

	optionEnd         = 0
	optionComment     = 1
	optionFlags       = 2 // of a packet
	optionName        = 2 // of an interface
	optionDescription = 3
	optionApplication = 4 // of a section
	optionResolution  = 9
)

// encoder writes blocks, in little-endian order. After an error it writes
// nothing more.
type encoder struct {
	w   io.Writer
	buf []byte // the block at hand
	err error
}

func (e *encoder) u16(v uint16) { e.buf = binary.LittleEndian.AppendUint16(e.buf, v) }
func (e *encoder) u32(v uint32) { e.buf = binary.LittleEndian.AppendUint32(e.buf, v) }

// padded appends data and zeros up to a multiple of four bytes.
func (e *encoder) padded(data []byte) {
	e.buf = append(e.buf, data...)
	for len(e.buf)%4 != 0 {
		e.buf = append(e.buf, 0)
	}
}

// option appends an option. One that is too long for its length field is cut.
func (e *encoder) option(code uint16, value []byte) {
	value = value[:min(len(value), 1<<16-1)]
	e.u16(code)
	e.u16(uint16(len(value)))
	e.padded(value)
}

// begin starts a block.
func (e *encoder) begin(kind uint32) {
	e.buf = e.buf[:0]
	e.u32(kind)
	e.u32(0) // the length, which end knows
}

// end ends the options and the block, and writes it.
func (e *encoder) end() {
	e.u16(optionEnd)
	e.u16(0)
	n := uint32(len(e.buf) + 4)
	binary.LittleEndian.PutUint32(e.buf[4:], n)
	e.u32(n)
	if e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
}

// section writes the header of the file.
func (e *encoder) section(application string) {
	e.begin(blockSection)
	e.u32(byteOrderMagic)
	e.u16(1) // version 1.0
	e.u16(0)
	e.u32(^uint32(0)) // of unknown length
	e.u32(^uint32(0))
	e.option(optionApplication, []byte(application))
	e.end()
}

// device writes the description of an interface.
func (e *encoder) device(name, description string) {
	e.begin(blockInterface)
	e.u16(linkTypeRaw)
	e.u16(0)
	e.u32(0) // packets are not cut
	e.option(optionName, []byte(name))
	e.option(optionDescription, []byte(description))
	e.option(optionResolution, []byte{nanoseconds})
	e.end()
}

// packet writes a packet that the interface with the number sent, or, coming
// in, received.
func (e *encoder) packet(device int, at tcp.Time, data []byte, in bool, comments []string) {
	e.begin(blockPacket)
	e.u32(uint32(device))
	e.u32(uint32(uint64(at) >> 32))
	e.u32(uint32(at))
	e.u32(uint32(len(data)))
	e.u32(uint32(len(data)))
	e.padded(data)
	for _, c := range comments {
		e.option(optionComment, []byte(c))
	}
	direction := uint32(outbound)
	if in {
		direction = inbound
	}
	e.option(optionFlags, binary.LittleEndian.AppendUint32(nil, direction))
	e.end()
}
