package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// blocks stands before the pcapng reader and hands it a file block by block,
// those that lead to packets alone: lengths that contradict each other never
// reach it, and a length that a file only claims asks for no memory.
//
// Block types and layouts are those of draft-ietf-opsawg-pcapng.
type blocks struct {
	in     *bufio.Reader
	order  binary.ByteOrder // of the section
	ifaces uint32           // of the section
	block  []byte           // what is left of the block at hand
	buf    []byte
	// damaged counts packets that were left out, for what their block says of
	// itself cannot be.
	damaged int
}

const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	byteOrderMagic = 0x1a2b3c4d

	// maxBlock is the longest block that is taken: a packet, and its options.
	maxBlock = maxPacket + 64<<10
	// maxInterfaces is how many interfaces a section may describe.
	maxInterfaces = 1 << 16
)

// errCut is not io.ErrUnexpectedEOF, which the reader takes for the end between
// two blocks.
var errCut = errors.New("the file ends in the middle of a block")

// Read implements io.Reader.
func (b *blocks) Read(p []byte) (int, error) {
	for len(b.block) == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.block)
	b.block = b.block[n:]
	return n, nil
}

// next takes the next block, and leaves it out unless it leads to packets.
func (b *blocks) next() error {
	head, err := b.in.Peek(12)
	if len(head) == 0 {
		return err
	}
	if err != nil {
		return errCut
	}
	if binary.BigEndian.Uint32(head) == blockSection && !b.section(head) {
		return errors.New("a section header in no byte order")
	}
	kind, length := b.order.Uint32(head), b.order.Uint32(head[4:])
	if length < 12 || length%4 != 0 {
		return fmt.Errorf("a block of %d bytes cannot be", length)
	}
	switch kind {
	case blockSection, blockInterface, blockPacket, blockSimple, blockEnhanced:
	default:
		if _, err := b.in.Discard(int(length)); err != nil {
			return errCut
		}
		return nil
	}
	if length > maxBlock {
		return fmt.Errorf("a block claims %d bytes", length)
	}
	if cap(b.buf) < int(length) {
		b.buf = make([]byte, maxBlock)
	}
	block := b.buf[:length]
	if _, err := io.ReadFull(b.in, block); err != nil {
		return errCut
	}
	if b.order.Uint32(block[length-4:]) != length {
		return fmt.Errorf("a block says %d bytes at its beginning, %d at its end", length, b.order.Uint32(block[length-4:]))
	}
	if !b.sound(kind, block) {
		b.damaged++
		return nil
	}
	b.block = block
	return nil
}

// section begins a section, in the byte order that its header shows.
func (b *blocks) section(head []byte) bool {
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(head[8:]):
		b.order = binary.LittleEndian
	case binary.BigEndian.Uint32(head[8:]):
		b.order = binary.BigEndian
	default:
		return false
	}
	b.ifaces = 0
	return true
}

// sound reports whether a block has room for what it says it holds.
func (b *blocks) sound(kind uint32, block []byte) bool {
	var iface, captured uint32
	switch kind {
	case blockInterface:
		if len(block) < 20 || b.ifaces == maxInterfaces {
			return false
		}
		b.ifaces++
		return true
	case blockEnhanced, blockPacket:
		if len(block) < 32 {
			return false
		}
		iface, captured = b.order.Uint32(block[8:]), b.order.Uint32(block[20:])
		if kind == blockPacket {
			iface = uint32(b.order.Uint16(block[8:]))
		}
	case blockSimple:
		// Its packet fills it, or is cut at the interface's snap length.
		return len(block) >= 16 && b.ifaces > 0
	default:
		return len(block) >= 28
	}
	return iface < b.ifaces && uint64(captured)+32 <= uint64(len(block))
}
