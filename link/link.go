package link

import "github.com/trivet-net/trivet/wire"

// Link is a network device that carries IP packets. Read is called by one
// goroutine at a time, Write by several at once, Close at any time.
//
// A device of one's own is a few lines: Read fills packets with Packet.SetBytes,
// Write takes their bytes with Packet.AppendTo. There is a tunnel over UDP among the
// examples of package trivet.
type Link interface {
	// Read waits for at least one packet and fills pkts from the start,
	// returning how many it filled. The packets are the caller's, who calls
	// Release on each when done; bytes given by SetBytes stay valid only until the
	// next Read. An error is the end: nothing is read any more, and Config.LinkDown
	// of the Stack is told. What may pass, as the ECONNREFUSED of a UDP socket, is for
	// Read to try again. After Close it returns net.ErrClosed, wrapped or not.
	Read(pkts []wire.Packet) (n int, err error)

	// Write sends packets in order and returns how many it took, from the first on;
	// the rest was dropped, as networks do when a queue is full, but TCP is told
	// and does not wait for an ACK to miss it. It borrows the packets for
	// the call and keeps none (see wire.Packet.CopyTo). It never waits for
	// another stack and never calls back into one. While it waits for anything, calls
	// on connections do, whatever their deadlines: better drop. The error is not looked
	// at, only n.
	Write(pkts []wire.Packet) (n int, err error)

	// MTU is the size of the largest IP packet the link carries, in bytes.
	MTU() int

	// Offloads says what the link does so that the stack need not.
	Offloads() Offloads

	// Close stops the link: a waiting Read returns net.ErrClosed. A second
	// Close is harmless.
	Close() error
}

// Offloads is a set of things that a link does instead of the stack.
type Offloads uint8

const (
	// TxChecksum: packets may be written with wire.ChecksumPartial.
	TxChecksum Offloads = 1 << iota
	// TSO: TCP super-segments up to 64 KiB may be written. Implies TxChecksum.
	TSO
	// RxMerged: packets read are merged as far as they can be; the stack does
	// not try again.
	RxMerged
)

// Has reports whether all of f are in o.
func (o Offloads) Has(f Offloads) bool { return o&f == f }
