package trivet

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// batchSize is how many packets are read from a link at once, and about how
// many small ones are written at once.
const batchSize = 64

// attachment is a link that the host is attached to.
type attachment struct {
	link     link.Link
	index    int // of the interface
	mtu      int
	loopback bool
	prefixes []netip.Prefix
	offloads link.Offloads
	closing  atomic.Bool           // no more is to be read
	down     atomic.Pointer[error] // why reading has ended
	done     chan struct{}         // closed when receive has ended

	rxPackets, txPackets, txDropped atomic.Uint64
}

// receive reads from the link until it is closed; RemoveLink and Stack.Close
// close it and wait for done. Each batch is run to completion, shard by shard.
func (s *Stack) receive(a *attachment) {
	defer close(a.done)
	pkts := make([]wire.Packet, batchSize)
	owner := make([]uint8, batchSize)
	var strays wire.Batch
	for {
		n, err := a.link.Read(pkts)
		n = clamp(n, len(pkts))
		if a.closing.Load() { // whatever the link says
			for i := range pkts[:n] {
				pkts[i].Release()
			}
			return
		}
		a.rxPackets.Add(uint64(n))
		for i := range pkts[:n] {
			pkts[i].Link = a.index
		}
		merged := n
		if !a.offloads.Has(link.RxMerged) {
			merged = wire.Merge(pkts[:n])
		}
		s.deliver(pkts[:n], merged, owner, &strays)
		s.deliverStrays(&strays)
		if err == nil {
			continue
		}
		why := err // err itself would be allocated each time
		a.down.Store(&why)
		if s.cfg.LinkDown != nil && !errors.Is(err, net.ErrClosed) {
			s.cfg.LinkDown(a.link, err)
		}
		return
	}
}

// deliver hands the first n packets to the shards that they belong to, and
// releases all.
func (s *Stack) deliver(pkts []wire.Packet, n int, owner []uint8, strays *wire.Batch) {
	var present uint64 // shards that get something
	for i := range pkts[:n] {
		owner[i] = uint8(s.shards[0].engine.ShardOf(&pkts[i]))
		present |= 1 << owner[i]
	}
	for i, sh := range s.shards {
		if present&(1<<i) != 0 {
			sh.input(pkts[:n], i, owner, strays)
		}
	}
	for i := range pkts {
		pkts[i].Release()
	}
}

// deliverStrays hands on what was put together from fragments.
func (s *Stack) deliverStrays(strays *wire.Batch) {
	if strays.Len() == 0 {
		return
	}
	var none wire.Batch // whole packets leave no strays
	owner := make([]uint8, strays.Len())
	s.deliver(strays.Packets, strays.Len(), owner, &none)
	strays.Reset()
}

// close closes the link and waits until nobody reads from it any more.
func (a *attachment) close() error {
	a.closing.Store(true)
	err := a.link.Close()
	<-a.done
	return err
}

// transmit writes the packets of out to their links and releases them. plain
// is room to work in. It adds what the links did not take to refused.
func transmit(links []*attachment, out, plain *wire.Batch, refused []engine.Refusal) []engine.Refusal {
	pkts := out.Packets
	for len(pkts) > 0 {
		n := 1
		for n < len(pkts) && pkts[n].Link == pkts[0].Link {
			n++
		}
		if i := pkts[0].Link; i < len(links) && links[i] != nil {
			refused = links[i].send(pkts[:n], plain, refused)
		}
		pkts = pkts[n:]
	}
	out.Release()
	return refused
}

// send writes packets in the form that the link takes. This is the one place
// where super-segments are cut and checksums completed for links that do
// neither.
func (a *attachment) send(pkts []wire.Packet, plain *wire.Batch, refused []engine.Refusal) []engine.Refusal {
	if a.offloads.Has(link.TSO) {
		return a.write(pkts, refused)
	}
	for i := range pkts {
		if !wire.Cut(&pkts[i], a.mtu, plain) {
			a.txDropped.Add(1)
		}
		if plain.Len() >= batchSize || i == len(pkts)-1 {
			refused = a.write(plain.Packets, refused)
			plain.Release()
		}
	}
	return refused
}

// write writes packets and adds those that the link did not take to refused: all
// but TCP lose them, as on any network.
func (a *attachment) write(pkts []wire.Packet, refused []engine.Refusal) []engine.Refusal {
	n, _ := a.link.Write(pkts)
	n = clamp(n, len(pkts))
	a.txPackets.Add(uint64(n))
	a.txDropped.Add(uint64(len(pkts) - n))
	for i := range pkts[n:] {
		if r, ok := engine.RefusalOf(&pkts[n+i]); ok {
			refused = append(refused, r)
		}
	}
	return refused
}

// clamp returns n as a count of packets, of which there were limit: a device that is
// not ours may say -1 with an error, as system calls do.
func clamp(n, limit int) int { return max(0, min(n, limit)) }
