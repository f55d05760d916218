package wire

import (
	"encoding/binary"
	"time"

	"github.com/trivet-net/trivet/internal/block"
)

// ProtoIGMP is the number of IGMP.
const ProtoIGMP = 2

// MembershipKind is what a message about multicast groups says.
type MembershipKind uint8

// The kinds.
const (
	MembershipQuery  MembershipKind = iota + 1 // a router asks
	MembershipReport                           // a host listens to a group, or has changed what it listens to
	MembershipLeave                            // a host listens no more
)

// Membership is a message of IGMP (RFC 1112, 2236, 3376) or MLD (RFC 2710,
// 3810), which say the same in IPv4 and IPv6.
type Membership struct {
	Kind MembershipKind
	// Version is that of IGMP, 1 to 3; of MLD, where 1 is like IGMP's 2.
	Version uint8
	// Group is what a query, or a report before the latest version, is about;
	// the zero Addr in a general query.
	Group Addr
	// MaxResponse is within what time a query is to be answered; 0 in version 1
	// of IGMP, which says nothing.
	MaxResponse time.Duration
	// Robustness and Interval are the querier's, of the latest version; 0 for
	// none.
	Robustness uint8
	Interval   time.Duration
}

// Types on the wire.
const (
	igmpQuery    = 0x11
	igmpReport1  = 0x12
	igmpReport2  = 0x16
	igmpLeave    = 0x17
	igmpReport3  = 0x22
	mldQuery     = 130
	mldReport1   = 131
	mldDone      = 132
	mldReport2   = 143
	igmpLen      = 8 // and of IGMPv3 without records
	igmpQuery3   = 12
	mldLen       = 24
	mldQuery2    = 28
	mldReportLen = 8 // without records

	optionRouterAlert = 5 // of IPv6 (RFC 2711)
)

// IsMLD reports whether an ICMPv6 packet that ParseIP has read is of MLD.
func (p *Packet) IsMLD(ip *IP) bool {
	var b [1]byte
	if ip.Protocol != ProtoICMPv6 || p.copyFrom(b[:], ip.HeaderLen) == 0 {
		return false
	}
	return b[0] >= mldQuery && b[0] <= mldDone || b[0] == mldReport2
}

// ParseMembership reads the message of IGMP or MLD that follows the IP header
// that ParseIP found. A report of the latest version, which is for routers, is
// DropICMPType, and so are types that are none of these.
func (p *Packet) ParseMembership(ip *IP, m *Membership) Drop {
	var buf [mldQuery2]byte
	b := buf[:p.copyFrom(buf[:], ip.HeaderLen)]
	*m = Membership{}
	length := ip.Len - ip.HeaderLen
	if length < igmpLen {
		return DropICMPHeader
	}
	var acc uint64
	if ip.Version == 6 {
		acc = pseudoSum(&ip.Src, &ip.Dst, ProtoICMPv6, length)
	}
	if p.Checksum == ChecksumUnknown && fold(p.sumFrom(ip.HeaderLen, acc)) != 0xffff {
		return DropICMPChecksum
	}
	switch {
	case ip.Version == 4 && ip.Protocol == ProtoIGMP:
		return m.parseIGMP(b, length)
	case ip.Version == 6 && ip.Protocol == ProtoICMPv6:
		// RFC 3810, Sections 6.2 and 7.6: hop limit 1 and the router alert option, or
		// the message is ignored. Whether the source may be is the caller's to know.
		if ip.TTL != 1 || !p.hasRouterAlert() {
			return DropICMPHeader
		}
		return m.parseMLD(b, length)
	}
	return DropProtocol
}

func (m *Membership) parseIGMP(b []byte, length int) Drop {
	if g := b[4:8]; [4]byte(g) != [4]byte{} {
		m.Group.setIPv4(g)
	}
	switch b[0] {
	case igmpReport1:
		m.Kind, m.Version = MembershipReport, 1
	case igmpReport2:
		m.Kind, m.Version = MembershipReport, 2
	case igmpLeave:
		m.Kind, m.Version = MembershipLeave, 2
	case igmpQuery:
		// RFC 3376, Section 7.1: the version is told by length and code.
		m.Kind = MembershipQuery
		switch {
		case length == igmpLen && b[1] == 0:
			m.Version = 1
		case length == igmpLen:
			m.Version, m.MaxResponse = 2, time.Duration(b[1])*100*time.Millisecond
		case length >= igmpQuery3:
			m.Version = 3
			m.MaxResponse = time.Duration(floatCode(uint(b[1]), 4)) * 100 * time.Millisecond
			m.setQuerier(b[8], b[9])
		default:
			return DropICMPHeader
		}
	default:
		return DropICMPType
	}
	return DropNone
}

func (m *Membership) parseMLD(b []byte, length int) Drop {
	if b[0] == mldReport2 {
		return DropICMPType
	}
	if length < mldLen {
		return DropICMPHeader
	}
	m.Version, m.Group = 1, Addr(b[8:24])
	code := uint(binary.BigEndian.Uint16(b[4:]))
	switch b[0] {
	case mldReport1:
		m.Kind = MembershipReport
	case mldDone:
		m.Kind = MembershipLeave
	case mldQuery:
		// RFC 3810, Section 8.1: the version is told by length.
		m.Kind = MembershipQuery
		switch {
		case length == mldLen:
			m.MaxResponse = time.Duration(code) * time.Millisecond
		case length >= mldQuery2:
			m.Version, m.MaxResponse = 2, time.Duration(floatCode(code, 12))*time.Millisecond
			m.setQuerier(b[24], b[25])
		default:
			return DropICMPHeader
		}
	default:
		return DropICMPType
	}
	return DropNone
}

// setQuerier reads S, QRV and QQIC (RFC 3376, Sections 4.1.5 to 4.1.7).
func (m *Membership) setQuerier(flags, qqic byte) {
	m.Robustness = flags & 7
	m.Interval = time.Duration(floatCode(uint(qqic), 4)) * time.Second
}

// floatCode decodes a number with a mantissa of the given bits below a 3-bit
// exponent, as the latest versions have it when the highest bit is set (RFC
// 3376, Section 4.1.1; RFC 3810, Section 5.1.3).
func floatCode(code uint, mantissa int) uint {
	if code>>(mantissa+3) == 0 {
		return code
	}
	return (code&(1<<mantissa-1) | 1<<mantissa) << (code>>mantissa&7 + 3)
}

// hasRouterAlert reports whether an IPv6 packet has a hop-by-hop header with the
// router alert option. The headers are known to be well formed.
func (p *Packet) hasRouterAlert() bool {
	b := p.Contiguous()
	if b[6] != ipv6HopByHop {
		return false
	}
	options := b[ipv6HeaderLen+2 : ipv6HeaderLen+8+int(b[ipv6HeaderLen+1])*8]
	for len(options) > 0 {
		switch options[0] {
		case 0: // Pad1
			options = options[1:]
			continue
		case optionRouterAlert:
			return true
		}
		options = options[2+int(options[1]):]
	}
	return false
}

// RecordType says what a group record of the latest version reports (RFC 3376,
// Section 4.2.12). Trivet asks for every source of a group or none.
type RecordType uint8

// The types.
const (
	RecordIsExclude RecordType = 2 // "the host listens to all but no source"
	RecordToInclude RecordType = 3 // it has stopped: to nothing but no source
	RecordToExclude RecordType = 4 // it has begun
)

// GroupRecord is one group in a report of the latest version.
type GroupRecord struct {
	Type  RecordType
	Group Addr
}

// Where messages of the latest version, and "leave", go.
var (
	allRouters4   = Addr{10: 0xff, 11: 0xff, 12: 224, 15: 2}
	allIGMPv3     = Addr{10: 0xff, 11: 0xff, 12: 224, 15: 22}
	allRouters6   = Addr{0: 0xff, 1: 2, 15: 2}
	allMLDv2      = Addr{0: 0xff, 1: 2, 15: 22}
	routerAlert4  = [4]byte{0x94, 4, 0, 0}                              // RFC 2113
	routerAlert6  = [8]byte{ProtoICMPv6, 0, optionRouterAlert, 2, 6: 1} // RFC 2711, and PadN
	membershipTOS = uint8(0xc0)                                         // RFC 3376, Section 4: internetwork control
)

// MaxRecords returns how many group records fit a report in a packet of mtu
// bytes.
func MaxRecords(is4 bool, mtu int) int {
	if is4 {
		return (mtu - ipv4HeaderLen - len(routerAlert4) - igmpLen) / 8
	}
	return (mtu - ipv6HeaderLen - len(routerAlert6) - mldReportLen) / 20
}

// BuildGroupReport makes the packet a report of the latest version, IGMPv3 or
// MLDv2 by the kind of src, with at least one record. The packet owns its
// payload; its Link stays.
func (p *Packet) BuildGroupReport(src Addr, records []GroupRecord) {
	if src.Is4() {
		body := block.Get(igmpLen + 8*len(records))
		b := body.Bytes()[:igmpLen+8*len(records)]
		clear(b)
		b[0] = igmpReport3
		binary.BigEndian.PutUint16(b[6:], uint16(len(records)))
		for i, r := range records {
			at := b[igmpLen+8*i:]
			at[0] = byte(r.Type)
			copy(at[4:8], r.Group[12:])
		}
		p.buildMembership(&src, &allIGMPv3, block.Chunk{Block: body, Data: b})
		return
	}
	body := block.Get(mldReportLen + 20*len(records))
	b := body.Bytes()[:mldReportLen+20*len(records)]
	clear(b)
	b[0] = mldReport2
	binary.BigEndian.PutUint16(b[6:], uint16(len(records)))
	for i, r := range records {
		at := b[mldReportLen+20*i:]
		at[0] = byte(r.Type)
		copy(at[4:20], r.Group[:])
	}
	p.buildMembership(&src, &allMLDv2, block.Chunk{Block: body, Data: b})
}

// BuildMembership makes the packet a report or leave of an older version: IGMPv1
// or v2, or MLDv1 (version 1). The packet owns its payload; its Link stays.
func (p *Packet) BuildMembership(src Addr, kind MembershipKind, version uint8, group Addr) {
	if src.Is4() {
		body := block.Get(igmpLen)
		b := body.Bytes()[:igmpLen]
		clear(b)
		dst := &group
		switch {
		case kind == MembershipLeave:
			b[0], dst = igmpLeave, &allRouters4
		case version == 1:
			b[0] = igmpReport1
		default:
			b[0] = igmpReport2
		}
		copy(b[4:], group[12:])
		p.buildMembership(&src, dst, block.Chunk{Block: body, Data: b})
		return
	}
	body := block.Get(mldLen)
	b := body.Bytes()[:mldLen]
	clear(b)
	b[0] = mldReport1
	dst := &group
	if kind == MembershipLeave {
		b[0], dst = mldDone, &allRouters6
	}
	copy(b[8:], group[:])
	p.buildMembership(&src, dst, block.Chunk{Block: body, Data: b})
}

// buildMembership puts an IP header with router alert and TTL 1 before a message
// and computes its checksum (RFC 3376, Section 4; RFC 3810, Section 5).
func (p *Packet) buildMembership(src, dst *Addr, body block.Chunk) {
	f := ipFields{proto: ProtoIGMP, tos: membershipTOS, ttl: 1, room: len(routerAlert4), length: len(body.Data)}
	be := binary.BigEndian
	if src.Is4() {
		putChecksum(body.Data[2:], accumulate(body.Data, 0))
		copy(p.setIP(src, dst, f), routerAlert4[:])
		h := p.Header()
		h[0] = 0x46
		be.PutUint16(h[2:], uint16(len(h)+len(body.Data)))
		h[6], h[7], h[10], h[11] = 0, 0, 0, 0
		putChecksum(h[10:], accumulate(h, 0))
	} else {
		f.proto, f.tos, f.room = ipv6HopByHop, 0, len(routerAlert6)
		acc := pseudoSum(src, dst, ProtoICMPv6, len(body.Data))
		putChecksum(body.Data[2:], accumulate(body.Data, acc))
		copy(p.setIP(src, dst, f), routerAlert6[:])
		be.PutUint16(p.Header()[4:], uint16(len(routerAlert6)+len(body.Data)))
	}
	p.Payload = append(p.Payload[:0], body)
	p.SegSize, p.Checksum = 0, ChecksumUnknown
}
