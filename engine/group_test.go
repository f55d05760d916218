package engine

import (
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

var (
	groupOne  = netip.MustParseAddr("239.1.2.3")
	groupTwo  = netip.MustParseAddr("239.1.2.4")
	groupOne6 = netip.MustParseAddr("ff05::1")
	router    = netip.MustParseAddr("10.0.0.9")
	router6   = netip.MustParseAddr("fe80::9")
)

// igmp returns an IGMP message with TTL 1.
func igmp(src, dst netip.Addr, body ...byte) []byte {
	binary.BigEndian.PutUint16(body[2:], checksum(body))
	b := ipPacket(src, dst, wire.ProtoIGMP, body)
	b[8], b[10], b[11] = 1, 0, 0
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20]))
	return b
}

// query4 returns a query of the version about a group, the unspecified address
// being all; the answer is due within 10 s.
func query4(version int, group netip.Addr) []byte {
	g := group.As4()
	dst := group
	if group.IsUnspecified() {
		dst = netip.MustParseAddr("224.0.0.1")
	}
	body := []byte{0x11, 100, 0, 0, g[0], g[1], g[2], g[3]}
	switch version {
	case 1:
		body[1] = 0
	case 3:
		body = append(body, 2, 125, 0, 0)
	}
	return igmp(router, dst, body...)
}

// mld returns an MLD message with router alert and hop limit 1.
func mld(src, dst netip.Addr, body ...byte) []byte {
	pseudo := make([]byte, 8)
	binary.BigEndian.PutUint32(pseudo, uint32(len(body)))
	binary.BigEndian.PutUint32(pseudo[4:], wire.ProtoICMPv6)
	binary.BigEndian.PutUint16(body[2:], checksum(src.AsSlice(), dst.AsSlice(), pseudo, body))
	b := ipPacket(src, dst, 0, append([]byte{wire.ProtoICMPv6, 0, 5, 2, 0, 0, 1, 0}, body...))
	b[7] = 1
	return b
}

func query6(version int, group netip.Addr) []byte {
	g := group.As16()
	dst := group
	if group.IsUnspecified() {
		dst = netip.MustParseAddr("ff02::1")
	}
	body := append([]byte{130, 0, 0, 0, 0x27, 0x10, 0, 0}, g[:]...) // within 10 s
	if version == 2 {
		body = append(body, 2, 125, 0, 0)
	}
	return mld(router6, dst, body...)
}

// reports returns what the engine sends about groups, and forgets it.
func (h *host) reports() (all []string) {
	h.t.Helper()
	for _, p := range h.output() {
		b := p.data
		hl, dst := 24, netip.Addr{}
		if b[0]>>4 == 6 {
			hl, dst = 48, netip.AddrFrom16([16]byte(b[24:40]))
		} else {
			dst = netip.AddrFrom4([4]byte(b[16:20]))
		}
		body := b[hl:]
		name := map[byte]string{
			0x12: "v1 report", 0x16: "v2 report", 0x17: "v2 leave", 131: "mld1 report", 132: "mld1 done",
		}[body[0]]
		switch {
		case name != "" && hl == 24:
			all = append(all, fmt.Sprintf("%s %v to %v", name, netip.AddrFrom4([4]byte(body[4:8])), dst))
		case name != "":
			all = append(all, fmt.Sprintf("%s %v to %v", name, netip.AddrFrom16([16]byte(body[8:24])), dst))
		default:
			all = append(all, fmt.Sprintf("%s to %v", strings.Join(records(h.t, body), ", "), dst))
		}
	}
	return all
}

// records returns the group records of a report of IGMPv3 or MLDv2.
func records(t testing.TB, b []byte) (all []string) {
	size := 8
	switch b[0] {
	case 0x22:
	case 143:
		size = 20
	default:
		t.Fatalf("a message of type %d", b[0])
	}
	n := int(binary.BigEndian.Uint16(b[6:]))
	for b = b[8:]; n > 0; n-- {
		kind := map[byte]string{2: "is", 3: "left", 4: "joined"}[b[0]]
		a, _ := netip.AddrFromSlice(b[4:size])
		all = append(all, fmt.Sprintf("%s %v", kind, a))
		b = b[size:]
	}
	return all
}

func (h *host) wantReports(name string, want ...string) {
	h.t.Helper()
	if got := h.reports(); !slices.Equal(got, want) {
		h.t.Errorf("%s: sent %q, want %q", name, got, want)
	}
}

// later lets time pass and returns what is said meanwhile.
func (h *host) later(d time.Duration) (all []string) {
	h.t.Helper()
	for end := h.now.Add(d); ; {
		next := h.e.NextTimeout()
		if next == 0 || next > end {
			h.now = end
			return all
		}
		h.now = max(h.now, next)
		h.e.Advance(h.now)
		all = append(all, h.reports()...)
	}
}

func (h *host) join(group netip.Addr) {
	h.t.Helper()
	if err := h.e.JoinGroup(h.now, 0, group); err != nil {
		h.t.Fatalf("JoinGroup(%v): %v", group, err)
	}
}

// RFC 3376, Section 5.1, RFC 3810, Section 6.1: entering and leaving are reported
// at once and, as the robustness variable is 2, once more within a second; only
// the first who enters and the last who leaves count.
func TestGroupChanges(t *testing.T) {
	for _, tt := range []struct {
		group netip.Addr
		to    string
	}{{groupOne, "224.0.0.22"}, {groupOne6, "ff02::16"}} {
		t.Run(tt.group.String(), func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			joined := fmt.Sprintf("joined %v to %s", tt.group, tt.to)
			left := fmt.Sprintf("left %v to %s", tt.group, tt.to)
			h.join(tt.group)
			h.wantReports("at once", joined)
			if got := h.later(time.Second); !slices.Equal(got, []string{joined}) {
				t.Errorf("within a second: %q, want it once more", got)
			}
			h.join(tt.group)
			h.e.LeaveGroup(h.now, 0, tt.group)
			h.wantReports("while somebody is left")
			h.e.LeaveGroup(h.now, 0, tt.group)
			h.wantReports("when nobody is", left)
			if got := h.later(time.Second); !slices.Equal(got, []string{left}) {
				t.Errorf("within a second: %q, want it once more", got)
			}
			if h.e.NextTimeout() != 0 || len(h.e.groups.list) != 0 {
				t.Errorf("%d groups are left", len(h.e.groups.list))
			}
			// Who changes his mind at once: the last word counts.
			h.join(tt.group)
			h.e.LeaveGroup(h.now, 0, tt.group)
			h.wantReports("in and out", joined, left)
			if got := h.later(time.Minute); !slices.Equal(got, []string{left}) {
				t.Errorf("after in and out: %q, want %q", got, left)
			}
		})
	}
}

// RFC 3376, Section 5.2: a query is answered once, within its time and not at
// once; a general one with all groups in one report, one about a group with
// that.
func TestGroupQueries(t *testing.T) {
	six, to6 := netip.IPv6Unspecified(), "ff02::16"
	for _, tt := range []struct {
		name  string
		query []byte
		want  []string
	}{
		{"general", query4(3, netip.IPv4Unspecified()), []string{"is 239.1.2.3, is 239.1.2.4 to 224.0.0.22"}},
		{"about a group", query4(3, groupTwo), []string{"is 239.1.2.4 to 224.0.0.22"}},
		{"about another group", query4(3, netip.MustParseAddr("239.9.9.9")), nil},
		{"general, IPv6", query6(2, six), []string{"is ff05::1 to " + to6}},
		{"about a group, IPv6", query6(2, groupOne6), []string{"is ff05::1 to " + to6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			for _, g := range []netip.Addr{groupOne, groupTwo, groupOne6} {
				h.join(g)
			}
			h.reports()
			h.later(time.Minute)
			start := h.now
			h.input(0, tt.query)
			h.input(0, tt.query)
			h.wantReports("at once")
			if d := h.e.NextTimeout().Sub(start); tt.want != nil && (d <= 0 || d > 10*time.Second+1) {
				t.Errorf("the answer comes after %v, want up to 10 s", d)
			}
			if got := h.later(time.Minute); !slices.Equal(got, tt.want) {
				t.Errorf("answered %q, want %q", got, tt.want)
			}
		})
	}
}

// RFC 3376, Sections 7.2.1 and 8.12, RFC 3810, Sections 8.2.1 and 9.12: while a
// querier of an older version is there, its version is spoken, and 260 s after
// its last query, two query intervals and a response, the latest again.
func TestOlderQueriers(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		query                   []byte
		group                   netip.Addr
		report, leave, latestTo string
	}{
		{"IGMPv2", query4(2, netip.IPv4Unspecified()), groupOne, "v2 report 239.1.2.3 to 239.1.2.3", "v2 leave 239.1.2.3 to 224.0.0.2", "224.0.0.22"},
		{"IGMPv1", query4(1, netip.IPv4Unspecified()), groupOne, "v1 report 239.1.2.3 to 239.1.2.3", "", "224.0.0.22"},
		{"MLDv1", query6(1, netip.IPv6Unspecified()), groupOne6, "mld1 report ff05::1 to ff05::1", "mld1 done ff05::1 to ff02::2", "ff02::16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.join(tt.group)
			h.input(0, tt.query)
			h.reports()
			if got := h.later(20 * time.Second); !slices.Equal(got, []string{tt.report}) {
				t.Errorf("answered %q, want %q", got, tt.report)
			}
			h.e.LeaveGroup(h.now, 0, tt.group)
			if tt.leave != "" {
				h.wantReports("leaving", tt.leave)
			} else {
				h.wantReports("leaving") // IGMPv1 has no word for it
			}
			h.join(tt.group)
			h.wantReports("entering", tt.report)
			if got := h.later(10*time.Second + 1); !slices.Equal(got, []string{tt.report}) {
				t.Errorf("within 10 s: %q, want it once more", got)
			}
			h.later(231 * time.Second) // 260 s since the query
			h.e.LeaveGroup(h.now, 0, tt.group)
			h.wantReports("leaving later", fmt.Sprintf("left %v to %s", tt.group, tt.latestTo))
		})
	}
}

// RFC 2236, Section 3, RFC 2710, Section 4: when another host has reported the group, we do not,
// and do not say when we leave. In the latest versions every host reports.
func TestReportSuppression(t *testing.T) {
	v2 := igmp(addrB, groupOne, 0x16, 0, 0, 0, 239, 1, 2, 3)
	g := groupOne6.As16()
	v1 := mld(netip.MustParseAddr("fe80::2"), groupOne6, append([]byte{131, 0, 0, 0, 0, 0, 0, 0}, g[:]...)...)
	for _, tt := range []struct {
		name          string
		group         netip.Addr
		query, report []byte
		want          int
	}{
		{"IGMPv2", groupOne, query4(2, netip.IPv4Unspecified()), v2, 0},
		{"MLDv1", groupOne6, query6(1, netip.IPv6Unspecified()), v1, 0},
		{"IGMPv3", groupOne, query4(3, netip.IPv4Unspecified()), v2, 1},
		{"MLDv2", groupOne6, query6(2, netip.IPv6Unspecified()), v1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.join(tt.group)
			h.reports()
			h.later(time.Minute)
			h.input(0, tt.query)
			h.input(0, tt.report)
			if got := h.later(time.Minute); len(got) != tt.want {
				t.Errorf("reported %q, want %d reports", got, tt.want)
			}
			h.e.LeaveGroup(h.now, 0, tt.group)
			if got := h.reports(); len(got) != tt.want {
				t.Errorf("left with %q, want %d messages", got, tt.want)
			}
		})
	}
}

// Messages that did not come from this link, or are not what they should be, are
// ignored; and some groups are never reported (RFC 3376, Section 6; RFC 3810,
// Section 6).
func TestGroupsQuiet(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	h.join(groupOne)
	h.join(groupOne6)
	h.reports()
	h.later(time.Minute)
	far := query4(3, netip.IPv4Unspecified())
	far[8] = 64 // TTL
	far[10], far[11] = 0, 0
	binary.BigEndian.PutUint16(far[10:], checksum(far[:20]))
	off := mld(addrB6, netip.MustParseAddr("ff02::1"), append([]byte{130, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 16)...)...)
	for _, b := range [][]byte{far, off, igmp(router, groupOne, 0x11, 1, 0, 0, 10, 0, 0, 1)} {
		h.input(0, b)
	}
	h.input(9, query4(3, netip.IPv4Unspecified()))
	for _, g := range []string{"224.0.0.1", "ff02::1", "ff01::5"} {
		h.join(netip.MustParseAddr(g))
	}
	if err := h.e.JoinGroup(h.now, 9, groupTwo); err != nil {
		t.Error(err)
	}
	if got := append(h.reports(), h.later(time.Minute)...); got != nil {
		t.Errorf("said %q, want nothing", got)
	}
	for _, tt := range []struct {
		index int
		addr  netip.Addr
		want  error
	}{{0, addrB, syscall.EINVAL}, {5, groupOne, syscall.ENODEV}} {
		if err := h.e.JoinGroup(h.now, tt.index, tt.addr); err != tt.want {
			t.Errorf("JoinGroup(%d, %v) = %v, want %v", tt.index, tt.addr, err, tt.want)
		}
	}
	h.e.RemoveInterface(0)
	if n := len(h.e.groups.list); n != 1 {
		t.Errorf("%d groups after the interface is gone, want that of the other", n)
	}
}

// RFC 1112: a datagram to a group goes to the sockets that are in it, on the
// interface that it came in by; who sends it gets it too unless it says no, and
// the TTL is 1 unless it says another.
func TestMulticast(t *testing.T) {
	h := newHost(t, Config{}, addrA, addrA6)
	h.add(Interface{Index: 1, MTU: 1500, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}})
	opt := UDPOptions{ReuseAddr: true}
	in, out, both := h.listenUDP(":5000", opt), h.listenUDP(":5000", opt), h.listenUDP("239.1.2.3:5000", opt)
	join := func(s *UDPSocket, index int, g netip.Addr, want error) {
		t.Helper()
		if err := s.Join(index, g); err != want {
			t.Errorf("Join(%d, %v) = %v, want %v", index, g, err, want)
		}
	}
	join(in, 0, groupOne, nil)
	join(in, 0, groupOne, syscall.EADDRINUSE)
	join(in, 0, addrB, syscall.EINVAL)
	join(in, 5, groupOne, syscall.ENODEV)
	join(in, 0, groupOne6, nil)
	join(both, 0, groupOne, nil)
	join(both, 1, groupOne, nil)
	join(both, 0, groupOne6, syscall.EINVAL)
	h.datagram("10.0.0.2:7", "239.1.2.3:5000", "zero")
	h.datagram("10.0.0.2:7", "239.1.2.4:5000", "another group")
	h.datagram("[fe80::2]:7", "[ff05::1]:5000", "six")
	h.input(1, udpPacket(at("10.1.0.2:7"), at("239.1.2.3:5000"), []byte("one")))
	wantReceived(t, "in", in, "zero from 10.0.0.2:7", "six from [fe80::2]:7")
	wantReceived(t, "not in", out)
	wantReceived(t, "in on both", both, "zero from 10.0.0.2:7", "one from 10.1.0.2:7")
	h.none()

	send := func(want ...string) {
		t.Helper()
		if err := out.Send(h.now, []byte("x"), at("239.1.2.3:5000")); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range h.output() {
			got = append(got, fmt.Sprintf("%d ttl %d", p.link, p.data[8]))
			if p.link == 9 {
				h.input(9, p.data)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
	send("9 ttl 1", "0 ttl 1")
	wantReceived(t, "in", in, "x from 10.0.0.1:5000")
	out.SetMulticastLoopback(false)
	out.SetMulticastTTL(5)
	send("0 ttl 5")
	if err := out.SetMulticastInterface(1); err != nil {
		t.Fatal(err)
	}
	send("1 ttl 5")
	if err := out.SetMulticastInterface(7); err != syscall.ENODEV {
		t.Errorf("SetMulticastInterface(7) = %v, want ENODEV", err)
	}
	out.SetMulticastTTL(0)
	send()

	if err := in.Leave(0, groupOne); err != nil {
		t.Fatal(err)
	}
	if err := in.Leave(0, groupOne); err != syscall.EADDRNOTAVAIL {
		t.Errorf("Leave twice = %v, want EADDRNOTAVAIL", err)
	}
	h.datagram("10.0.0.2:7", "239.1.2.3:5000", "gone")
	wantReceived(t, "after leaving", in)
	left := 0
	both.Groups(func(int, netip.Addr) { left++ })
	if left != 2 {
		t.Errorf("Groups has %d, want 2", left)
	}
}

// FuzzUDP feeds an engine that has UDP sockets and groups with packets, as
// FuzzInput does; some of what it is given are fragments.
func FuzzUDP(f *testing.F) {
	add := func(packets ...[]byte) {
		var all []byte
		for _, b := range packets {
			all = append(binary.BigEndian.AppendUint16(all, uint16(len(b))), b...)
		}
		f.Add(all)
	}
	add(fragments(false, 1, strings.Repeat("x", 300), 80)...)
	add(fragments(true, 1, strings.Repeat("x", 300), 80)...)
	add(query4(3, groupOne), query4(2, netip.IPv4Unspecified()), query4(1, netip.IPv4Unspecified()))
	add(query6(2, groupOne6), query6(1, netip.IPv6Unspecified()))
	add(igmp(addrB, groupOne, 0x16, 0, 0, 0, 239, 1, 2, 3))
	add(udpPacket(at("10.0.0.2:7"), at("10.0.0.1:5000"), []byte("x")), udpPacket(at("10.0.0.2:7"), at("239.1.2.3:5000"), nil))
	add(icmpPacket(addrB, addrA, 3, 3, 0, udpPacket(at("10.0.0.1:5001"), at("10.0.0.2:7"), nil)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHost(t, Config{}, addrA, addrA6)
		sockets := []*UDPSocket{h.listenUDP(":5000", UDPOptions{RecvBuffer: 10000})}
		c, err := h.e.DialUDP(h.now, at("10.0.0.1:5001"), at("10.0.0.2:7"), UDPOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, c)
		for _, g := range []netip.Addr{groupOne, groupOne6} {
			h.join(g)
			if err := sockets[0].Join(0, g); err != nil {
				t.Fatal(err)
			}
		}
		for len(data) > 2 {
			n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			b := slices.Clone(data[2 : 2+n])
			data = data[2+n:]
			h.input(int(h.now)%2*9, b)
			h.output()
			h.now += tcp.Time(time.Second) + 1
			h.e.Advance(h.now)
			h.output()
			if h.e.fragments.bytes > maxReassembly || sockets[0].queued > 10000+1<<16 {
				t.Fatalf("%d bytes of fragments, %d queued", h.e.fragments.bytes, sockets[0].queued)
			}
			if next := h.e.NextTimeout(); next != 0 && next <= h.now {
				t.Fatalf("NextTimeout %v is not after %v", next, h.now)
			}
		}
		for _, s := range sockets {
			received(s)
			s.Close(h.now)
		}
		h.now = h.now.Add(time.Hour)
		h.e.Advance(h.now)
		if h.e.fragments.bytes != 0 {
			t.Errorf("%d bytes of fragments are left", h.e.fragments.bytes)
		}
	})
}
