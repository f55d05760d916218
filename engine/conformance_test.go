package engine

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// RFC 9293, Section 3.9.1.1: a passive OPEN leaves the connections on its port
// alone (MUST-41), and is allowed while some of them are in SYN-SENT or
// SYN-RECEIVED (MUST-42), or in TIME-WAIT, as with SO_REUSEADDR, which Go's
// listeners set (SOCK-84, SOCK-93).
func TestListenBesideConnections(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	open := h.peer(addrB, 5000, 80).connect(l)
	waiting := h.peer(addrB, 5001, 80)
	waiting.enterTimeWait(waiting.connect(l))
	l.Close(h.now)
	dial := func(remote string) *Conn {
		t.Helper()
		c, err := h.e.Dial(h.now, netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort(remote), tcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h.one()
		return c
	}
	sent := dial("10.0.0.2:6000")
	received := dial("10.0.0.2:6001")
	h.peer(addrB, 6001, 80).send(wire.SYN, 0, "") // simultaneous open
	h.one()
	l = h.listen("10.0.0.1:80", ListenOptions{})
	h.none()
	for c, want := range map[*Conn]tcp.State{
		open: tcp.StateEstablished, sent: tcp.StateSynSent, received: tcp.StateSynReceived,
	} {
		if st := c.State(); st != want {
			t.Errorf("state = %v after Listen, want %v", st, want)
		}
	}
	if st := h.e.StateOf(waiting.tuple); st != tcp.StateTimeWait {
		t.Errorf("state = %v after Listen, want TIME-WAIT", st)
	}
	h.peer(addrB, 5002, 80).connect(l)
}

// RFC 9293, Section 3.9.1.1 (MUST-45): the local address of a connection stays
// what it is, though the host's address changes.
func TestLocalAddressStays(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	c := p.connect(l)
	h.e.RemoveInterface(0)
	h.add(Interface{Index: 1, MTU: 1500, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.77/24")}})
	c.Write(h.now, []byte("still me"))
	if s := h.one(); s.tuple != p.tuple {
		t.Errorf("sent by %v, want %v", s.tuple, p.tuple)
	}
}

// RFC 9293, Section 3.9.1.9 and 3.9.2 (MUST-48, MUST-49, SHLD-21, SHLD-22,
// SOCK-78): the user sets the TOS byte and the TTL, 64 if he does not, of every
// segment, and may change them.
func TestTOSAndTTL(t *testing.T) {
	for _, addr := range []netip.Addr{addrB, addrB6} {
		t.Run(addr.String(), func(t *testing.T) {
			h := newHost(t, Config{}, addrA, addrA6)
			want := func(what string, tos, ttl uint8) {
				t.Helper()
				pkts := h.output()
				if len(pkts) != 1 {
					t.Fatalf("%s: %d packets", what, len(pkts))
				}
				var ip wire.IP
				packetOf(pkts[0].data).ParseIP(&ip)
				if ip.TOS != tos || ip.TTL != ttl {
					t.Errorf("%s: TOS %#x, TTL %d, want %#x, %d", what, ip.TOS, ip.TTL, tos, ttl)
				}
			}
			opt := tcp.Options{TOS: 0xb8, TTL: 3}
			c, err := h.e.Dial(h.now, netip.AddrPort{}, netip.AddrPortFrom(addr, 80), opt)
			if err != nil {
				t.Fatal(err)
			}
			want("SYN", 0xb8, 3)
			p := h.peer(addr, 80, c.Tuple().LocalPort)
			p.ack = h.e.iss(h.now, &p.tuple).Add(1)
			p.send(wire.SYN|wire.ACK, 0, "")
			want("ACK", 0xb8, 3)
			o := c.Options()
			o.TOS, o.TTL = 0x28, 0
			c.SetOptions(h.now, o)
			c.Write(h.now, []byte("x"))
			want("data", 0x28, 64)
			c.Abort(h.now)
			want("RST", 0x28, 64)
		})
	}
}

// SOCK-99: what arrives before the connection is accepted counts against its
// receive buffer, and closes the window.
func TestDataBeforeAccept(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{Options: tcp.Options{RecvBuffer: 3000}})
	p := h.peer(addrB, 5000, 80)
	p.open()
	for i := range 3 {
		p.send(wire.ACK, 1000*i, fmt.Sprintf("%01000d", i))
		if s := p.want(wire.ACK, 0, 1000*(i+1)); int(s.Window) != 2000-1000*i {
			t.Errorf("window %d after %d bytes", s.Window, 1000*(i+1))
		}
	}
	c := l.Accept()
	b := make([]byte, 4000)
	if n, err := c.Read(h.now, b); n != 3000 || err != nil {
		t.Errorf("Read = %d, %v, want 3000", n, err)
	}
}

// RFC 5961, Section 7 (R5961-7): challenge ACKs are limited for each connection
// by itself, so that nobody can tell from one what another does
// (CVE-2016-5696).
func TestChallengesDoNotShareALimit(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	a, b := h.peer(addrB, 5000, 80), h.peer(addrB, 5001, 80)
	a.connect(l)
	b.connect(l)
	for range 200 {
		a.send(wire.RST, 9, "")
	}
	a.want(wire.ACK, 0, 0)
	b.send(wire.RST, 9, "")
	b.want(wire.ACK, 0, 0)
}

// RFC 6528, Section 3 (R6528-1): a 4-tuple that is used again within TIME-WAIT
// gets a larger initial sequence number each time.
func TestISSGrowsFromOneLifeToTheNext(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80)
	last := p.ack
	for i := range 10 {
		p.connect(l).Abort(h.now)
		h.one()
		if i > 0 && !last.Less(p.ack) {
			t.Errorf("life %d begins at %d, the one before at %d", i, p.ack, last)
		}
		last = p.ack
		h.now = h.now.Add(10 * time.Microsecond)
	}
}

// RFC 3168, Section 6.1.1 (R3168-1): a SYN with ECE and CWR asks for ECN, and ECE
// alone in the SYN,ACK agrees; the answer is the same when it is a cookie. RFC 9768,
// Section 3.1.3 (R9768-9): AE may be set, or mean something else some day.
func TestECNAsked(t *testing.T) {
	const ae, cwr, ece = wire.AE, wire.CWR, wire.ECE
	for _, tt := range []struct {
		name  string
		cfg   Config
		flags wire.Flags
		tos   uint8
		want  wire.Flags
	}{
		{"asked", Config{}, cwr | ece, 0, ece},
		{"AccECN", Config{}, ae | cwr | ece, 0, ece},
		{"AE alone", Config{}, ae, 0, 0},
		{"ECE alone", Config{}, ece, 0, 0},
		{"a SYN that is marked itself", Config{}, cwr | ece, 2, 0},
		{"off", Config{TCP: tcp.Config{ECN: tcp.ECNOff}}, cwr | ece, 0, 0},
		{"cookie", Config{SynCookies: CookiesAlways}, cwr | ece, 0, ece},
		{"cookie, off", Config{SynCookies: CookiesAlways, TCP: tcp.Config{ECN: tcp.ECNOff}}, cwr | ece, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, tt.cfg, addrA)
			l := h.listen("10.0.0.1:80", ListenOptions{})
			p := h.peer(addrB, 5000, 80)
			p.seg.Options.HasTS, p.seg.Options.TSVal = true, 1
			p.seg.TOS = tt.tos
			p.send(wire.SYN|tt.flags, 0, "")
			s := h.one()
			if s.Flags != wire.SYN|wire.ACK|tt.want {
				t.Fatalf("the SYN is answered by %#x, want %#x", s.Flags, wire.SYN|wire.ACK|tt.want)
			}
			p.seg.TOS = 0
			p.seq, p.ack = p.seq.Add(1), s.Seq.Add(1)
			p.seg.Options.TSEcr = s.Options.TSVal
			p.send(wire.ACK, 0, "data")
			c := l.Accept()
			if c == nil {
				t.Fatal("no connection")
			}
			if got := c.Info(h.now).ECN; got != (tt.want != 0) {
				t.Errorf("Info.ECN = %v, want %v", got, tt.want != 0)
			}
		})
	}
}

// RFC 8684, Section 3.7 (R8684-1, R8684-4): a SYN that offers MPTCP, as Go's
// and Linux's may, gets a SYN,ACK without that option: the peer falls back to
// TCP. So do options that nobody knows.
func TestUnknownOptionsOfSyn(t *testing.T) {
	for name, option := range map[string][]byte{
		"MP_CAPABLE": {30, 4, 0x01, 0x81},
		"MP_JOIN":    {30, 12, 0x10, 0, 1, 2, 3, 4, 5, 6, 7, 8},
		"fast open":  {34, 2, 1, 1},
		"unknown":    {99, 4, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Config{}, addrA)
			l := h.listen("10.0.0.1:80", ListenOptions{})
			p := h.peer(addrB, 5000, 80)
			h.input(0, synWith(append([]byte{2, 4, 3, 232}, option...)))
			s := h.one()
			if s.Flags != wire.SYN|wire.ACK || s.Options != (wire.Options{MSS: 1460}) {
				t.Fatalf("answer %v with options %+v, want SYN,ACK with MSS only", s, s.Options)
			}
			p.seq, p.ack = p.seq.Add(1), s.Seq.Add(1)
			p.send(wire.ACK, 0, "")
			if c := l.Accept(); c == nil || c.Info(h.now).SndMSS != 1000 {
				t.Error("no connection, or the MSS before the option is forgotten")
			}
		})
	}
}

// synWith returns a SYN from 10.0.0.2:5000 to 10.0.0.1:80 with the options.
func synWith(options []byte) []byte {
	b := make([]byte, 20, 20+len(options))
	binary.BigEndian.PutUint16(b[0:], 5000)
	binary.BigEndian.PutUint16(b[2:], 80)
	binary.BigEndian.PutUint32(b[4:], uint32(peerISN))
	b = append(b, options...)
	b[12], b[13] = byte(len(b)/4)<<4, byte(wire.SYN)
	binary.BigEndian.PutUint16(b[14:], 65535)
	pseudo := []byte{0, wire.ProtoTCP, 0, byte(len(b))}
	binary.BigEndian.PutUint16(b[16:], checksum(addrB.AsSlice(), addrA.AsSlice(), pseudo, b))
	return ipPacket(addrB, addrA, wire.ProtoTCP, b)
}

// The defaults are those of docs/rfc.md, section 6.
func TestDefaults(t *testing.T) {
	want := Config{
		Shards: 1, TimeWait: 60 * time.Second, MaxTimeWait: 65536, SynBacklog: 1024, SynAckRetries: 5, FastOpenPause: time.Minute,
		MaxBacklog: 4096, FirstPort: 32768, LastPort: 60999, ResetRate: 200, ICMPRate: 1000,
	}
	if got := (Config{}).withDefaults(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
}

// RFC 4987, Section 3 (R4987-1): the half-open connections of all listeners
// together are bounded, too.
func TestHalfOpenOfAllListeners(t *testing.T) {
	h := newHost(t, Config{SynCookies: CookiesNever}, addrA)
	h.listen("10.0.0.1:80", ListenOptions{})
	h.e.halfOpen = maxHalfOpen
	h.peer(addrB, 5000, 80).send(wire.SYN, 0, "")
	h.none()
	h.wantEvents("syn-queue-full")
	h.e.halfOpen--
	h.peer(addrB, 5000, 80).open()
}

// RFC 9293, Section 3.7.2, RFC 6691 (R1191-5): the MSS option says what we can
// receive. A path MTU that an ICMP message told changes what we send, not what
// we announce.
func TestMSSDoesNotFollowThePath(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	c, err := h.e.Dial(h.now, netip.AddrPort{}, netip.AddrPortFrom(addrB, 80), tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.input(0, icmpPacket(addrB, addrA, 3, 4, 1000, h.output()[0].data))
	if mtu := c.Info(h.now).PMTU; mtu != 1000 {
		t.Fatalf("PMTU = %d, want 1000", mtu)
	}
	h.wait(time.Second)
	if s := h.one(); s.Options.MSS != 1460 {
		t.Errorf("MSS option of the second SYN = %d, want 1460", s.Options.MSS)
	}
}
