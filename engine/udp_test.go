package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// udpPacket returns a datagram with right checksums.
func udpPacket(src, dst netip.AddrPort, data []byte) []byte {
	u := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(u[0:], src.Port())
	binary.BigEndian.PutUint16(u[2:], dst.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(8+len(data)))
	u = append(u, data...)
	pseudo := make([]byte, 4)
	binary.BigEndian.PutUint16(pseudo, wire.ProtoUDP)
	binary.BigEndian.PutUint16(pseudo[2:], uint16(len(u)))
	binary.BigEndian.PutUint16(u[6:], checksum(src.Addr().AsSlice(), dst.Addr().AsSlice(), pseudo, u))
	return ipPacket(src.Addr(), dst.Addr(), wire.ProtoUDP, u)
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func (h *host) listenUDP(addr string, opt UDPOptions) *UDPSocket {
	h.t.Helper()
	var local netip.AddrPort
	if strings.HasPrefix(addr, ":") {
		local = netip.AddrPortFrom(netip.Addr{}, at("0.0.0.0"+addr).Port())
	} else {
		local = at(addr)
	}
	s, err := h.e.ListenUDP(h.now, local, opt)
	if err != nil {
		h.t.Fatalf("ListenUDP(%s): %v", addr, err)
	}
	return s
}

// datagram gives the engine one that comes in by interface 0.
func (h *host) datagram(src, dst, data string) {
	h.input(0, udpPacket(at(src), at(dst), []byte(data)))
}

// received returns what waits for the socket, "data from endpoint" each.
func received(s *UDPSocket) (all []string) {
	buf := make([]byte, 1<<16)
	for {
		n, d, err := s.Receive(buf)
		if err == syscall.EAGAIN {
			return all
		}
		if err != nil {
			return append(all, err.Error())
		}
		all = append(all, fmt.Sprintf("%s from %v", buf[:n], d.From))
	}
}

func wantReceived(t *testing.T, name string, s *UDPSocket, want ...string) {
	t.Helper()
	if got := received(s); !slices.Equal(got, want) {
		t.Errorf("%s received %q, want %q", name, got, want)
	}
}

// RFC 1122, Section 4.1.3.5, and Linux's order: a datagram goes to the socket that
// says most about it.
func TestUDPDemux(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	both := h.listenUDP(":5000", UDPOptions{ReuseAddr: true})
	v4 := h.listenUDP("0.0.0.0:5000", UDPOptions{ReuseAddr: true})
	bound := h.listenUDP("10.0.0.1:5000", UDPOptions{ReuseAddr: true})
	conn, err := h.e.DialUDP(h.now, at("10.0.0.1:5000"), at("10.0.0.2:7000"), UDPOptions{ReuseAddr: true})
	if err != nil {
		t.Fatal(err)
	}
	h.datagram("10.0.0.2:7000", "10.0.0.1:5000", "peer")
	h.datagram("10.0.0.2:7001", "10.0.0.1:5000", "other")
	h.datagram("[fd00::2]:7000", "[fd00::1]:5000", "six")
	h.input(9, udpPacket(at("127.0.0.1:9"), at("127.0.0.2:5000"), []byte("self")))
	wantReceived(t, "connected", conn, "peer from 10.0.0.2:7000")
	wantReceived(t, "bound", bound, "other from 10.0.0.2:7001")
	wantReceived(t, "IPv4 wildcard", v4, "self from 127.0.0.1:9")
	wantReceived(t, "wildcard", both, "six from [fd00::2]:7000")
	conn.Close(h.now)
	bound.Close(h.now)
	h.datagram("10.0.0.2:7000", "10.0.0.1:5000", "again")
	wantReceived(t, "IPv4 wildcard", v4, "again from 10.0.0.2:7000")
	h.none()
	if s := h.e.Stats().UDP; s.In != 5 || s.Sockets != 2 || s.NoPort != 0 {
		t.Errorf("stats %+v, want 5 received by 2 sockets", s)
	}
}

// As on Linux, a socket of IPv4 alone comes before one of both families, but one of
// IPv6 alone does not: then the newest has it.
func TestUDPDemuxFamilies(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	open := func(addr string) *UDPSocket { return h.listenUDP(addr, UDPOptions{ReuseAddr: true}) }
	v4, v6, both := open("0.0.0.0:5000"), open("[::]:5000"), open(":5000")
	send := func(data string) {
		h.datagram("10.0.0.2:7001", "10.0.0.1:5000", data)
		h.datagram("[fd00::2]:7001", "[fd00::1]:5000", data)
	}
	send("first")
	wantReceived(t, "IPv4", v4, "first from 10.0.0.2:7001")
	wantReceived(t, "IPv6", v6)
	wantReceived(t, "both", both, "first from [fd00::2]:7001")
	v6 = open("[::]:5000")
	send("second")
	wantReceived(t, "IPv4", v4, "second from 10.0.0.2:7001")
	wantReceived(t, "the newest of IPv6", v6, "second from [fd00::2]:7001")
	v4.Close(h.now)
	send("third")
	wantReceived(t, "both", both, "third from 10.0.0.2:7001")
	wantReceived(t, "the newest of IPv6", v6, "third from [fd00::2]:7001")
}

// RFC 1122, Section 4.1.3.4, RFC 8200, Section 8.1: a wrong checksum is dropped
// silently; none at all is right in IPv4 only.
func TestUDPChecksum(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	s := h.listenUDP(":5000", UDPOptions{})
	for _, tt := range []struct {
		name     string
		src, dst string
		header   int
		none     bool
		want     []string
	}{
		{"IPv4, wrong", "10.0.0.2:1", "10.0.0.1:5000", 20, false, nil},
		{"IPv6, wrong", "[fd00::2]:1", "[fd00::1]:5000", 40, false, nil},
		{"IPv4, none", "10.0.0.2:1", "10.0.0.1:5000", 20, true, []string{"x from 10.0.0.2:1"}},
		{"IPv6, none", "[fd00::2]:1", "[fd00::1]:5000", 40, true, nil},
	} {
		b := udpPacket(at(tt.src), at(tt.dst), []byte("x"))
		b[tt.header+6]++
		if tt.none {
			b[tt.header+6], b[tt.header+7] = 0, 0
		}
		h.input(0, b)
		wantReceived(t, tt.name, s, tt.want...)
		h.none()
	}
	if n := h.e.Stats().Drops[wire.DropUDPChecksum]; n != 3 {
		t.Errorf("%d checksum drops, want 3", n)
	}
}

// So are all receive queues together, however many sockets there are; and on each
// socket one datagram finds room all the same. What is received, or was for a socket
// that is closed, makes room again.
func TestUDPMemory(t *testing.T) {
	h := newHost(t, Config{TCP: tcp.Config{MaxMemory: 10_000}}, addrA)
	var sockets []*UDPSocket
	for port := range 4 {
		sockets = append(sockets, h.listenUDP(fmt.Sprintf(":%d", 5000+port), UDPOptions{}))
	}
	fill := func(n int) (dropped uint64) {
		before := h.e.Stats().UDP.QueueFull
		for port := range sockets {
			for i := range n {
				h.datagram("10.0.0.2:1", fmt.Sprintf("10.0.0.1:%d", 5000+port), fmt.Sprint(i))
			}
		}
		return h.e.Stats().UDP.QueueFull - before
	}
	// Four datagrams of 2 KiB, and what they cost besides, are all that fits; the others are the first of their sockets.
	if n := fill(3); n != 6 {
		t.Errorf("%d of 12 datagrams dropped, want 6: 3 fit on the first socket, 1 on each other", n)
	}
	wantReceived(t, "first", sockets[0], "0 from 10.0.0.2:1", "1 from 10.0.0.2:1", "2 from 10.0.0.2:1")
	for _, s := range sockets[1:] {
		s.Close(h.now)
	}
	if n := h.e.udp.queued; n != 0 {
		t.Errorf("%d bytes counted with nothing queued", n)
	}
	sockets = sockets[:1]
	if n := fill(6); n != 2 {
		t.Errorf("%d of 6 datagrams dropped, want 2", n)
	}
}

// The receive queue is bounded in bytes of memory; what finds no room is counted,
// and one datagram always does.
func TestUDPReceiveBuffer(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	s := h.listenUDP(":5000", UDPOptions{RecvBuffer: 5000})
	for i := range 4 {
		h.datagram("10.0.0.2:1", "10.0.0.1:5000", fmt.Sprint(i))
	}
	wantReceived(t, "socket", s, "0 from 10.0.0.2:1", "1 from 10.0.0.2:1")
	if i := s.Info(); i.Drops != 2 || i.RecvQ != 0 {
		t.Errorf("Info = %+v, want 2 drops, nothing queued", i)
	}
	if st := h.e.Stats(); st.UDP.QueueFull != 2 || st.Drops[wire.DropQueueFull] != 2 {
		t.Errorf("QueueFull = %d, drops %d; want 2", st.UDP.QueueFull, st.Drops[wire.DropQueueFull])
	}
	s.SetBuffers(1, 0)
	h.input(0, udpPacket(at("10.0.0.2:1"), at("10.0.0.1:5000"), make([]byte, 1400)))
	if n, d, err := s.Receive(make([]byte, 10)); n != 10 || d.Len != 1400 || err != nil {
		t.Errorf("Receive = %d of %d, %v; want 10 of 1400", n, d.Len, err)
	}
	wantReceived(t, "after a truncated one", s)
}

// RFC 1122, Section 4.1.3.1: who sends to a port that nobody has is told; not for
// broadcast and multicast (Section 3.2.2), and no more than ICMPRate a second.
func TestUDPPortUnreachable(t *testing.T) {
	h := newHost(t, Config{ICMPRate: 2}, addrA)
	h.datagram("10.0.0.2:1", "10.0.0.255:5000", "x")
	h.datagram("10.0.0.2:1", "255.255.255.255:5000", "x")
	h.datagram("10.0.0.2:1", "239.0.0.1:5000", "x")
	h.none()
	for range 5 {
		h.datagram("10.0.0.2:1", "10.0.0.1:5000", "x")
	}
	out := h.output()
	if len(out) != 2 {
		t.Fatalf("%d answers, want 2", len(out))
	}
	if b := out[0].data; b[9] != wire.ProtoICMP || b[20] != 3 || b[21] != 3 {
		t.Errorf("answer % x is not port unreachable", b[20:22])
	}
	if st := h.e.Stats(); st.UDP.NoPort != 8 || st.ICMPSuppressed != 3 {
		t.Errorf("NoPort %d, ICMPSuppressed %d; want 8, 3", st.UDP.NoPort, st.ICMPSuppressed)
	}
}

// RFC 1122, Section 4.1.3.3: a connected socket is told of ICMP errors about what
// it sent, once, before anything else; errors that quote something else, soft
// ones, and those about sockets without a peer are not errors of a call.
func TestUDPErrors(t *testing.T) {
	for _, tt := range []struct {
		name      string
		six       bool
		typ, code byte
		want      []string
	}{
		{"port unreachable", false, 3, 3, []string{syscall.ECONNREFUSED.Error()}},
		{"protocol unreachable", false, 3, 2, []string{syscall.ENOPROTOOPT.Error()}},
		{"host unreachable", false, 3, 1, nil},
		{"time exceeded", false, 11, 0, nil},
		{"parameter problem", false, 12, 0, []string{syscall.EPROTO.Error()}},
		{"too big", false, 3, 4, []string{syscall.EMSGSIZE.Error()}},
		{"port unreachable, IPv6", true, 1, 4, []string{syscall.ECONNREFUSED.Error()}},
		{"no route, IPv6", true, 1, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, to := addrB, addrA
			if tt.six {
				from, to = addrB6, addrA6
			}
			h := newHost(t, Config{}, addrA, addrA6)
			c, err := h.e.DialUDP(h.now, netip.AddrPort{}, netip.AddrPortFrom(from, 7), UDPOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Send(h.now, []byte("hello"), netip.AddrPort{}); err != nil {
				t.Fatal(err)
			}
			quote := h.output()[0].data
			forged := bytes.Clone(quote)
			forged[len(forged)-5-8+1]++ // another source port
			h.input(0, icmpPacket(from, to, tt.typ, tt.code, 1300, forged))
			wantReceived(t, "after another's error", c)
			h.input(0, icmpPacket(from, to, tt.typ, tt.code, 1300, quote))
			wantReceived(t, "after the error", c, tt.want...)
			if err := c.Send(h.now, nil, netip.AddrPort{}); err != nil {
				t.Errorf("Send after the error was taken: %v", err)
			}
			h.output()
			h.input(0, icmpPacket(from, to, tt.typ, tt.code, 1300, quote))
			err = c.Send(h.now, nil, netip.AddrPort{})
			if tt.want == nil != (err == nil) || err != nil && err.Error() != tt.want[0] {
				t.Errorf("Send after the error = %v, want %q", err, tt.want)
			}
		})
	}
}

// What cannot be sent says why.
func TestUDPSendErrors(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	s := h.listenUDP(":5000", UDPOptions{})
	v4, v6 := h.listenUDP("0.0.0.0:5001", UDPOptions{}), h.listenUDP("[::]:5002", UDPOptions{})
	lo := h.listenUDP("127.0.0.1:5003", UDPOptions{})
	c, err := h.e.DialUDP(h.now, netip.AddrPort{}, at("10.0.0.2:7"), UDPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		s    *UDPSocket
		n    int
		to   netip.AddrPort
		want error
	}{
		{"to nobody", s, 1, netip.AddrPort{}, syscall.EDESTADDRREQ},
		{"to port 0", s, 1, at("10.0.0.2:0"), syscall.EINVAL},
		{"no route", s, 1, at("192.0.2.1:7"), syscall.ENETUNREACH},
		{"IPv6 on IPv4", v4, 1, at("[fd00::2]:7"), syscall.EAFNOSUPPORT},
		{"IPv4 on IPv6", v6, 1, at("10.0.0.2:7"), syscall.ENETUNREACH},
		{"from loopback", lo, 1, at("10.0.0.2:7"), syscall.EINVAL},
		{"connected", c, 1, at("10.0.0.2:7"), syscall.EISCONN},
		{"largest", s, 65507, at("10.0.0.2:7"), nil},
		{"too large", s, 65508, at("10.0.0.2:7"), syscall.EMSGSIZE},
		{"largest, IPv6", s, 65527, at("[fd00::2]:7"), nil},
		{"too large, IPv6", s, 65528, at("[fd00::2]:7"), syscall.EMSGSIZE},
	} {
		for range 2 { // what went wrong once is not taken for a way
			if err := tt.s.Send(h.now, make([]byte, tt.n), tt.to); err != tt.want {
				t.Errorf("%s: Send = %v, want %v", tt.name, err, tt.want)
			}
			h.output()
		}
	}
}

// A destination that was out of reach is looked for anew each time.
func TestUDPSendWithoutRoute(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	s := h.listenUDP(":5000", UDPOptions{})
	c, err := h.e.DialUDP(h.now, netip.AddrPort{}, at("10.0.0.2:7"), UDPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	far := at("192.0.2.1:7")
	send := func(when string, s *UDPSocket, to netip.AddrPort, want error) {
		t.Helper()
		for range 2 {
			if err := s.Send(h.now, []byte("x"), to); err != want {
				t.Errorf("%s: Send to %v = %v, want %v", when, to, err, want)
			}
		}
	}
	send("no route", s, far, syscall.ENETUNREACH)
	if err := h.e.AddRoute(netip.MustParsePrefix("192.0.2.0/24"), 0); err != nil {
		t.Fatal(err)
	}
	send("a route", s, far, nil)
	send("connected", c, netip.AddrPort{}, nil)
	if got := len(h.output()); got != 4 {
		t.Errorf("%d packets, want 4", got)
	}
	h.e.RemoveInterface(0)
	send("interface gone", s, far, syscall.ENETUNREACH)
	send("interface gone", c, netip.AddrPort{}, syscall.ENETUNREACH)
	h.none()
}

// The send buffer is bounded until packets are given to the link.
func TestUDPSendBuffer(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	w := new(writableWaker)
	s := h.listenUDP(":5000", UDPOptions{SendBuffer: 4000, Waker: w})
	sent := 0
	for ; ; sent++ {
		if err := s.Send(h.now, []byte("x"), at("10.0.0.2:7")); err == syscall.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if sent != 2 {
		t.Errorf("%d datagrams fit, want 2", sent)
	}
	if !s.Await(tcp.Writable) {
		t.Error("Await(Writable) = false with a full buffer")
	}
	if got := len(h.output()); got != sent {
		t.Errorf("%d packets, want %d", got, sent)
	}
	h.e.Wake()
	if w.calls != 1 || s.Info().SendQ != 0 {
		t.Errorf("woken %d times, %d bytes queued; want 1, 0", w.calls, s.Info().SendQ)
	}
}

type writableWaker struct{ calls int }

func (w *writableWaker) Wake(tcp.Ready) { w.calls++ }

// Bind's rules, as on Linux: a port may be shared by different addresses, by
// families, and by all those who say so (SO_REUSEADDR, SO_REUSEPORT).
func TestUDPBind(t *testing.T) {
	addr, port := UDPOptions{ReuseAddr: true}, UDPOptions{ReusePort: true}
	for _, tt := range []struct {
		first, second string
		a, b          UDPOptions
		want          error
	}{
		{"10.0.0.1:5000", "10.0.0.1:5000", UDPOptions{}, UDPOptions{}, syscall.EADDRINUSE},
		{"10.0.0.1:5000", "10.0.0.1:5001", UDPOptions{}, UDPOptions{}, nil},
		{"10.0.0.1:5000", "127.0.0.1:5000", UDPOptions{}, UDPOptions{}, nil},
		{"0.0.0.0:5000", "10.0.0.1:5000", UDPOptions{}, UDPOptions{}, syscall.EADDRINUSE},
		{"10.0.0.1:5000", "0.0.0.0:5000", UDPOptions{}, UDPOptions{}, syscall.EADDRINUSE},
		{"0.0.0.0:5000", "[::]:5000", UDPOptions{}, UDPOptions{}, nil},
		{"0.0.0.0:5000", "0.0.0.0:5000", addr, addr, nil},
		{"0.0.0.0:5000", "0.0.0.0:5000", addr, UDPOptions{}, syscall.EADDRINUSE},
		{"0.0.0.0:5000", "0.0.0.0:5000", addr, port, syscall.EADDRINUSE},
		{"0.0.0.0:5000", "0.0.0.0:5000", port, port, nil},
		{"0.0.0.0:5000", "192.0.2.1:5000", UDPOptions{}, UDPOptions{}, syscall.EADDRNOTAVAIL},
		{"0.0.0.0:5000", "239.0.0.1:5001", UDPOptions{}, UDPOptions{}, nil},
	} {
		h := newHost(t, Config{}, addrA, addrA6)
		h.listenUDP(tt.first, tt.a)
		if _, err := h.e.ListenUDP(h.now, at(tt.second), tt.b); err != tt.want {
			t.Errorf("%s, then %s: %v, want %v", tt.first, tt.second, err, tt.want)
		}
	}
}

// SO_REUSEPORT spreads datagrams by hash: one sender always meets one socket.
func TestUDPReusePort(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	var sockets []*UDPSocket
	for range 3 {
		sockets = append(sockets, h.listenUDP("0.0.0.0:5000", UDPOptions{ReusePort: true}))
	}
	for i := range 60 {
		for range 2 {
			h.datagram(fmt.Sprintf("10.0.0.2:%d", 1000+i), "10.0.0.1:5000", "x")
		}
	}
	total := 0
	for i, s := range sockets {
		got := received(s)
		total += len(got)
		if len(got) == 0 {
			t.Errorf("socket %d received nothing", i)
		}
		for j := 0; j+1 < len(got); j += 2 {
			if got[j] != got[j+1] {
				t.Errorf("socket %d received %q and %q", i, got[j], got[j+1])
			}
		}
	}
	if total != 120 {
		t.Errorf("%d received, want 120", total)
	}
}

// RFC 6056, Section 3.3.4: ports are chosen from the ephemeral range, each is free, the next one
// cannot be told from the last, and when none is left the call says so.
func TestUDPPorts(t *testing.T) {
	h := newHost(t, Config{FirstPort: 40000, LastPort: 40063}, addrA)
	seen := map[uint16]bool{}
	var order []uint16
	for range 64 {
		c, err := h.e.DialUDP(h.now, netip.AddrPort{}, at("10.0.0.2:53"), UDPOptions{})
		if err != nil {
			t.Fatal(err)
		}
		port := c.Local().Port()
		if port < 40000 || port > 40063 || seen[port] {
			t.Fatalf("port %d is out of range or taken", port)
		}
		seen[port] = true
		order = append(order, port)
	}
	if slices.IsSorted(order) {
		t.Errorf("ports came in order: %v", order)
	}
	if _, err := h.e.DialUDP(h.now, netip.AddrPort{}, at("10.0.0.2:53"), UDPOptions{}); err != syscall.EAGAIN {
		t.Errorf("DialUDP with no port left = %v, want EAGAIN", err)
	}
	if _, err := h.e.DialUDP(h.now, at("10.0.0.1:0"), at("10.0.0.2:53"), UDPOptions{}); err != syscall.EADDRINUSE {
		t.Errorf("DialUDP from an address with no port left = %v, want EADDRINUSE, as bind has it", err)
	}
	if _, err := h.e.ListenUDP(h.now, netip.AddrPort{}, UDPOptions{}); err != syscall.EADDRINUSE {
		t.Errorf("ListenUDP with no port left = %v, want EADDRINUSE", err)
	}
}

// Every port belongs to one shard: sockets are there, and datagrams and ICMP
// errors about what was sent find their way.
func TestUDPShards(t *testing.T) {
	const shards = 4
	var hosts []*host
	for i := range shards {
		hosts = append(hosts, newHost(t, Config{Shard: i, Shards: shards, Secret: [32]byte{1}}, addrA))
	}
	used := map[int]bool{}
	for port := uint16(5000); port < 5050; port++ {
		to := netip.AddrPortFrom(addrA, port)
		p := packetOf(udpPacket(at("10.0.0.2:7"), to, []byte("x")))
		i := hosts[0].e.ShardOf(p)
		used[i] = true
		for j, h := range hosts {
			if got := h.e.ShardOf(p); got != i || h.e.ShardOfPort(port) != i {
				t.Fatalf("ShardOf port %d = %d in shard %d, %d in shard 0", port, got, j, i)
			}
			_, err := h.e.ListenUDP(h.now, to, UDPOptions{})
			if want := j == i; (err == nil) != want || !want && err != syscall.EADDRNOTAVAIL {
				t.Fatalf("ListenUDP of port %d in shard %d: %v", port, j, err)
			}
		}
		quote := udpPacket(to, at("10.0.0.2:7"), []byte("x"))
		if got := hosts[0].e.ShardOf(packetOf(icmpPacket(addrB, addrA, 3, 3, 0, quote))); got != i {
			t.Errorf("ShardOf an error about port %d = %d, want %d", port, got, i)
		}
	}
	if len(used) != shards {
		t.Errorf("50 ports are in %d shards of %d", len(used), shards)
	}
	for i, h := range hosts {
		s, err := h.e.ListenUDP(h.now, netip.AddrPort{}, UDPOptions{})
		if err != nil || h.e.ShardOfPort(s.Local().Port()) != i {
			t.Errorf("shard %d chose port %v of another, %v", i, s.Local(), err)
		}
	}
}

// Datagrams between sockets of one host, and to oneself, go by the loopback
// interface; an unspecified destination is the host.
func TestUDPLoopback(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	s := h.listenUDP(":5000", UDPOptions{})
	for _, tt := range []struct{ to, want string }{
		{"127.0.0.1:5000", "x from 127.0.0.1:5000"},
		{"127.1.2.3:5000", "x from 127.0.0.1:5000"},
		{"10.0.0.1:5000", "x from 10.0.0.1:5000"},
		{"[::1]:5000", "x from [::1]:5000"},
		{"0.0.0.0:5000", "x from 127.0.0.1:5000"},
		{"[::]:5000", "x from [::1]:5000"},
	} {
		if err := s.Send(h.now, []byte("x"), at(tt.to)); err != nil {
			t.Errorf("Send to %s: %v", tt.to, err)
			continue
		}
		for _, p := range h.output() {
			h.input(p.link, p.data)
		}
		wantReceived(t, "to "+tt.to, s, tt.want)
	}
}

// RFC 1122, Section 3.3.6: broadcasts go out, come in, and come back to the
// host's own sockets.
func TestUDPBroadcast(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	s, other := h.listenUDP("0.0.0.0:5000", UDPOptions{}), h.listenUDP("10.0.0.1:5001", UDPOptions{})
	for _, to := range []string{"255.255.255.255", "10.0.0.255"} {
		h.datagram("10.0.0.2:7", to+":5000", "in")
		h.datagram("10.0.0.2:7", to+":5001", "in")
		wantReceived(t, to, s, "in from 10.0.0.2:7")
		wantReceived(t, to+", bound to an address", other)
		if err := s.Send(h.now, []byte("out"), at(to+":5000")); err != nil {
			t.Fatalf("Send to %s: %v", to, err)
		}
		out := h.output()
		if len(out) != 2 || out[0].link != 9 || out[1].link != 0 {
			t.Fatalf("to %s: %d packets, want one to ourselves and one to the link", to, len(out))
		}
		h.input(9, out[0].data)
		wantReceived(t, "our own to "+to, s, "out from 10.0.0.1:5000")
	}
	h.input(0, udpPacket(at("10.0.0.1:5000"), at("10.0.0.255:5000"), []byte("forged")))
	wantReceived(t, "from our own address", s)
}

// RFC 8201, Section 5.2, RFC 1191: a message that a datagram was too big makes
// the next ones smaller, for ten minutes; forged ones make them no smaller than
// the least.
func TestUDPPathMTU(t *testing.T) {
	for _, tt := range []struct {
		from, to   netip.Addr
		typ, code  byte
		told, want int
	}{
		{addrB, addrA, 3, 4, 1300, 1300},
		{addrB, addrA, 3, 4, 68, 552},
		{addrB6, addrA6, 2, 0, 1300, 1300},
		{addrB6, addrA6, 2, 0, 600, 1280},
	} {
		h := newHost(t, Config{}, addrA, addrA6)
		s := h.listenUDP(":5000", UDPOptions{})
		send := func() (longest, n int) {
			if err := s.Send(h.now, make([]byte, 1400), netip.AddrPortFrom(tt.from, 7)); err != nil {
				t.Fatal(err)
			}
			for _, p := range h.output() {
				longest, n = max(longest, len(p.data)), n+1
			}
			return longest, n
		}
		if _, n := send(); n != 1 {
			t.Fatalf("%d packets before, want 1", n)
		}
		quote := udpPacket(netip.AddrPortFrom(tt.to, 5000), netip.AddrPortFrom(tt.from, 7), make([]byte, 100))
		h.input(0, icmpPacket(tt.from, tt.to, tt.typ, tt.code, uint32(tt.told), quote))
		if longest, n := send(); n < 2 || longest > tt.want || longest < tt.want-8 {
			t.Errorf("told %d: %d packets of up to %d bytes, want fragments of %d", tt.told, n, longest, tt.want)
		}
		h.now = h.now.Add(11 * time.Minute)
		if _, n := send(); n != 1 {
			t.Errorf("%d packets after 11 minutes, want 1", n)
		}
	}
}
