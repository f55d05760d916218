package trivet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
)

// network is one of the networks that can be dialled and listened on.
type network uint8

const (
	networkTCP network = iota
	networkTCP4
	networkTCP6
	networkUDP
	networkUDP4
	networkUDP6
)

var (
	networkNames = [...]string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"}
	allNetworks  = networkNames[:]
	tcpNetworks  = networkNames[:networkUDP]
	udpNetworks  = networkNames[networkUDP:]
)

func (n network) String() string { return networkNames[n] }

// parseNetwork returns the network with the name, if that is among the known
// ones.
func parseNetwork(name string, known []string) (network, error) {
	for i, s := range networkNames {
		if s == name && slices.Contains(known, name) {
			return network(i), nil
		}
	}
	return 0, net.UnknownNetworkError(name)
}

func (n network) udp() bool { return n >= networkUDP }

// has reports whether the address is of the network's family.
func (n network) has(a netip.Addr) bool {
	switch n {
	case networkTCP4, networkUDP4:
		return a.Is4()
	case networkTCP6, networkUDP6:
		return !a.Is4()
	default:
		return true
	}
}

// wildcard returns the address that stands for all of the network: the invalid
// one for both families.
func (n network) wildcard() netip.Addr {
	switch n {
	case networkTCP4, networkUDP4:
		return netip.IPv4Unspecified()
	case networkTCP6, networkUDP6:
		return netip.IPv6Unspecified()
	default:
		return netip.Addr{}
	}
}

var loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// lookup returns the addresses of a host that is neither an address nor
// localhost.
type lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// services looks up the ports of named services in files alone. The system's own
// look-up, which DefaultResolver prefers, cannot be used in more than one bubble of
// testing/synctest.
var services = &net.Resolver{PreferGo: true}

// resolve returns the endpoints that address, "host:port", stands for; at
// least one. An empty host comes out as the invalid address. Names are for look,
// a function so that a program which only listens has no DNS client in it.
func resolve(ctx context.Context, look lookup, n network, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := services.LookupPort(ctx, n.String(), service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, uint16(port))}, nil
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if host == "localhost" {
		addrs = []netip.Addr{loopback4, netip.IPv6Loopback()}
	} else if addrs, err = look(ctx, host); err != nil {
		return nil, err
	}
	if len(addrs) == 1 && addrs[0] == netip.IPv6Unspecified() {
		addrs = append(addrs, netip.IPv4Unspecified()) // "[::]:80" is this host, on tcp4 too
	}
	var list []netip.AddrPort
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); n.has(a) {
			list = append(list, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(list) == 0 {
		return nil, &net.AddrError{Err: errNoSuitableAddress, Addr: host}
	}
	return list, nil
}

// lookup looks a name up by Config.Resolve.
func (s *Stack) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if s.ended() {
		return nil, net.ErrClosed
	}
	if s.cfg.Resolve == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	addrs, err := s.cfg.Resolve(ctx, host)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return nil, err
		}
		return nil, &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: host}
	}
	return addrs, nil
}

// tcpAddr returns a as package net has it; the invalid address as no IP.
func tcpAddr(a netip.AddrPort) *net.TCPAddr { return net.TCPAddrFromAddrPort(a) }
