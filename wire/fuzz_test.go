package wire

import (
	"bytes"
	"testing"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/seqnum"
)

// FuzzParse takes any bytes as a packet, in one chunk, divided at a place or
// with their beginning in the packet itself, with any offload metadata. What
// parses as TCP is the same segment when it is built and parsed again.
func FuzzParse(f *testing.F) {
	for _, vector := range []string{
		vectorSYN4, vectorSYN6, vectorACK4, vectorSACK4, vectorData4, vectorUDP4, vectorUDP4Error, vectorUDP6,
		vectorUDP6Error, vectorProto4Error, vectorProto6Error, vectorEcho4, vectorEchoReply4, vectorEcho6,
	} {
		f.Add(bytesOf(f, vector), uint8(0), uint8(0), int16(0))
		f.Add(bytesOf(f, vector), uint8(1), uint8(60), int16(7))
	}
	f.Add(ipv6Packet(ipv6HopByHop, []byte{ipv6Fragment, 0, 1, 4, 0, 0, 0, 0, ProtoTCP, 0, 0, 0, 0, 0, 0, 0}, nil),
		uint8(2), uint8(0), int16(0))
	for _, vector := range []string{vectorQuery4, vectorQuery6, vectorFragment4, vectorFragment6} {
		f.Add(bytesOf(f, vector), uint8(0), uint8(0), int16(0))
	}
	f.Add(ipv4Packet([]byte{1, 131, 3, 4}, nil, nil), uint8(2), uint8(0), int16(0))
	f.Fuzz(func(t *testing.T, b []byte, state, divide uint8, segSize int16) {
		p := dividedAt(b, int(divide))
		p.Checksum = ChecksumState(state % 3)
		p.SegSize = int(segSize)
		parseAny(t, &p)

		// Neither do these panic, whatever they are given.
		var out Batch
		p = dividedAt(b, int(divide))
		p.Checksum, p.SegSize = ChecksumState(state%3), int(segSize)
		Cut(&p, 1500, &out)
		out.Release()
		pkts := []Packet{dividedAt(b, int(divide)), dividedAt(b, 0)}
		pkts[1].Checksum = ChecksumValid
		Merge(pkts)
	})
}

// dividedAt returns a packet with the bytes of b in two chunks, the first n in
// the first, or if n is 128 and more, that many less 128 in the packet itself.
func dividedAt(b []byte, n int) Packet {
	var p Packet
	if n >= MaxHeader {
		n = min(n-MaxHeader, len(b))
		copy(p.SetHeader(n), b)
	} else if n = min(n, len(b)); n > 0 {
		p.Payload = append(p.Payload, block.Chunk{Data: b[:n]})
	}
	p.Payload = append(p.Payload, block.Chunk{Data: b[n:]})
	return p
}

// parseAny parses a packet as whatever it is.
func parseAny(t *testing.T, p *Packet) {
	var ip IP
	switch p.ParseIP(&ip) {
	case DropNone:
	case DropFragment:
		parseFragment(t, p)
		return
	default:
		return
	}
	if ip.Len != p.Len() || ip.HeaderLen > ip.Len {
		t.Fatalf("packet of %d bytes has Len %d, HeaderLen %d", p.Len(), ip.Len, ip.HeaderLen)
	}
	switch ip.Protocol {
	case ProtoTCP:
		var s Segment
		if p.ParseTCP(&ip, &s) == DropNone {
			checkSegment(t, &ip, &s)
		}
	case ProtoUDP:
		var u UDP
		if p.ParseUDP(&ip, &u) == DropNone {
			if n := lenOf(u.Payload); n != u.PayloadLen {
				t.Fatalf("UDP payload of %d bytes has PayloadLen %d", n, u.PayloadLen)
			}
			answer(t, p, &ip)
		}
	default:
		var g Membership
		if p.ParseMembership(&ip, &g) == DropNone && (g.Kind == 0 || g.Version == 0) {
			t.Fatalf("ParseMembership = %+v, want a kind and a version", g)
		}
		p.IsMLD(&ip)
		var m ICMP
		if p.ParseICMP(&ip, &m) == DropNone && m.Kind == ICMPEcho {
			answer(t, p, &ip)
		}
	}
}

// parseFragment parses a fragment, and makes a datagram of it as if it were the
// only one.
func parseFragment(t *testing.T, p *Packet) {
	var f Fragment
	if p.ParseFragment(&f) != DropNone {
		return
	}
	if f.HeaderLen+f.DataLen != p.Len() || f.Offset+f.DataLen > maxPacket {
		t.Fatalf("fragment of %d bytes is %+v", p.Len(), f)
	}
	header := f.WholeHeader(bytes.Clone(p.Contiguous()[:f.HeaderLen]), f.DataLen, f.CE)
	if header == nil {
		return
	}
	var whole Packet
	whole.SetBytes(append(header, p.AppendTo(nil)[f.HeaderLen:]...))
	var ip IP
	if d := whole.ParseIP(&ip); d == DropNone && ip.Protocol != f.Protocol && ip.Version == 4 {
		t.Fatalf("protocol of the whole is %d, of the fragment %d", ip.Protocol, f.Protocol)
	}
}

func lenOf(chunks []block.Chunk) int {
	n := 0
	for _, c := range chunks {
		n += len(c.Data)
	}
	return n
}

// checkSegment builds a segment that was parsed, and parses it again.
func checkSegment(t *testing.T, ip *IP, s *Segment) {
	if n := lenOf(s.Payload); n != s.PayloadLen || s.Count < 1 || (s.Count > 1) != (s.SegSize > 0) {
		t.Fatalf("segment %v with %d bytes, PayloadLen %d, Count %d, SegSize %d", s, n, s.PayloadLen, s.Count, s.SegSize)
	}
	var p Packet
	p.BuildTCP(tupleOf(ip, s), s, 0)
	p.FinishChecksum()
	gotIP, got := parseSegment(t, &p)
	if gotIP.Src != ip.Src || gotIP.Dst != ip.Dst || got.SrcPort != s.SrcPort || got.DstPort != s.DstPort {
		t.Fatalf("%v, %v became %v, %v", ip, s, gotIP, &got)
	}
	// A TTL of 0 is built as the default, and SACK blocks may find no room.
	if ip.TTL == 0 {
		got.TTL = 0
	}
	s.Options.HasMD5 = false // it is never written
	if got.Options.NumSACK < s.Options.NumSACK {
		s.Options.NumSACK = got.Options.NumSACK
		clear(s.Options.SACK[got.Options.NumSACK:])
	}
	var want, text []byte
	for _, c := range s.Payload {
		want = append(want, c.Data...)
	}
	for _, c := range got.Payload {
		text = append(text, c.Data...)
	}
	if got.String() != s.String() || got.Urgent != s.Urgent || got.TOS != s.TOS || got.TTL != s.TTL ||
		got.Count != s.Count || got.SegSize != s.SegSize || !bytes.Equal(text, want) {
		t.Fatalf("%+v became %+v", s, &got)
	}
}

// answer builds the ICMP messages that a packet may get as an answer. They
// parse, and errors quote it.
func answer(t *testing.T, in *Packet, ip *IP) {
	var echo, port, protocol Packet
	echo.BuildEchoReply(ip, in)
	port.BuildHostError(ip, in, HostErrorPort)
	protocol.BuildHostError(ip, in, HostErrorProtocol)
	for i, p := range []*Packet{&echo, &port, &protocol} {
		var got IP
		var m ICMP
		if !validSource(&ip.Dst) {
			continue // an answer from there would not parse
		}
		if d := p.ParseIP(&got); d != DropNone && d != DropAddress {
			t.Fatalf("ParseIP of answer %d = %v", i, d)
		} else if d == DropAddress {
			continue
		}
		if got.Src != ip.Dst || got.Dst != ip.Src {
			t.Fatalf("answer %d is from %v to %v", i, got.Src, got.Dst)
		}
		d := p.ParseICMP(&got, &m)
		if i == 0 && (d != DropNone || m.Kind != ICMPEchoReply) {
			t.Fatalf("ParseICMP of an echo reply = %v, kind %d", d, m.Kind)
		}
		// What is quoted may lack the 8 bytes that a parser wants.
		if i > 0 && d == DropNone && (m.Tuple.LocalAddr != ip.Src || m.Tuple.RemoteAddr != ip.Dst) {
			t.Fatalf("error quotes %v, want from %v to %v", m.Tuple, ip.Src, ip.Dst)
		}
		p.Release()
	}
}

func validSource(a *Addr) bool {
	if a.Is4() {
		return !isGroup([4]byte(a[12:]))
	}
	return a[0] != 0xff
}

// FuzzCutMerge cuts a super-segment of any shape. The segments are right, and
// say the same as it did; merged, they are the super-segment again, if its
// flags let them.
func FuzzCutMerge(f *testing.F) {
	f.Add(uint16(3000), uint16(1000), uint16(1448), uint16(ACK|PSH), uint32(1<<32-1000), true, uint8(0))
	f.Add(uint16(1), uint16(1), uint16(1), uint16(ACK), uint32(0), false, uint8(1))
	f.Add(uint16(60000), uint16(7), uint16(1448), uint16(ACK|FIN|CWR), uint32(5), true, uint8(3))
	f.Fuzz(func(t *testing.T, length, first, segSize, flags uint16, seq uint32, v6 bool, options uint8) {
		length = min(length, 65535-MaxHeader)
		first = min(first, length)
		segSize = max(segSize, length/200, 1)
		s := Segment{Seq: seqnum.Value(seq), Ack: 5, Flags: Flags(flags) & 0x1ff &^ uncut, Window: 6, SegSize: int(segSize)}
		s.Options = Options{HasTS: options&1 != 0, TSVal: seq, NumSACK: options >> 1 % 4}
		chunks := []block.Chunk{payload(int(first)), payload(int(length - first))}
		for _, c := range chunks {
			s.Append(c)
		}
		tuple := tuple4
		if v6 {
			tuple = tuple6
		}
		var p Packet
		p.BuildTCP(tuple, &s, flags)
		_, whole := parseSegment(t, &p)
		text := textOf(t, &p)

		var out Batch
		if !Cut(&p, 65535, &out) || out.Len() != whole.Count {
			t.Fatalf("Cut made %d packets of %v, want %d", out.Len(), &s, whole.Count)
		}
		next, cut := s.Seq, []byte(nil)
		for i := range out.Packets {
			_, piece := parseSegment(t, &out.Packets[i])
			if piece.Seq != next || piece.Flags != flagsOfPiece(s.Flags, i == 0, i == whole.Count-1) {
				t.Fatalf("piece %d of %v is %v", i, &s, &piece)
			}
			next = next.Add(seqnum.Size(piece.PayloadLen))
			cut = append(cut, textOf(t, &out.Packets[i])...)
		}
		if !bytes.Equal(cut, text) {
			t.Fatalf("the pieces of %v carry other bytes", &s)
		}
		n := Merge(out.Packets)
		var merged []byte
		for i := range out.Packets[:n] {
			merged = append(merged, textOf(t, &out.Packets[i])...)
		}
		if !bytes.Equal(merged, text) {
			t.Fatalf("%v carries other bytes after Merge", &s)
		}
		if s.Flags|PSH == ACK|PSH && length > 0 {
			_, again := parseSegment(t, &out.Packets[0])
			if n != 1 || again.String() != whole.String() || again.SegSize != whole.SegSize || again.Count != whole.Count {
				t.Fatalf("%v became %d packets, the first %v", &whole, n, &again)
			}
		}
		for i := range out.Packets {
			out.Packets[i].Release()
		}
		wantFree(t, chunks)
		for _, c := range chunks {
			c.Release()
		}
	})
}
