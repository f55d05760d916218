package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/internal/netns"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// open opens a device with the kernel at 10.1.0.1 and fd00:1::1.
func open(t testing.TB, cfg Config) *Device {
	t.Helper()
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	err = d.Configure(netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("fd00:1::1/64"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConfigCheck(t *testing.T) {
	tests := []struct {
		cfg Config
		ok  bool
	}{
		{Config{}, true},
		{Config{Name: "trivet0", MTU: 1500}, true},
		{Config{Name: "tun%d", MTU: MaxMTU}, true},
		{Config{Name: "fifteen-bytes-x", MTU: MinMTU}, true},
		{Config{Name: "sixteen-bytes-xy"}, false},
		{Config{Name: "a/b"}, false},
		{Config{Name: "a b"}, false},
		{Config{Name: ".."}, false},
		{Config{Name: "%s"}, false},
		{Config{Name: "%d%d"}, false},
		{Config{MTU: MinMTU - 1}, false},
		{Config{MTU: MaxMTU + 1}, false},
		{Config{MTU: -1}, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s,%d", tt.cfg.Name, tt.cfg.MTU), func(t *testing.T) {
			err := tt.cfg.Check()
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrConfig) {
				t.Errorf("%+v.Check() = %v, want error: %v", tt.cfg, err, !tt.ok)
			}
		})
	}
}

func TestOpenAndClose(t *testing.T) {
	netns.New(t)
	for _, cfg := range []Config{{Name: "trivet0"}, {Name: "trivet%d", NoOffload: true, MTU: 9000}, {}} {
		d, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := link.TxChecksum | link.TSO | link.RxMerged
		if cfg.NoOffload {
			want = 0
		}
		if got := d.Offloads(); got != want {
			t.Errorf("Offloads() = %v, want %v", got, want)
		}
		ifi, err := net.InterfaceByName(d.Name())
		if err != nil {
			t.Fatalf("InterfaceByName(%q) after Open: %v", d.Name(), err)
		}
		if cfg.MTU == 0 {
			cfg.MTU = DefaultMTU
		}
		if ifi.MTU != cfg.MTU || d.MTU() != cfg.MTU {
			t.Errorf("MTU = %d, of the interface %d, want %d", d.MTU(), ifi.MTU, cfg.MTU)
		}
		if cfg.Name == "trivet%d" && d.Name() != "trivet0" {
			t.Errorf("Name() = %q, want trivet0", d.Name())
		}
		d.Close()
		if _, err := net.InterfaceByName(d.Name()); err == nil {
			t.Errorf("interface %s is there after Close", d.Name())
		}
		if err := d.Close(); err != nil {
			t.Errorf("second Close() = %v", err)
		}
	}
}

// RFC 4862, Section 5.4: an address under duplicate address detection is
// tentative and not used; ours must be usable when Configure returns.
func TestConfigure(t *testing.T) {
	ns := netns.New(t)
	d := open(t, Config{Name: "trivet0"})
	if err := d.Configure(netip.MustParsePrefix("10.1.0.1/24")); err != nil {
		t.Errorf("Configure again: %v", err)
	}
	out := ns.Run("ip", "addr", "show", "dev", "trivet0")
	for _, want := range []string{"UP", "inet 10.1.0.1/24", "inet6 fd00:1::1/64"} {
		if !strings.Contains(out, want) {
			t.Errorf("ip addr does not show %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "tentative") {
		t.Errorf("an address is tentative:\n%s", out)
	}
	if _, err := net.ListenPacket("udp", "[fd00:1::1]:0"); err != nil {
		t.Errorf("the IPv6 address is not usable: %v", err)
	}
	if err := d.Configure(netip.Prefix{}); !errors.Is(err, ErrConfig) {
		t.Errorf("Configure(invalid prefix) = %v, want ErrConfig", err)
	}
}

// The kernel takes packets for the addresses when Configure returns, not some
// time later, or the answer to a first SYN is lost.
func TestConfigureIsDone(t *testing.T) {
	for range 20 {
		netns.New(t)
		open(t, Config{})
		for _, a := range []string{"10.1.0.1", "fd00:1::1"} {
			if ok, err := isLocal(netip.MustParseAddr(a)); !ok {
				t.Fatalf("isLocal(%s) after Configure = false, %v", a, err)
			}
		}
		if ok, err := isLocal(netip.MustParseAddr("fd00:1::2")); ok || err != nil {
			t.Fatalf("isLocal of the other side = %v, %v", ok, err)
		}
	}
}

func TestRouteType(t *testing.T) {
	b := make([]byte, 28)
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_NEWROUTE)
	b[23] = unix.RTN_LOCAL
	if got := routeType(b); got != unix.RTN_LOCAL {
		t.Errorf("routeType(local route) = %d, want %d", got, unix.RTN_LOCAL)
	}
	for n := range b {
		if got := routeType(b[:n]); got != 0 {
			t.Errorf("routeType(%d bytes) = %d, want 0", n, got)
		}
	}
	b[4] = unix.NLMSG_ERROR
	if got := routeType(b); got != 0 {
		t.Errorf("routeType(error) = %d, want 0", got)
	}
}

func TestOpenErrors(t *testing.T) {
	ns := netns.New(t)
	want := func(t *testing.T, err, is error, text string) {
		t.Helper()
		if !errors.Is(err, is) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open: %v\nwant one line that is %v and contains %q", err, is, text)
		}
	}
	first, err := Open(Config{Name: "trivet0"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = Open(Config{Name: "trivet0"})
	want(t, err, unix.EBUSY, "in use")
	_, err = Open(Config{Name: "lo"})
	want(t, err, unix.EINVAL, "another kind")
	_, err = Open(Config{Name: "sixteen-bytes-xy"})
	want(t, err, ErrConfig, "longer than 15 bytes")

	// Capabilities are of a thread; this one ends with the test.
	dropCapabilities(t)
	_, err = Open(Config{Name: "trivet1"})
	want(t, err, unix.EPERM, "setcap cap_net_admin+ep")
	err = first.Configure(netip.MustParsePrefix("10.1.0.1/24"))
	want(t, err, unix.EPERM, "unshare -Urn")
	if out := ns.Run("ip", "link"); strings.Contains(out, "trivet1") {
		t.Errorf("a device is left behind:\n%s", out)
	}
}

// Where the device file itself cannot be opened, a network namespace of one's
// own is no way out, and is not proposed.
func TestExplainOpen(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EACCES, unix.EPERM} {
		err := explain(&os.PathError{Op: "open", Path: devicePath, Err: errno}, "trivet0")
		if s := err.Error(); !errors.Is(err, errno) || !strings.Contains(s, "chmod 666 /dev/net/tun") || strings.Contains(s, "unshare") {
			t.Errorf("explain(open: %v) = %q", errno, s)
		}
	}
}

func dropCapabilities(t *testing.T) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		t.Fatal(err)
	}
}

// readUDP reads from the device until an IPv4 UDP packet to port 9 comes and
// returns its payload. The kernel sends others of its own accord.
func readUDP(t testing.TB, d *Device, pkts []wire.Packet) (payloads [][]byte) {
	t.Helper()
	for payloads == nil {
		n, err := d.Read(pkts)
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		for i := range pkts[:n] {
			b := pkts[i].AppendTo(nil)
			if b[0] == 0x45 && b[9] == wire.ProtoUDP && b[23] == 9 {
				payloads = append(payloads, b[28:])
			}
			pkts[i].Release()
		}
	}
	return payloads
}

func TestRead(t *testing.T) {
	for _, noOffload := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoOffload=%v", noOffload), func(t *testing.T) {
			netns.New(t)
			d := open(t, Config{NoOffload: noOffload})
			c, err := net.Dial("udp", "10.1.0.2:9")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const count = 50
			for i := range count {
				if _, err := c.Write(bytes.Repeat([]byte{byte(i)}, 10+i*20)); err != nil {
					t.Fatal(err)
				}
			}
			var got [][]byte
			calls := 0
			for pkts := make([]wire.Packet, 32); len(got) < count; calls++ {
				got = append(got, readUDP(t, d, pkts)...)
			}
			for i, b := range got {
				if want := bytes.Repeat([]byte{byte(i)}, 10+i*20); !bytes.Equal(b, want) {
					t.Errorf("packet %d is %d bytes of %d, want %d bytes of %d", i, len(b), b[0], len(want), i)
				}
			}
			if calls > count/2 {
				t.Errorf("%d packets took %d calls of Read: no batches", count, calls)
			}
		})
	}
}

// A queued small packet must not hold the memory of a large one.
func TestReadCopiesSmallPackets(t *testing.T) {
	netns.New(t)
	d := open(t, Config{MTU: 65535})
	c, err := net.Dial("udp", "10.1.0.2:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tt := range []struct{ payload, blockCap int }{
		{100, block.Small}, {4000, block.Medium}, {30000, block.Large}, {100, block.Small},
	} {
		c.Write(make([]byte, tt.payload))
		for {
			pkts := make([]wire.Packet, 1)
			if _, err := d.Read(pkts); err != nil {
				t.Fatal(err)
			}
			chunk := pkts[0].Payload[0]
			if len(chunk.Data) != tt.payload+28 {
				continue // the kernel's own
			}
			if got := chunk.Block.Cap(); got != tt.blockCap {
				t.Errorf("packet of %d bytes is in a block of %d, want %d", len(chunk.Data), got, tt.blockCap)
			}
			pkts[0].Release()
			break
		}
	}
}

// udpPacket is an IPv4 packet from 10.1.0.2 to 10.1.0.1 port 9 whose UDP
// checksum is the sum of the pseudo-header, as wire.ChecksumPartial has it, or
// none.
func udpPacket(payload int, partial bool) []byte {
	b := udp4(payload)
	n := len(b)
	b[2], b[3], b[8] = byte(n>>8), byte(n), 64
	copy(b[12:], []byte{10, 1, 0, 2, 10, 1, 0, 1})
	sum := ^sum16(b[:20])
	b[10], b[11] = byte(sum>>8), byte(sum)
	b[21], b[23] = 7, 9
	b[24], b[25] = byte((n-20)>>8), byte(n-20)
	for i := range b[28:] {
		b[28+i] = byte(i * 7)
	}
	if partial {
		pseudo := append(append([]byte{}, b[12:20]...), 0, wire.ProtoUDP, b[24], b[25])
		sum := sum16(pseudo)
		b[26], b[27] = byte(sum>>8), byte(sum)
	}
	return b
}

func sum16(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	s = s&0xffff + s>>16
	return uint16(s + s>>16)
}

func listenUDP(t testing.TB) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp4", "10.1.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestWrite(t *testing.T) {
	whole := func(b []byte) *wire.Packet { return packetOf(b, 0) }
	split := func(b []byte) *wire.Packet { return packetOf(b, 28) }
	shredded := func(b []byte) *wire.Packet { // more pieces than one system call takes
		p := new(wire.Packet)
		copy(p.SetHeader(28), b)
		for i := 28; i < len(b); i++ {
			p.Payload = append(p.Payload, block.Chunk{Data: b[i : i+1]})
		}
		return p
	}
	for _, noOffload := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoOffload=%v", noOffload), func(t *testing.T) {
			netns.New(t)
			d := open(t, Config{NoOffload: noOffload})
			c := listenUDP(t)
			for _, shape := range []func([]byte) *wire.Packet{whole, split, shredded} {
				b := udpPacket(1400, !noOffload)
				p := shape(b)
				if !noOffload {
					p.Checksum = wire.ChecksumPartial
				}
				if n, err := d.Write([]wire.Packet{*p}); n != 1 || err != nil {
					t.Fatalf("Write = %d, %v, want 1", n, err)
				}
				got := make([]byte, 2000)
				n, _, err := c.ReadFrom(got)
				if err != nil || !bytes.Equal(got[:n], b[28:]) {
					t.Errorf("the kernel received %d bytes, %v, want %d", n, err, len(b)-28)
				}
			}
			if s := d.Stats(); s.TxPackets != 3 || s.TxBytes != 3*1428 || s.TxDropped+s.TxInvalid > 0 {
				t.Errorf("Stats() = %+v, want 3 packets of 1428 bytes", s)
			}
		})
	}
}

func TestWriteRefused(t *testing.T) {
	ns := netns.New(t)
	plain := open(t, Config{NoOffload: true})
	partial := packetOf(udpPacket(10, true), 28)
	partial.Checksum = wire.ChecksumPartial
	super := packetOf(udpPacket(10, true), 28)
	super.SegSize = 5
	complete := packetOf(udpPacket(10, false), 28)
	empty := new(wire.Packet)
	pkts := []wire.Packet{*partial, *super, *empty, *complete}
	// What no device could carry is not what a full queue is.
	if n, err := plain.Write(pkts); n != 4 || err != nil {
		t.Errorf("Write = %d, %v, want 4, nil", n, err)
	}
	if s := plain.Stats(); s.TxInvalid != 3 || s.TxPackets != 1 {
		t.Errorf("Stats() = %+v, want 3 invalid and 1 packet", s)
	}
	ns.Run("ip", "link", "set", plain.Name(), "down")
	if n, err := plain.Write(pkts[3:]); n != 0 || err != nil {
		t.Errorf("Write while down = %d, %v, want 0, nil", n, err)
	}
	if s := plain.Stats(); s.TxDropped != 1 {
		t.Errorf("Stats() = %+v, want 1 dropped", s)
	}
}

func TestCloseEndsRead(t *testing.T) {
	netns.New(t)
	d := open(t, Config{})
	ended := make(chan error)
	go func() { // ends by Close
		pkts := make([]wire.Packet, 8)
		for {
			n, err := d.Read(pkts)
			if err != nil {
				ended <- err
				return
			}
			for i := range pkts[:n] {
				pkts[i].Release()
			}
		}
	}()
	d.Close()
	if err := <-ended; err != net.ErrClosed {
		t.Errorf("Read after Close: %v, want net.ErrClosed", err)
	}
	if _, err := d.Read(make([]wire.Packet, 1)); err != net.ErrClosed {
		t.Errorf("another Read after Close: %v, want net.ErrClosed", err)
	}
	if _, err := d.Write([]wire.Packet{*packetOf(udpPacket(1, false), 28)}); err != net.ErrClosed {
		t.Errorf("Write after Close: %v, want net.ErrClosed", err)
	}
	if n, err := d.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v, want 0, nil", n, err)
	}
}

// The administrator may remove the interface under a running process.
func TestRemovedFromOutside(t *testing.T) {
	ns := netns.New(t)
	d := open(t, Config{Name: "trivet0"})
	ns.Run("ip", "link", "del", "trivet0")
	var err error
	for pkts := make([]wire.Packet, 8); err == nil; {
		_, err = d.Read(pkts)
	}
	if !strings.Contains(err.Error(), "removed") {
		t.Errorf("Read: %v, want the device to be removed", err)
	}
	if _, err := d.Write([]wire.Packet{*packetOf(udpPacket(1, false), 28)}); err == nil || !strings.Contains(err.Error(), "removed") {
		t.Errorf("Write: %v, want the device to be removed", err)
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	netns.New(t)
	d := open(t, Config{})
	p := packetOf(udpPacket(1400, true), 28)
	p.Checksum = wire.ChecksumPartial
	listenUDP(t)
	w := newWriter(d) // not from the pool, which forgets at will
	w.pkts = []wire.Packet{*p}
	if n := testing.AllocsPerRun(100, func() { d.conn.Control(w.send) }); n != 0 || w.n == 0 {
		t.Errorf("writing allocates %v times after %d packets, want 0", n, w.n)
	}
}

func BenchmarkWrite(b *testing.B) {
	netns.New(b)
	d := open(b, Config{})
	c := listenUDP(b) // its buffer fills, and the kernel drops the rest
	defer c.Close()
	const batch = 32
	pkts := make([]wire.Packet, batch)
	for i := range pkts {
		pkts[i] = *packetOf(udpPacket(1400, true), 28)
		pkts[i].Checksum = wire.ChecksumPartial
	}
	b.SetBytes(batch * 1428)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := d.Write(pkts); n != batch || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkRead is the kernel's UDP send and the read of it, one packet each.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 1400, 60000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			netns.New(b)
			d := open(b, Config{MTU: 65535})
			c, err := net.Dial("udp", "10.1.0.2:9")
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			payload, pkts := make([]byte, size), make([]wire.Packet, 8)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(payload); err != nil && !errors.Is(err, unix.ENOBUFS) {
					b.Fatal(err)
				}
				n, err := d.Read(pkts)
				if err != nil {
					b.Fatal(err)
				}
				for i := range pkts[:n] {
					pkts[i].Release()
				}
			}
		})
	}
}

// A netlink answer that is no verdict must not be read past its end.
func TestNetlinkVerdict(t *testing.T) {
	ack := make([]byte, 36)
	binary.NativeEndian.PutUint16(ack[4:], unix.NLMSG_ERROR)
	eexist := bytes.Clone(ack)
	binary.NativeEndian.PutUint32(eexist[16:], ^uint32(unix.EEXIST)+1)
	if err := netlinkVerdict(ack); err != nil {
		t.Errorf("netlinkVerdict(ack) = %v, want nil", err)
	}
	if err := netlinkVerdict(eexist); err != unix.EEXIST {
		t.Errorf("netlinkVerdict(EEXIST) = %v, want EEXIST", err)
	}
	for n := range 20 {
		if err := netlinkVerdict(ack[:n]); err == nil {
			t.Errorf("netlinkVerdict(%d bytes) = nil, want an error", n)
		}
	}
	if err := netlinkVerdict(make([]byte, 36)); err == nil || errors.Is(err, unix.EEXIST) {
		t.Errorf("netlinkVerdict(another message) = %v, want an error", err)
	}
}
