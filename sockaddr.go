package trivet

import (
	"math"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// Package net opens a socket of one family for both ends of a dial, and refuses
// addresses where it, or the kernel, puts them into that socket. What follows does
// the same, so that the same addresses are refused with the same errors; an
// address that cannot be is not taken for another.

// end is one end of a socket, as the user has it.
type end struct {
	ip   net.IP
	port int
}

// endOf returns the end that an address is; nil for none.
func endOf[A net.TCPAddr | net.UDPAddr](a *A) *end {
	if a == nil {
		return nil
	}
	u := net.UDPAddr(*a)
	return &end{u.IP, u.Port}
}

// endAt returns a resolved endpoint as an end.
func endAt(a netip.AddrPort) *end { return &end{a.Addr().AsSlice(), int(a.Port())} }

// netAddr returns an address as an error has it: a nil one is none.
func netAddr[A net.TCPAddr | net.UDPAddr](a *A) net.Addr {
	if a == nil {
		return nil
	}
	return any(a).(net.Addr)
}

// wild reports whether the end is no address in particular.
func (e *end) wild() bool { return e == nil || len(e.ip) == 0 || e.ip.IsUnspecified() }

// is6 reports whether the end needs a socket of IPv6.
func (e *end) is6() bool { return e != nil && len(e.ip) > net.IPv4len && e.ip.To4() == nil }

// fits reports whether the end can be the local one for the address.
func (e *end) fits(a netip.Addr) bool {
	if e.wild() || !a.IsValid() || a.IsUnspecified() {
		return true
	}
	if a.Is4() {
		return e.ip.To4() != nil
	}
	return len(e.ip) == net.IPv6len && e.ip.To4() == nil
}

// in returns the end as it is in a socket of IPv6, or of IPv4; call is that which
// would put it there. No IP, and on IPv6 0.0.0.0 too, is the unspecified address.
func (e *end) in(six bool, call string) (netip.AddrPort, error) {
	a, ok := netip.AddrFromSlice(e.ip)
	a = a.Unmap()
	switch {
	case !six && len(e.ip) == 0:
		a = netip.IPv4Unspecified()
	case six && (len(e.ip) == 0 || a == netip.IPv4Unspecified()):
		a = netip.IPv6Unspecified()
	case !six && !a.Is4():
		return netip.AddrPort{}, &net.AddrError{Err: "non-IPv4 address", Addr: e.ip.String()}
	case !ok:
		return netip.AddrPort{}, &net.AddrError{Err: "non-IPv6 address", Addr: e.ip.String()}
	}
	if e.port < 0 || e.port > math.MaxUint16 {
		return netip.AddrPort{}, sysError(call, syscall.EINVAL)
	}
	return netip.AddrPortFrom(a, uint16(e.port)), nil
}

// six reports whether a socket with these ends is one of IPv6.
func (n network) six(ends ...*end) bool {
	switch n {
	case networkTCP4, networkUDP4:
		return false
	case networkTCP6, networkUDP6:
		return true
	}
	return slices.ContainsFunc(ends, (*end).is6)
}

// only6 reports whether the network has no IPv4.
func (n network) only6() bool { return n == networkTCP6 || n == networkUDP6 }

// listenAt returns what to listen on for a local end: the invalid address stands
// for all of both families.
func (n network) listenAt(e *end) (netip.AddrPort, error) {
	six := n.six(e)
	a, err := e.in(six, "bind")
	switch {
	case err != nil:
	case a.Addr().IsUnspecified():
		a = netip.AddrPortFrom(n.wildcard(), a.Port())
	case n.only6() && a.Addr().Is4():
		err = sysError("bind", syscall.EINVAL)
	}
	return a, err
}

// ends returns the endpoints of a dial. Without a local address the first is the
// invalid one with the local port; an unspecified remote address is the host itself.
func (s *Stack) ends(n network, local, remote *end) (from, to netip.AddrPort, err error) {
	six := n.six(local, remote)
	if local != nil {
		if from, err = local.in(six, "bind"); err != nil {
			return from, to, err
		}
		switch a := from.Addr(); {
		case a.IsUnspecified():
			from = netip.AddrPortFrom(netip.Addr{}, from.Port())
		case n.only6() && a.Is4():
			return from, to, sysError("bind", syscall.EINVAL)
		case !s.owns(a):
			return from, to, sysError("bind", syscall.EADDRNOTAVAIL)
		}
	}
	if to, err = remote.in(six, "connect"); err != nil {
		return from, to, err
	}
	switch a, b := from.Addr(), to.Addr(); {
	case b.Is4() && (n.only6() || a.Is6()):
		err = sysError("connect", syscall.ENETUNREACH)
	case !b.IsUnspecified() && b.Is6() && a.Is4():
		err = sysError("connect", syscall.EAFNOSUPPORT)
	case b.IsUnspecified() && (b.Is4() || a.Is4()):
		to = netip.AddrPortFrom(loopback4, to.Port())
	case b.IsUnspecified():
		to = netip.AddrPortFrom(netip.IPv6Loopback(), to.Port())
	}
	return from, to, err
}
