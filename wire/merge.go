package wire

import "encoding/binary"

const (
	maxPacket = 65535 // bytes in the largest IP packet

	// runBits is the logarithm of how many flows of one batch are merged side
	// by side.
	runBits = 5
)

// run is a packet that the next segment of its flow may be added to. The zero
// value is none.
type run struct {
	p       *Packet
	ipLen   int    // bytes of the IP header
	hl      int    // bytes of all headers
	total   int    // bytes of the packet
	segSize int    // payload of the first segment
	next    uint32 // sequence number after it
	merged  bool   // something was added
	psh     bool   // what was added last had PSH
}

// Merge merges runs of TCP segments in a batch that was read from a link, as
// GRO does, and returns how many packets are left at the start of pkts.
//
// Segments are merged that follow one another in their flow and differ in
// nothing but what Cut writes: all of one size but the last, with no flag but
// ACK and PSH, which ends a run. Their checksums are verified before; the
// result has ChecksumValid. The order within a flow stays as it was.
// References to the payload move with it.
func Merge(pkts []Packet) int {
	if len(pkts) < 2 {
		return len(pkts)
	}
	var runs [1 << runBits]run
	n := 0
	for i := range pkts {
		var s run
		slot, mergeable := s.read(&pkts[i])
		if slot >= 0 {
			r := &runs[slot]
			if mergeable && r.take(&s) {
				continue
			}
			// What comes later goes after this packet, or nowhere.
			r.finish()
		}
		if i != n {
			// By exchange: both keep the memory of a slice.
			pkts[n], pkts[i] = pkts[i], pkts[n]
		}
		if mergeable {
			s.p = &pkts[n]
			runs[slot] = s
		}
		n++
	}
	for i := range runs {
		runs[i].finish()
	}
	return n
}

// read makes s a run of the packet alone. It returns the slot of the packet's
// flow, -1 if it is of none, and whether it can be merged with others.
func (s *run) read(p *Packet) (slot int, mergeable bool) {
	var ip IP
	if p.ParseIP(&ip) != DropNone || ip.Protocol != ProtoTCP {
		return -1, false
	}
	b := p.Contiguous()
	if len(b) < ip.HeaderLen+tcpHeaderLen {
		return -1, false
	}
	t := b[ip.HeaderLen:]
	slot = flowSlot(&ip, binary.LittleEndian.Uint32(t))
	hl := ip.HeaderLen + int(t[12]>>4)*4
	flags := binary.BigEndian.Uint16(t[12:]) & 0xfff // the reserved bits too
	plain := (ip.Version == 4 && ip.HeaderLen == ipv4HeaderLen) || (ip.Version == 6 && ip.HeaderLen == ipv6HeaderLen)
	switch {
	case !plain || p.SegSize != 0 || flags&^uint16(PSH) != uint16(ACK):
		return slot, false
	case hl < ip.HeaderLen+tcpHeaderLen || hl > len(b) || hl >= ip.Len || (p.n > 0 && hl != int(p.n)):
		return slot, false
	}
	if p.Checksum == ChecksumUnknown {
		acc := pseudoSum(&ip.Src, &ip.Dst, ProtoTCP, ip.Len-ip.HeaderLen)
		if fold(p.sumFrom(ip.HeaderLen, acc)) != 0xffff {
			return slot, false
		}
		p.Checksum = ChecksumValid
	}
	*s = run{
		p: p, ipLen: ip.HeaderLen, hl: hl, total: ip.Len, segSize: ip.Len - hl,
		next: binary.BigEndian.Uint32(t[4:]) + uint32(ip.Len-hl), psh: flags&uint16(PSH) != 0,
	}
	return slot, true
}

// flowSlot returns the place of a flow in Merge's table. Two flows in the same
// place are not merged while they alternate.
func flowSlot(ip *IP, ports uint32) int {
	le := binary.LittleEndian
	h := le.Uint64(ip.Src[8:]) ^ le.Uint64(ip.Dst[8:])>>7 ^ uint64(ports)<<13
	return int(h * 0x9e37_79b9_7f4a_7c15 >> (64 - runBits)) // Fibonacci hashing
}

// take adds the segment s to the run, if it is the next one.
func (r *run) take(s *run) bool {
	size := s.segSize
	if r.p == nil || s.next-uint32(size) != r.next || size > r.segSize ||
		r.total+size > maxPacket || !r.sameHeaders(s) || !r.p.pull(r.hl) {
		return false
	}
	r.merged = true
	r.psh = s.psh
	r.total += size
	r.next = s.next
	r.p.SegSize = r.segSize
	r.p.Checksum = ChecksumValid
	r.p.takePayload(s.p, s.hl)
	if s.psh || size < r.segSize {
		r.finish()
	}
	return true
}

// sameHeaders reports whether the headers of r and s differ in nothing but
// lengths, IPv4 identification, sequence number, PSH and checksums.
func (r *run) sameHeaders(s *run) bool {
	if r.psh || r.ipLen != s.ipLen || r.hl != s.hl {
		return false
	}
	be := binary.BigEndian
	a, b := r.p.Contiguous()[:r.hl], s.p.Contiguous()[:s.hl]
	if r.ipLen == ipv4HeaderLen {
		if be.Uint16(a) != be.Uint16(b) || be.Uint32(a[6:]) != be.Uint32(b[6:]) ||
			be.Uint64(a[12:]) != be.Uint64(b[12:]) {
			return false
		}
	} else if be.Uint32(a) != be.Uint32(b) || string(a[6:40]) != string(b[6:40]) {
		return false
	}
	a, b = a[r.ipLen:], b[r.ipLen:]
	return be.Uint32(a) == be.Uint32(b) && be.Uint32(a[8:]) == be.Uint32(b[8:]) &&
		be.Uint16(a[14:]) == be.Uint16(b[14:]) && string(a[18:]) == string(b[18:])
}

// takePayload moves the payload of q, which begins at offset off, to the end
// of p's, and empties q.
func (p *Packet) takePayload(q *Packet, off int) {
	off -= int(q.n)
	for _, c := range q.Payload {
		if off >= len(c.Data) {
			off -= len(c.Data)
			c.Release()
			continue
		}
		c.Data = c.Data[off:]
		off = 0
		last := &p.Payload[len(p.Payload)-1]
		if n := len(last.Data) + len(c.Data); c.Follows(*last) && n <= cap(last.Data) {
			last.Data = last.Data[:n]
			c.Release() // last has a reference to the block
			continue
		}
		p.Payload = append(p.Payload, c)
	}
	q.Reset()
}

// finish ends the run: the headers of what was merged get what has changed.
func (r *run) finish() {
	if r.merged {
		h := r.p.Header()
		be := binary.BigEndian
		if r.ipLen == ipv6HeaderLen {
			be.PutUint16(h[4:], uint16(r.total-ipv6HeaderLen))
		} else {
			be.PutUint16(h[2:], uint16(r.total))
			putIPv4Checksum(h)
		}
		if r.psh {
			h[r.ipLen+13] |= byte(PSH)
		}
	}
	*r = run{}
}
