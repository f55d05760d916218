package tun

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/wire"
)

// maxVectors is how many pieces of memory one system call takes (IOV_MAX).
const maxVectors = 1024

// writer is the state of one call of Write. Calls run side by side, each with
// a writer of its own.
type writer struct {
	d    *Device
	send func(fd uintptr) // w.writeAll, bound once

	// The call's arguments and results.
	pkts []wire.Packet
	n    int
	err  error

	vectors []unix.Iovec
	vnet    [vnetLen]byte
}

func newWriter(d *Device) *writer {
	w := &writer{d: d}
	w.send = w.writeAll
	return w
}

// Write hands the packets to the kernel, payload by reference, and returns how
// many it took. Packets that the kernel refuses are counted and dropped. An
// error means that the device is closed (net.ErrClosed) or was removed.
func (d *Device) Write(pkts []wire.Packet) (int, error) {
	w := d.writers.Get().(*writer)
	w.pkts, w.n, w.err = pkts, 0, nil
	// Control, unlike RawConn.Write, lets calls run side by side; nothing here
	// waits to become writable.
	err := d.conn.Control(w.send)
	if err == nil {
		err = w.err
	}
	n := w.n
	w.pkts = nil
	w.reset()
	d.writers.Put(w)
	return n, d.ioError("write", err)
}

// writeAll writes the call's packets, until one fails in a way that all others
// would. One that no device could carry counts as gone.
func (w *writer) writeAll(fd uintptr) {
	s := &w.d.stats
	for i := range w.pkts {
		p := &w.pkts[i]
		w.n = i + 1
		if !w.gather(p) {
			s.txInvalid.Add(1)
			continue
		}
		err := writev(fd, w.vectors)
		switch err {
		case 0:
			s.txPackets.Add(1)
			s.txBytes.Add(uint64(p.Len()))
			if p.SegSize > 0 {
				s.txSuper.Add(1)
			}
		case unix.EINVAL:
			s.txInvalid.Add(1)
		default:
			s.txDropped.Add(uint64(len(w.pkts) - i))
			w.n = i
			if !passing(err) {
				w.err = err
			}
			return
		}
	}
}

// passing reports whether the device may take packets later. EIO: the interface
// is down, for now.
func passing(err unix.Errno) bool {
	return err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.ENOMEM || err == unix.EIO
}

// gather collects the pieces of the packet in w.vectors, the virtio-net header
// first. It reports false when the device cannot carry the packet.
func (w *writer) gather(p *wire.Packet) bool {
	w.reset()
	if w.d.vnet {
		h, ok := vnetFor(p)
		if !ok {
			return false
		}
		h.encode(w.vnet[:])
		w.add(w.vnet[:])
	} else if p.SegSize > 0 || p.Checksum == wire.ChecksumPartial {
		return false
	}
	w.add(p.Header())
	if len(p.Payload) > maxVectors-len(w.vectors) {
		w.add(join(p.Payload))
		return true
	}
	for _, c := range p.Payload {
		w.add(c.Data)
	}
	return true
}

// reset forgets the pieces of the last packet, which are not the writer's to
// keep from the garbage collector.
func (w *writer) reset() {
	clear(w.vectors)
	w.vectors = w.vectors[:0]
}

func (w *writer) add(b []byte) {
	if len(b) == 0 {
		return
	}
	v := unix.Iovec{Base: &b[0]}
	v.SetLen(len(b))
	w.vectors = append(w.vectors, v)
}

// join copies chunks too many for one system call into one piece.
func join(chunks []block.Chunk) []byte {
	var b []byte
	for _, c := range chunks {
		b = append(b, c.Data...)
	}
	return b
}

// writev writes one packet. The kernel takes all of a packet or none.
func writev(fd uintptr, v []unix.Iovec) unix.Errno {
	if len(v) == 0 {
		return unix.EINVAL
	}
	for {
		_, _, err := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)))
		if err != unix.EINTR {
			return err
		}
	}
}
