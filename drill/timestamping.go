package drill

import (
	"syscall"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// The bits of SO_TIMESTAMPING that are known. Hardware has none of the times.
const (
	stampTxSoftware = 1 << 1
	stampRxSoftware = 1 << 3
	stampSoftware   = 1 << 4 // tell the times
	stampID         = 1 << 7
	stampTxSched    = 1 << 8
	stampTxAck      = 1 << 9
	stampOnly       = 1 << 11 // without what was sent
	stampStats      = 1 << 12
	stampIDAtWrite  = 1 << 16
	stampMask       = 1<<19 - 1

	// stampWrites ask for the times of what is written; a write may have its own.
	stampWrites = stampTxSoftware | stampTxSched | stampTxAck
)

// stamps are the writes of a socket of whose last byte times are to be told
// (SO_TIMESTAMPING).
type stamps struct {
	flags   int64
	base    uint32 // the sequence number that keys count from
	pending []stamp
}

// stamp is one of them: what is to be told, and the sequence number after the
// last byte.
type stamp struct {
	flags    int64
	end, key uint32
}

// setTimestamping sets SO_TIMESTAMPING. Keys are the last byte's place in the
// stream, counted from what is acknowledged, or with SOF_TIMESTAMPING_OPT_ID_TCP
// from what is written.
func (r *runner) setTimestamping(s *socket, flags int64) (outcome, error) {
	idAtWrite, id := flags&stampIDAtWrite != 0, flags&stampID != 0
	switch {
	case flags&^stampMask != 0, idAtWrite && !id, flags&stampStats != 0 && flags&stampOnly == 0:
		return failed(syscall.EINVAL), nil
	case flags&stampStats != 0:
		return outcome{}, &unsupported{"SOF_TIMESTAMPING_OPT_STATS"}
	case id && s.stamps.flags&stampID == 0:
		if s.conn == nil || s.conn.State() == tcp.StateClosed {
			return failed(syscall.EINVAL), nil
		}
		s.stamps.base = s.conn.Info(r.now).SndUna
		if idAtWrite {
			s.stamps.base = s.nextSeq()
		}
	}
	s.stamps.flags, s.values["SO_TIMESTAMPING"] = flags, flags
	return outcome{}, nil
}

// nextSeq is the sequence number of the next byte written.
func (s *socket) nextSeq() uint32 { return 1 + s.written() }

// noteWrite remembers what is to be told of a write that is over.
func (s *socket) noteWrite(t *transfer) {
	if s.wantsZerocopy(t.flags) {
		s.copies.add(s.nextSeq())
	}
	flags := s.stamps.flags & stampWrites
	if t.hasStamps {
		flags = t.stamps
	}
	if flags == 0 {
		return
	}
	key := uint32(0)
	if s.stamps.flags&stampID != 0 {
		key = s.nextSeq() - 1 - s.stamps.base
	}
	s.stamps.pending = append(s.stamps.pending, stamp{flags, s.nextSeq(), key})
}

// noteSent tells of the writes whose last byte is in a segment, the first time
// and again.
func (r *runner) noteSent(p *sentPacket) {
	if p.flow == nil || p.flow.socket == nil || len(p.flow.socket.stamps.pending) == 0 {
		return
	}
	s := p.flow.socket
	seq := p.tcp.seq - s.conn.Info(r.now).ISS
	if p.tcp.flags&uint16(wire.SYN) != 0 {
		seq++
	}
	s.noteSegment(r.now, seq, seq+uint32(len(p.payload)))
}

func (s *socket) noteSegment(now tcp.Time, seq, end uint32) {
	for i := range s.stamps.pending {
		p := &s.stamps.pending[i]
		if int32(p.end-seq) <= 0 || int32(end-p.end) < 0 {
			continue
		}
		if p.flags&stampTxSched != 0 {
			s.stamped(now, p, "SCM_TSTAMP_SCHED")
		}
		if p.flags&stampTxSoftware != 0 {
			s.stamped(now, p, "SCM_TSTAMP_SND")
		}
	}
}

// noteAcked tells of what the peer has acknowledged since the last time.
func (s *socket) noteAcked(now tcp.Time) {
	if len(s.stamps.pending)+len(s.copies.pending) == 0 {
		return
	}
	una := s.conn.Info(now).SndUna
	for len(s.stamps.pending) > 0 && int32(una-s.stamps.pending[0].end) >= 0 {
		p := &s.stamps.pending[0]
		if p.flags&stampTxAck != 0 {
			s.stamped(now, p, "SCM_TSTAMP_ACK")
		}
		s.stamps.pending = s.stamps.pending[1:]
	}
	s.freeZerocopies(una)
}

// stamped tells one time.
func (s *socket) stamped(now tcp.Time, p *stamp, kind string) {
	n := notice{
		errno: syscall.ENOMSG, origin: constants["SO_EE_ORIGIN_TIMESTAMPING"], info: uint32(constants[kind]), data: p.key,
		text: s.stamps.flags&stampOnly == 0,
	}
	if s.stamps.flags&stampSoftware != 0 {
		n.at = now
	}
	s.errors.put(n)
}

// arrival is when bytes of the stream came: those from one offset to another.
type arrival struct {
	from, to uint32
	at       tcp.Time
}

// arrivedAt returns when the byte at an offset of the stream came first; 0 if
// nobody knows.
func (f *flow) arrivedAt(off uint32) tcp.Time {
	for _, a := range f.arrivals {
		if int32(off-a.from) >= 0 && int32(off-a.to) < 0 {
			return a.at
		}
	}
	return 0
}

// readControls returns the control messages of a read of n bytes: when the last
// of them came, and what is left to be read.
func (r *runner) readControls(s *socket, n int64) []control {
	var list []control
	const receive = stampRxSoftware | stampSoftware
	if s.stamps.flags&receive == receive && n > 0 && s.flow != nil {
		if at := s.flow.arrivedAt(s.readAt - 1); at != 0 {
			list = append(list, timestampControl(at))
		}
	}
	if s.inq {
		list = append(list, control{level: "SOL_TCP", kind: "TCP_CM_INQ", value: r.inQueue(s)})
	}
	return list
}
