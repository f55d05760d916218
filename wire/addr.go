package wire

import (
	"encoding/binary"
	"net/netip"
)

// Addr is an IP address in 16 bytes, an IPv4 address as ::ffff:a.b.c.d. It is
// the form that tables hash and compare; users meet netip.Addr.
type Addr [16]byte

// AddrFrom returns a in the form that tables use. A zone is dropped.
func AddrFrom(a netip.Addr) Addr { return a.As16() }

// Netip returns a as netip has it, an IPv4 address as IPv4.
func (a Addr) Netip() netip.Addr { return netip.AddrFrom16(a).Unmap() }

// Is4 reports whether a is an IPv4 address.
func (a Addr) Is4() bool {
	return binary.BigEndian.Uint64(a[0:]) == 0 && binary.BigEndian.Uint32(a[8:]) == ipv4Prefix
}

// IsToMany reports whether a is a multicast group or the broadcast address of all
// networks.
func (a Addr) IsToMany() bool {
	if a.Is4() {
		return isGroup([4]byte(a[12:]))
	}
	return a[0] == 0xff
}

// String returns the address as netip prints it.
func (a Addr) String() string { return a.Netip().String() }

// FourTuple names a TCP connection as one host sees it.
type FourTuple struct {
	LocalAddr, RemoteAddr Addr
	LocalPort, RemotePort uint16
}

// Tuple returns the 4-tuple of the two endpoints.
func Tuple(local, remote netip.AddrPort) FourTuple {
	return FourTuple{
		LocalAddr: AddrFrom(local.Addr()), LocalPort: local.Port(),
		RemoteAddr: AddrFrom(remote.Addr()), RemotePort: remote.Port(),
	}
}

// Local returns the local endpoint.
func (t FourTuple) Local() netip.AddrPort {
	return netip.AddrPortFrom(t.LocalAddr.Netip(), t.LocalPort)
}

// Remote returns the peer's endpoint.
func (t FourTuple) Remote() netip.AddrPort {
	return netip.AddrPortFrom(t.RemoteAddr.Netip(), t.RemotePort)
}

// Reverse returns the same connection as the peer sees it.
func (t FourTuple) Reverse() FourTuple {
	return FourTuple{
		LocalAddr: t.RemoteAddr, LocalPort: t.RemotePort,
		RemoteAddr: t.LocalAddr, RemotePort: t.LocalPort,
	}
}

// String returns "local > remote".
func (t FourTuple) String() string { return t.Local().String() + " > " + t.Remote().String() }
