package link

import (
	"net"
	"sync/atomic"

	"github.com/trivet-net/trivet/wire"
)

// PairOptions are what Pair is told.
type PairOptions struct {
	// Offloads says what the link does for the stacks. Zero: nothing, so that
	// every packet has its checksum and fits the MTU. With TxChecksum, a
	// packet whose checksum was left partial arrives as valid; with TSO,
	// super-segments pass whole.
	Offloads Offloads
	// QueuePackets and QueueBytes bound what waits to be read at either end;
	// packets beyond are dropped. Zero: 4096 packets, 16 MiB.
	QueuePackets, QueueBytes int
}

// The queue's bounds unless PairOptions say otherwise: room for the windows
// of a dozen connections.
const (
	defaultQueuePackets = 4096
	defaultQueueBytes   = 16 << 20
)

// Memory is one end of a link in memory. Packets move by reference: their
// payload is not copied. A second packet never overtakes the first.
type Memory struct {
	in, out  *queue
	mtu      int
	offloads Offloads
	closed   atomic.Bool
}

// Pair returns the two ends of a link in memory: what is written at one end is
// read at the other. mtu is in bytes. Closing one end leaves the other open,
// as a cable that was pulled: what it writes is dropped.
func Pair(mtu int, o PairOptions) (a, b *Memory) {
	ab, ba := newQueue(o), newQueue(o)
	a = &Memory{in: ba, out: ab, mtu: mtu, offloads: o.Offloads.normal()}
	b = &Memory{in: ab, out: ba, mtu: mtu, offloads: o.Offloads.normal()}
	return a, b
}

// Loopback returns a link that gives back what is written to it. It takes
// super-segments and partial checksums, for nothing can happen to a packet on
// the way. mtu is in bytes.
func Loopback(mtu int) *Memory {
	q := newQueue(PairOptions{})
	return &Memory{in: q, out: q, mtu: mtu, offloads: TSO | TxChecksum | RxMerged}
}

// normal adds what o implies.
func (o Offloads) normal() Offloads {
	if o.Has(TSO) {
		o |= TxChecksum
	}
	return o
}

// Read implements Link.
func (m *Memory) Read(pkts []wire.Packet) (int, error) {
	n, open := m.in.pop(pkts)
	if !open {
		return 0, net.ErrClosed
	}
	return n, nil
}

// Write implements Link. A packet that is longer than the MTU, or that asks
// for an offload the link does not have, is dropped.
func (m *Memory) Write(pkts []wire.Packet) (int, error) {
	if m.closed.Load() {
		return 0, net.ErrClosed
	}
	return m.out.push(pkts, m), nil
}

// fits reports whether the link carries p.
func (m *Memory) fits(p *wire.Packet) bool {
	if p.Checksum == wire.ChecksumPartial && !m.offloads.Has(TxChecksum) {
		return false
	}
	if p.SegSize > 0 {
		return m.offloads.Has(TSO)
	}
	return p.Len() <= m.mtu
}

// MTU implements Link.
func (m *Memory) MTU() int { return m.mtu }

// Offloads implements Link.
func (m *Memory) Offloads() Offloads { return m.offloads }

// Dropped returns how many packets written at this end were dropped.
func (m *Memory) Dropped() uint64 { return m.out.drops() }

// Close implements Link: reads and writes at this end fail, and what the
// other end writes is dropped.
func (m *Memory) Close() error {
	m.closed.Store(true)
	m.in.close()
	return nil
}
