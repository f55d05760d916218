package engine

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.9.1.1, and SOCK-17, -21, -22, -26, -27: what a dial
// refuses, without a packet.
func TestDialErrors(t *testing.T) {
	tests := []struct {
		name, local, remote string
		want                error
	}{
		{"no address", "", "", syscall.EINVAL},
		{"unspecified", "", "0.0.0.0:80", syscall.EINVAL},
		{"port 0", "", "10.0.0.2:0", syscall.EADDRNOTAVAIL},
		{"no route", "", "192.0.2.1:80", syscall.ENETUNREACH},
		{"no address of ours for the route", "", "[2001:db8::1]:80", syscall.EADDRNOTAVAIL},
		{"multicast", "", "224.0.0.1:80", syscall.ENETUNREACH},
		{"broadcast", "", "255.255.255.255:80", syscall.ENETUNREACH},
		{"directed broadcast", "", "10.0.0.255:80", syscall.ENETUNREACH},
		{"IPv6 multicast", "", "[ff02::1]:80", syscall.ENETUNREACH},
		{"families differ", "10.0.0.1:0", "[fd00::2]:80", syscall.EINVAL},
		{"not ours", "10.0.0.9:0", "10.0.0.2:80", syscall.EADDRNOTAVAIL},
		{"loopback to outside", "127.0.0.1:0", "10.0.0.2:80", syscall.EINVAL},
		{"in use", "10.0.0.1:4000", "10.0.0.2:80", syscall.EADDRNOTAVAIL},
		{"in use elsewhere", "10.0.0.1:4000", "10.0.0.2:81", nil},
		{"any local address", "0.0.0.0:4001", "10.0.0.2:80", nil},
		{"mapped", "", "[::ffff:10.0.0.2]:80", nil},
		{"to ourselves", "10.0.0.1:81", "10.0.0.1:81", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.add(Interface{Index: 1, MTU: 1500})
			if err := h.e.AddRoute(netip.MustParsePrefix("2000::/3"), 1); err != nil {
				t.Fatal(err)
			}
			if _, err := h.e.Dial(h.now, netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:80"), tcp.Options{}); err != nil {
				t.Fatal(err)
			}
			h.output()
			var local, remote netip.AddrPort
			if tt.local != "" {
				local = netip.MustParseAddrPort(tt.local)
			}
			if tt.remote != "" {
				remote = netip.MustParseAddrPort(tt.remote)
			}
			_, err := h.e.Dial(h.now, local, remote, tcp.Options{})
			if err != tt.want {
				t.Errorf("Dial(%v, %v): %v, want %v", local, remote, err, tt.want)
			}
			if pkts := h.output(); (len(pkts) == 0) != (tt.want != nil) {
				t.Errorf("%d packets sent", len(pkts))
			}
		})
	}
}

// R6056-1, -3: ports come from the range, and only have to be unique for their
// destination; R6056-4: when all are in use the error is EADDRNOTAVAIL, and a
// port that comes free is used again. SOCK-101: never the connection to oneself.
func TestDialPorts(t *testing.T) {
	const first, last = 40000, 40099
	h := newHost(t, Config{FirstPort: first, LastPort: last}, addrA)
	dial := func(remote string) (*Conn, error) {
		c, err := h.e.Dial(h.now, netip.AddrPort{}, netip.MustParseAddrPort(remote), tcp.Options{})
		h.output()
		return c, err
	}
	for _, remote := range []string{"10.0.0.2:80", "10.0.0.2:81", "10.0.0.3:80"} {
		seen := map[uint16]*Conn{}
		for range last - first + 1 {
			c, err := dial(remote)
			if err != nil {
				t.Fatalf("Dial %d to %s: %v", len(seen), remote, err)
			}
			port := c.Tuple().LocalPort
			if seen[port] != nil || port < first || port > last {
				t.Fatalf("port %d chosen after %d others", port, len(seen))
			}
			seen[port] = c
		}
		if _, err := dial(remote); err != syscall.EADDRNOTAVAIL {
			t.Errorf("Dial with no port left: %v, want EADDRNOTAVAIL", err)
		}
		seen[40042].Abort(h.now)
		h.output()
		if c, err := dial(remote); err != nil || c.Tuple().LocalPort != 40042 {
			t.Errorf("Dial with one port left: %v", err)
		}
	}
	for range last - first {
		c, err := dial("10.0.0.1:40050")
		if err != nil || c.Tuple().LocalPort == 40050 {
			t.Fatalf("Dial to ourselves: %v, %v", c, err)
		}
	}
	if _, err := dial("10.0.0.1:40050"); err != syscall.EADDRNOTAVAIL {
		t.Errorf("Dial from port to same port: %v, want EADDRNOTAVAIL", err)
	}
	// R6056-5: ports of listeners are left alone.
	h.listen("10.0.0.1:40001", ListenOptions{})
	for range last - first {
		if c, err := dial("10.0.0.4:80"); err != nil || c.Tuple().LocalPort == 40001 {
			t.Fatalf("Dial beside a listener: %v, %v", c, err)
		}
	}
}

// R6056-2: the next port cannot be told from the last ones of another
// destination, nor by counting.
func TestDialPortsUnpredictable(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	steps := map[int]int{}
	starts := map[uint16]bool{}
	for i := range 256 {
		remote := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i%200)}), uint16(80+i))
		var last uint16
		for j := range 4 {
			c, err := h.e.Dial(h.now, netip.AddrPort{}, remote, tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			port := c.Tuple().LocalPort
			if j == 0 {
				starts[port] = true
			} else {
				steps[int(port)-int(last)]++
			}
			last = port
		}
	}
	if len(starts) < 250 {
		t.Errorf("256 destinations begin at %d ports", len(starts))
	}
	for step, n := range steps {
		if n > 256*3/4 {
			t.Errorf("%d of 768 steps are %d", n, step)
		}
	}
}

// Connections belong to the shard of their 4-tuple: engines that share a host
// never choose the same one, agree on who gets a packet, and refuse a fixed
// port of another shard.
func TestShards(t *testing.T) {
	const shards = 4
	var hosts []*host
	for i := range shards {
		hosts = append(hosts, newHost(t, Config{Shard: i, Shards: shards}, addrA, addrA6))
	}
	remote := netip.MustParseAddrPort("10.0.0.2:80")
	for i, h := range hosts {
		for range 20 {
			c, err := h.e.Dial(h.now, netip.AddrPort{}, remote, tcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			tuple := c.Tuple()
			answer := build(tuple.Reverse(), &wire.Segment{Flags: wire.SYN | wire.ACK})
			for _, other := range hosts {
				if got := other.e.ShardOf(packetOf(answer)); got != i {
					t.Fatalf("ShardOf = %d, want %d", got, i)
				}
			}
			for _, p := range h.output() {
				if got := h.e.ShardOf(packetOf(icmpOf(t, p.data))); got != i {
					t.Fatalf("ShardOf the ICMP error = %d, want %d", got, i)
				}
			}
			taken := 0
			for j, other := range hosts {
				if _, err := other.e.Dial(h.now, tuple.Local(), netip.MustParseAddrPort("10.0.0.3:80"), tcp.Options{}); err == nil {
					taken++
				} else if err != syscall.EADDRNOTAVAIL {
					t.Fatalf("Dial in shard %d: %v", j, err)
				}
			}
			if taken != 1 {
				t.Errorf("%d shards took the same connection", taken)
			}
		}
	}
	for _, b := range [][]byte{
		nil,
		{0x45},
		{0x60, 1, 2},
		make([]byte, 60),
		ipPacket(addrB, addrA, wire.ProtoTCP, []byte{1, 2, 3}),
		ipPacket(addrB, addrA, wire.ProtoUDP, []byte{1, 2, 3}),
		icmpPacket(addrB, addrA, 8, 0, 0, nil),
	} {
		if got := hosts[1].e.ShardOf(packetOf(b)); got != 0 {
			t.Errorf("ShardOf(%x) = %d, want 0", b, got)
		}
	}
	alone := New(Config{})
	if got := alone.ShardOf(packetOf(build(tupleNumber(1), &wire.Segment{}))); got != 0 {
		t.Errorf("ShardOf = %d with one shard, want 0", got)
	}
}

func packetOf(b []byte) *wire.Packet {
	p := new(wire.Packet)
	p.SetBytes(b)
	return p
}

// icmpOf returns the ICMP error "port unreachable" that its receiver would
// send for a packet.
func icmpOf(t testing.TB, b []byte) []byte {
	t.Helper()
	in := packetOf(b)
	var ip wire.IP
	if d := in.ParseIP(&ip); d != wire.DropNone {
		t.Fatalf("ParseIP: %v", d)
	}
	var out wire.Packet
	out.BuildHostError(&ip, in, wire.HostErrorPort)
	defer out.Release()
	return out.AppendTo(nil)
}
