package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trivet-net/trivet/wire"
)

// fragments cuts the datagram from addrB (or addrB6) port 7 to port 5000 into
// fragments of n bytes of data.
func fragments(six bool, id uint32, data string, n int) (all [][]byte) {
	src, dst := netip.AddrPortFrom(addrB, 7), netip.AddrPortFrom(addrA, 5000)
	hl := 20
	if six {
		src, dst = netip.AddrPortFrom(addrB6, 7), netip.AddrPortFrom(addrA6, 5000)
		hl = 40
	}
	upper := udpPacket(src, dst, []byte(data))[hl:]
	for at := 0; at < len(upper); at += n {
		end := min(at+n, len(upper))
		all = append(all, fragment(six, id, at, upper[at:end], end < len(upper)))
	}
	return all
}

// fragment returns one fragment.
func fragment(six bool, id uint32, offset int, data []byte, more bool) []byte {
	field := uint16(offset)
	if six {
		if more {
			field |= 1
		}
		h := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{wire.ProtoUDP, 0}, field), id)
		return ipPacket(addrB6, addrA6, 44, append(h, data...))
	}
	field /= 8
	if more {
		field |= 0x2000
	}
	b := ipPacket(addrB, addrA, wire.ProtoUDP, data)
	binary.BigEndian.PutUint16(b[4:], uint16(id))
	binary.BigEndian.PutUint16(b[6:], field)
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20]))
	return b
}

// RFC 791, Section 3.2; RFC 8200, Section 4.5; RFC 1122, Section 3.3.2: fragments
// become a datagram, in any order, with copies in between, from several
// datagrams at once.
func TestReassembly(t *testing.T) {
	text, other := strings.Repeat("0123456789", 30), strings.Repeat("abcde", 50)
	for _, six := range []bool{false, true} {
		from := "10.0.0.2:7"
		if six {
			from = "[fd00::2]:7"
		}
		for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 2, 0, 0, 3, 3, 1}} {
			t.Run(fmt.Sprintf("IPv6 %v, %v", six, order), func(t *testing.T) {
				h := newHost(t, Config{}, addrA, addrA6)
				s := h.listenUDP(":5000", UDPOptions{})
				one, two := fragments(six, 1, text, 80), fragments(six, 2, other, 80)
				for _, i := range order {
					h.input(0, one[i])
					h.input(0, two[i])
				}
				wantReceived(t, "socket", s, text+" from "+from, other+" from "+from)
				st := h.e.Stats().Fragments
				if st.Whole != 2 || st.Waiting != 0 || st.In != uint64(2*len(order)) || h.e.NextTimeout() != 0 {
					t.Errorf("stats %+v, next time-out %v; want 2 whole, none waiting", st, h.e.NextTimeout())
				}
				h.none()
			})
		}
	}
}

// RFC 5722, Section 3; RFC 8200, Section 4.5: when fragments overlap the datagram
// is dropped, silently, with all that still comes of it. The same for
// fragments that contradict each other about the end.
func TestReassemblyOverlap(t *testing.T) {
	upper := udpPacket(at("10.0.0.2:7"), at("10.0.0.1:5000"), make([]byte, 92))[20:] // 100 bytes
	type piece struct {
		from, to int
		more     bool
	}
	for _, tt := range []struct {
		name   string
		pieces []piece
	}{
		{"in the middle", []piece{{0, 40, true}, {32, 72, true}, {40, 72, true}, {72, 100, false}}},
		{"before", []piece{{40, 80, true}, {0, 48, true}, {0, 40, true}, {80, 100, false}}},
		{"inside", []piece{{0, 64, true}, {8, 16, true}, {64, 100, false}}},
		{"around", []piece{{16, 24, true}, {0, 64, true}, {64, 100, false}}},
		{"past the end", []piece{{64, 100, false}, {96, 104, true}, {0, 64, true}}},
		{"two ends", []piece{{64, 100, false}, {40, 64, false}, {0, 40, true}, {40, 64, true}}},
		{"end before others", []piece{{64, 96, true}, {40, 60, false}, {0, 40, true}}},
	} {
		for _, six := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, IPv6 %v", tt.name, six), func(t *testing.T) {
				h := newHost(t, Config{}, addrA, addrA6)
				s := h.listenUDP(":5000", UDPOptions{})
				padded := append(bytes.Clone(upper), make([]byte, 8)...)
				for _, p := range tt.pieces {
					h.input(0, fragment(six, 1, p.from, padded[p.from:p.to], p.more))
				}
				wantReceived(t, "socket", s)
				h.now = h.now.Add(reassemblyTime)
				h.e.Advance(h.now)
				h.none()
				if st := h.e.Stats().Fragments; st.Overlaps != 1 || st.Waiting != 0 || st.TimedOut != 0 {
					t.Errorf("stats %+v, want one overlap, none waiting", st)
				}
			})
		}
	}
}

// RFC 1122, Section 3.3.2; RFC 8200, Section 4.5: after 60 s the fragments are
// dropped, and if the first is there its sender is told by time exceeded, code 1.
func TestReassemblyTimeout(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("IPv6 %v, first %v", six, first), func(t *testing.T) {
				h := newHost(t, Config{}, addrA, addrA6)
				parts := fragments(six, 1, strings.Repeat("x", 300), 160)
				part := parts[1]
				if first {
					part = parts[0]
				}
				h.input(0, part)
				if got, want := h.e.NextTimeout(), h.now.Add(60*time.Second); got != want {
					t.Fatalf("NextTimeout = %v, want %v", got, want)
				}
				h.now = h.now.Add(60*time.Second - 1)
				h.e.Advance(h.now)
				h.none()
				h.now++
				h.e.Advance(h.now)
				out := h.output()
				if (len(out) == 1) != first {
					t.Fatalf("%d packets, want one: %v", len(out), first)
				}
				if st := h.e.Stats().Fragments; st.TimedOut != 1 || st.Waiting != 0 || h.e.fragments.bytes != 0 {
					t.Errorf("stats %+v, %d bytes; want one timed out, nothing left", st, h.e.fragments.bytes)
				}
				if !first {
					return
				}
				hl, typ := 20, byte(11)
				if six {
					hl, typ = 40, 3
				}
				if b := out[0].data; b[hl] != typ || b[hl+1] != 1 || !bytes.Equal(b[hl+8:], part) {
					t.Errorf("sent % x, want time exceeded, code 1, with the fragment", b)
				}
			})
		}
	}
}

// Memory for fragments is bounded: the oldest datagrams go.
func TestReassemblyBounds(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	s := h.listenUDP(":5000", UDPOptions{})
	parts := fragments(false, 7, strings.Repeat("x", 300), 160)
	h.input(0, parts[0])
	for id := range uint32(3000) {
		h.input(0, fragment(false, 1000+id, 0, make([]byte, 1400), true))
	}
	st := h.e.Stats().Fragments
	if st.Waiting > maxReassemblies || h.e.fragments.bytes > maxReassembly || st.Evicted != uint64(3001-st.Waiting) {
		t.Errorf("%+v, %d bytes; want at most %d of %d bytes", st, h.e.fragments.bytes, maxReassemblies, maxReassembly)
	}
	h.input(0, parts[1])
	wantReceived(t, "socket, after its first fragment was evicted", s)

	// One datagram in very many pieces is not kept.
	h = newHost(t, Config{}, addrA)
	for i := range maxFragments + 10 {
		h.input(0, fragment(false, 1, 8*i, make([]byte, 8), true))
	}
	if h.e.fragments.bytes != 0 {
		t.Errorf("%d bytes kept of a datagram in %d pieces", h.e.fragments.bytes, maxFragments+10)
	}
	h.input(0, fragment(false, 1, 0, nil, true))
	h.input(0, ipPacket(addrB, netip.MustParseAddr("10.0.0.9"), wire.ProtoUDP, nil))
	if n := h.e.Stats().Drops[wire.DropFragment]; n == 0 {
		t.Error("no fragment was dropped")
	}
}

// What one host sends in fragments another puts together; identifications
// differ, also between the shards of a host (RFC 6864, Section 4.3).
func TestFragmentsBetweenHosts(t *testing.T) {
	b := newHost(t, Config{}, addrB, addrB6)
	s := b.listenUDP(":5000", UDPOptions{RecvBuffer: 1 << 22})
	ids := map[uint32]bool{}
	for shard := range 3 {
		a := newHost(t, Config{Shard: shard, Shards: 3}, addrA, addrA6)
		c, err := a.e.ListenUDP(a.now, netip.AddrPort{}, UDPOptions{SendBuffer: 1 << 22})
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"10.0.0.2:5000", "[fd00::2]:5000"} {
			for _, n := range []int{1472, 1473, 3000, 65507} {
				data := bytes.Repeat([]byte{byte(n)}, n)
				if err := c.Send(a.now, data, at(to)); err != nil {
					t.Fatal(err)
				}
				for _, p := range a.output() {
					if len(p.data) > 1500 {
						t.Fatalf("a packet of %d bytes", len(p.data))
					}
					var f wire.Fragment
					pkt := packetOf(p.data)
					var ip wire.IP
					if pkt.ParseIP(&ip) == wire.DropFragment && pkt.ParseFragment(&f) == wire.DropNone && f.Offset == 0 && f.Version == 4 {
						if ids[f.ID] {
							t.Errorf("identification %#x is used twice", f.ID)
						}
						ids[f.ID] = true
					}
					b.input(0, p.data)
				}
				buf := make([]byte, 1<<16)
				if k, _, err := s.Receive(buf); err != nil || !bytes.Equal(buf[:k], data) {
					t.Errorf("%d bytes to %s: received %d, %v", n, to, k, err)
				}
			}
		}
	}
	if len(ids) != 9 {
		t.Errorf("%d identifications, want 9", len(ids))
	}
}

// RFC 8200, Section 4.5: the sender of a fragment whose length or place cannot be
// is told which field is wrong.
func TestImpossibleFragments(t *testing.T) {
	group := netip.MustParseAddr("ff02::1")
	toGroup := func(b []byte) []byte { copy(b[24:40], group.AsSlice()); return b }
	for _, tt := range []struct {
		name  string
		b     []byte
		field uint32 // 0: no answer
	}{
		{"no multiple of 8", fragment(true, 1, 0, make([]byte, 33), true), 4},
		{"past the end", fragment(true, 1, 65528, make([]byte, 9), false), 42},
		{"to a group", toGroup(fragment(true, 1, 0, make([]byte, 33), true)), 0},
		{"nothing", fragment(true, 1, 0, nil, true), 0},
		{"IPv4, no multiple of 8", fragment(false, 1, 0, make([]byte, 33), true), 0},
		{"IPv4, past the end", fragment(false, 1, 65528, make([]byte, 9), false), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			h.input(0, tt.b)
			pkts := h.output()
			if tt.field == 0 {
				if len(pkts) != 0 {
					t.Errorf("answer % x", pkts[0].data)
				}
				return
			}
			want := icmpPacket(addrA6, addrB6, 4, 0, tt.field, tt.b)
			if len(pkts) != 1 || string(pkts[0].data[8:]) != string(want[8:]) {
				t.Errorf("answers %v\nwant % x", pkts, want)
			}
			if st := h.e.Stats(); st.Fragments.Waiting != 0 || st.Drops[wire.DropFragment] != 1 {
				t.Errorf("%+v", st.Fragments)
			}
		})
	}
}

// In a host of several shards fragments come to shard 0, and the whole goes to
// the shard that it belongs to.
func TestStrays(t *testing.T) {
	h := newHost(t, Config{Shards: 4}, addrA)
	for _, b := range fragments(false, 1, strings.Repeat("x", 300), 160) {
		if got := h.e.ShardOf(packetOf(b)); got != 0 {
			t.Errorf("ShardOf a fragment = %d, want 0", got)
		}
		h.input(0, b)
	}
	var out wire.Batch
	h.e.Strays(&out)
	if out.Len() != 1 {
		t.Fatalf("%d strays, want 1", out.Len())
	}
	if got, want := h.e.ShardOf(&out.Packets[0]), h.e.ShardOfPort(5000); got != want || out.Packets[0].Len() != 328 {
		t.Errorf("a stray of %d bytes for shard %d, want 328 for %d", out.Packets[0].Len(), got, want)
	}
	out.Release()
	h.e.Strays(&out)
	if out.Len() != 0 {
		t.Errorf("%d strays the second time, want 0", out.Len())
	}
}

// Fragments inside fragments are of no use to anybody but attackers.
func TestNestedFragments(t *testing.T) {
	h := newHost(t, Config{}, addrA6)
	inner := fragment(true, 2, 0, make([]byte, 80), true)[40:]
	for at := 0; at < len(inner); at += 48 {
		b := fragment(true, 1, at, inner[at:min(at+48, len(inner))], at+48 < len(inner))
		b[40] = 44 // the data begin with another fragment header
		h.input(0, b)
	}
	st := h.e.Stats()
	if st.Drops[wire.DropFragment] != 1 || st.Fragments.Whole != 1 || st.Fragments.Waiting != 0 {
		t.Errorf("%d drops, %+v; want 1, none waiting", st.Drops[wire.DropFragment], st.Fragments)
	}
}
