package capture

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gopacket/gopacket/layers"
)

// strip returns a packet from its IP header on, nil when it has none.
func strip(link layers.LinkType, data []byte) []byte {
	const (
		ipv4Only, ipv6Only = 228, 229
		raw12, raw14       = 12, 14 // as BSD numbers raw IP
		sll2               = 276
		loop               = 108
	)
	switch link {
	case layers.LinkTypeRaw, ipv4Only, ipv6Only, raw12, raw14:
		return data
	case layers.LinkTypeNull, loop:
		return from(data, 4)
	case layers.LinkTypeEthernet:
		return ethertype(data, 12)
	case layers.LinkTypeLinuxSLL:
		return ethertype(data, 14)
	case sll2:
		if len(data) < 20 || !isIP(binary.BigEndian.Uint16(data)) {
			return nil
		}
		return data[20:]
	}
	return nil
}

func from(data []byte, n int) []byte {
	if len(data) < n {
		return nil
	}
	return data[n:]
}

func isIP(ethertype uint16) bool { return ethertype == 0x0800 || ethertype == 0x86dd }

// ethertype skips a header that ends with an Ethertype at the offset, and tags
// of virtual networks (IEEE 802.1Q, 802.1ad).
func ethertype(data []byte, at int) []byte {
	for at+2 <= len(data) {
		kind := binary.BigEndian.Uint16(data[at:])
		switch {
		case isIP(kind):
			return data[at+2:]
		case kind == 0x8100 || kind == 0x88a8:
			at += 4
		default:
			return nil
		}
	}
	return nil
}

// whole returns an IP packet with the length that its header tells: cut off what
// a link added, and with zeros for what the capture left out, which it reports.
// It returns nil when the header itself is not there.
func whole(data []byte) (packet []byte, cut bool) {
	if len(data) < 20 {
		return nil, false
	}
	length := len(data)
	switch data[0] >> 4 {
	case 4:
		// Segments that the card was to cut have no length (TSO).
		if n := int(binary.BigEndian.Uint16(data[2:])); n >= 20 {
			length = n
		}
	case 6:
		if n := int(binary.BigEndian.Uint16(data[4:])); n > 0 {
			length = 40 + n
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
	case 1, 58:
		return "ICMP"
	case 6:
		return "damaged TCP"
	case 17:
		return "UDP"
	case 44:
		return "fragments"
	}
	return fmt.Sprintf("IP protocol %d", proto)
}

// countText lists counts by name.
func countText(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(parts, ", ")
}
