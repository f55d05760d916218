package capture

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gopacket/gopacket/layers"

	"github.com/trivet-net/trivet/trace"
	"github.com/trivet-net/trivet/wire"
)

// Link types that the reader's library has no name for.
const (
	linkRaw12 layers.LinkType = 12 // raw IP, as BSD numbers it
	linkRaw14 layers.LinkType = 14
)

// known reports whether strip knows the link type.
func known(link layers.LinkType) bool {
	switch link {
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6, linkRaw12, linkRaw14, layers.LinkTypeNull,
		layers.LinkTypeLoop, layers.LinkTypeEthernet, layers.LinkTypePPP, layers.LinkTypeLinuxSLL, layers.LinkTypeLinuxSLL2:
		return true
	}
	return false
}

// linkName says of a packet that strip does not know where it was captured.
func linkName(link layers.LinkType) string {
	return fmt.Sprintf("of link type %d (%v)", uint16(link), link)
}

// strip returns a packet from its IP header on, nil when it has none.
func strip(link layers.LinkType, data []byte) []byte {
	switch link {
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		return from(data, 4)
	case layers.LinkTypeEthernet:
		return ethertype(data, 12)
	case layers.LinkTypeLinuxSLL:
		return ethertype(data, 14)
	case layers.LinkTypeLinuxSLL2:
		if len(data) < 20 || !isIP(binary.BigEndian.Uint16(data)) {
			return nil
		}
		return data[20:]
	case layers.LinkTypePPP:
		// RFC 1662, Section 3.2: address and control may be left out.
		if len(data) >= 2 && data[0] == 0xff && data[1] == 0x03 {
			data = data[2:]
		}
		return ppp(data)
	}
	return data
}

func from(data []byte, n int) []byte {
	if len(data) < n {
		return nil
	}
	return data[n:]
}

func isIP(ethertype uint16) bool { return ethertype == 0x0800 || ethertype == 0x86dd }

// ppp skips the protocol field of PPP (RFC 1661, Section 2).
func ppp(data []byte) []byte {
	switch {
	case len(data) >= 1 && (data[0] == 0x21 || data[0] == 0x57): // compressed
		return data[1:]
	case len(data) >= 2 && data[0] == 0 && (data[1] == 0x21 || data[1] == 0x57):
		return data[2:]
	}
	return nil
}

// ethertype skips a header that ends with an Ethertype at the offset, tags of
// virtual networks (IEEE 802.1Q, 802.1ad) and PPPoE (RFC 2516, Section 4).
func ethertype(data []byte, at int) []byte {
	for at+2 <= len(data) {
		kind := binary.BigEndian.Uint16(data[at:])
		switch {
		case isIP(kind):
			return data[at+2:]
		case kind == 0x8100 || kind == 0x88a8 || kind == 0x9100:
			at += 4
		case kind == 0x8864:
			return ppp(from(data, at+8))
		default:
			return nil
		}
	}
	return nil
}

// whole returns an IP packet with the length that its header tells: cut off what
// a link added, and with zeros for what the capture left out, which it reports.
// It returns nil when the header itself is not there. It may change data: what
// the sender left to its card, the length of a large segment and the checksum of
// the header, is filled in, so that it is not taken for damage.
func whole(data []byte) (packet []byte, cut bool) {
	if len(data) < 20 {
		return nil, false
	}
	length := len(data)
	switch data[0] >> 4 {
	case 4:
		if n := int(binary.BigEndian.Uint16(data[2:])); n >= 20 {
			length = n
		} else if n == 0 && length <= 0xffff {
			binary.BigEndian.PutUint16(data[2:], uint16(length))
		}
		if header := int(data[0]&15) * 4; header >= 20 && header <= len(data) {
			binary.BigEndian.PutUint16(data[10:], 0)
			binary.BigEndian.PutUint16(data[10:], ^wire.Checksum(data[:header], 0))
		}
	case 6:
		if n := int(binary.BigEndian.Uint16(data[4:])); n > 0 {
			length = 40 + n
		} else if length >= 40 && length-40 <= 0xffff {
			binary.BigEndian.PutUint16(data[4:], uint16(length-40))
		}
	default:
		return nil, false
	}
	if length <= len(data) {
		return data[:length], false
	}
	padded := make([]byte, length)
	copy(padded, data)
	return padded, true
}

// kind says what a packet is that is no TCP segment.
func kind(data []byte) string {
	if len(data) < 20 {
		return "not IP"
	}
	proto := data[9]
	switch data[0] >> 4 {
	case 4:
		if binary.BigEndian.Uint16(data[6:])&0x3fff != 0 {
			return "fragments"
		}
	case 6:
		proto = data[6]
	default:
		return "not IP"
	}
	switch proto {
	case wire.ProtoICMP, wire.ProtoICMPv6:
		return "ICMP"
	case wire.ProtoTCP:
		return "damaged TCP"
	case wire.ProtoUDP:
		return "UDP"
	case 44: // the fragment header of IPv6
		return "fragments"
	}
	return fmt.Sprintf("IP protocol %d", proto)
}

// otherNames are the Chinese names of what Other counts.
var otherNames = map[string]string{
	"not IP": "非 IP", "fragments": "IP 分片", "damaged TCP": "损坏的 TCP", "damaged blocks": "损坏的块",
	"cut before the end of the TCP header": "抓到的部分不含完整 TCP 首部",
}

// countText lists counts by name.
func countText(counts map[string]int, lang trace.Lang) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		text := name
		if zh, ok := otherNames[name]; ok && lang == trace.Chinese {
			text = zh
		}
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], text))
	}
	return strings.Join(parts, ", ")
}
