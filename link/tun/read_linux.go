package tun

import (
	"errors"
	"fmt"
	"net"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// reader is the state of Read, of which one runs at a time.
type reader struct {
	d    *Device
	fill func(fd uintptr) bool // r.drain, bound once

	// One call's arguments and results.
	pkts  []wire.Packet
	n     int
	bytes int // of the n packets
	err   error

	// buf receives the next packet.
	buf *block.Block

	patience patience
}

func (r *reader) init(d *Device) {
	r.d = d
	r.fill = r.drain
}

// Read waits for a packet and fills pkts with those that are there, each in a
// block of its own. It returns net.ErrClosed after Close, and another error
// when the device was removed from outside.
func (d *Device) Read(pkts []wire.Packet) (int, error) {
	if len(pkts) == 0 {
		return 0, nil
	}
	r := &d.reader
	r.patience.begin(r.n, r.bytes)
	r.pkts, r.n, r.bytes, r.err = pkts, 0, 0, nil
	err := d.conn.Read(r.fill)
	r.pkts = nil
	if r.n > 0 {
		return r.n, nil // an error comes again
	}
	if err == nil {
		err = r.err
	}
	return 0, d.ioError("read", err)
}

// drain reads until the device is empty or the call's packets are full. It
// reports false to be called again when the device is readable.
func (r *reader) drain(fd uintptr) bool {
	for r.n < len(r.pkts) {
		if r.buf == nil {
			r.buf = block.Get(r.d.readSize())
		}
		n, err := unix.Read(int(fd), r.buf.Bytes())
		switch err {
		case nil:
			r.patience.came()
			r.take(n)
		case unix.EINTR:
		case unix.EAGAIN:
			if r.n > 0 || !r.patience.more() {
				return r.n > 0
			}
			runtime.Gosched()
		default:
			r.err = err
			return true
		}
	}
	return true
}

// readSize is the size in bytes of the buffer to read into: the largest packet
// that can come.
func (d *Device) readSize() int {
	if d.vnet {
		return block.Large
	}
	return d.mtu
}

// take makes the first n bytes of r.buf the next packet of the call.
func (r *reader) take(n int) {
	s := &r.d.stats
	data := r.buf.Bytes()[:n]
	segSize, sum := 0, wire.ChecksumUnknown
	if r.d.vnet {
		ok := n > vnetLen
		if ok {
			h := decodeVnet(data)
			data = data[vnetLen:]
			segSize, sum, ok = h.check(data)
		}
		if !ok {
			s.rxInvalid.Add(1)
			return
		}
	}
	s.rxPackets.Add(1)
	s.rxBytes.Add(uint64(len(data)))
	if segSize > 0 {
		s.rxSuper.Add(1)
	}

	r.bytes += len(data)
	p := &r.pkts[r.n]
	p.SetChunk(r.chunk(data))
	p.SegSize, p.Checksum = segSize, sum
	r.n++
}

// chunk returns data, which is in r.buf, with a reference for the packet. A
// packet that fits a smaller block is copied there, so that a queue of small
// packets does not hold large ones.
func (r *reader) chunk(data []byte) block.Chunk {
	b := r.buf
	if len(data) <= block.Medium && b.Cap() > block.Medium ||
		len(data) <= block.Small && b.Cap() > block.Small {
		b = block.Get(len(data))
		return block.Chunk{Block: b, Data: b.Bytes()[:copy(b.Bytes(), data)]}
	}
	r.buf = nil
	return block.Chunk{Block: b, Data: data}
}

// ioError is err as Read and Write return it.
func (d *Device) ioError(op string, err error) error {
	if err == nil {
		return nil
	}
	if d.closed.Load() {
		return net.ErrClosed
	}
	if _, ok := errors.AsType[unix.Errno](err); !ok || err == unix.EBADFD {
		// The poller gives up on the descriptor, or the kernel does: there is no
		// device behind it any more.
		return fmt.Errorf("tun: %s %s: the device was removed: %w", op, d.name, err)
	}
	return fmt.Errorf("tun: %s %s: %w", op, d.name, err)
}
