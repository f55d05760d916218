package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/internal/netns"
)

// Kernels are configured in many ways; each takes other paths through option
// negotiation, windows and segment sizes.
func TestCurlKernelSettings(t *testing.T) {
	const n = 4 << 20
	tests := []struct {
		name   string
		sysctl string // of net.ipv4
		value  string
		mtu    int
		curl   string
	}{
		{name: "no timestamps", sysctl: "tcp_timestamps", value: "0"},
		{name: "no SACK", sysctl: "tcp_sack", value: "0"},
		{name: "no window scale", sysctl: "tcp_window_scaling", value: "0"},
		{name: "ECN", sysctl: "tcp_ecn", value: "1"},
		{name: "small receive buffer", sysctl: "tcp_rmem", value: "4096 4096 4096"},
		{name: "small send buffer", sysctl: "tcp_wmem", value: "4096 4096 4096"},
		{name: "MTU 576", mtu: 576},
		{name: "MTU 1280", mtu: 1280},
		{name: "MTU 9000", mtu: 9000},
		{name: "MTU 65535", mtu: 65535},
		{name: "Fast Open", sysctl: "tcp_fastopen", value: "1", curl: "--tcp-fastopen"},
		{name: "slow reader", curl: "--limit-rate 40M"},
	}
	for _, tt := range tests {
		for _, s := range settings {
			if s.v6 && tt.mtu == 576 {
				continue // RFC 8200 wants 1280
			}
			t.Run(tt.name+","+s.String(), func(t *testing.T) {
				ns := netns.New(t)
				if tt.sysctl != "" {
					setSysctl(t, "net/ipv4/"+tt.sysctl, tt.value)
				}
				flags := s.hostFlags()
				if tt.mtu != 0 {
					flags.tun.MTU = tt.mtu
				}
				if tt.mtu == 576 {
					flags.addrs, flags.peers = flags.addrs[:1], flags.peers[:1]
				}
				serveOn(t, openHost(t, &flags))
				download(t, s, n, strings.Fields(tt.curl)...)()
				upload(t, s, n, strings.Fields(tt.curl)...)()
				for _, name := range []string{"TcpExtTCPSACKDiscard", "TcpInCsumErrors", "TcpInErrs", "TcpExtPAWSEstab"} {
					if n := kernelCounter(t, ns, name); n != 0 {
						t.Errorf("the kernel's %s is %d, want 0", name, n)
					}
				}
			})
		}
	}
}

// setSysctl sets a kernel parameter of the test's namespace.
func setSysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// RFC 1122, Section 3.2.2.6, RFC 4443, Section 4.2: every host answers echo
// requests.
func TestPing(t *testing.T) {
	for _, s := range settings {
		t.Run(s.String(), func(t *testing.T) {
			newHost(t, s)
			network, request, reply := "ip4:icmp", byte(8), byte(0)
			if s.v6 {
				network, request, reply = "ip6:ipv6-icmp", 128, 129
			}
			c, err := net.Dial(network, s.trivet())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			msg := []byte{request, 0, 0, 0, 1, 2, 0, 1, 'p', 'i', 'n', 'g'}
			if !s.v6 { // the kernel sums ICMPv6 itself
				sum := icmpSum(msg)
				msg[2], msg[3] = byte(sum>>8), byte(sum)
			}
			if _, err := c.Write(msg); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 100)
			c.SetDeadline(time.Now().Add(10 * time.Second))
			for {
				n, _, err := c.(*net.IPConn).ReadFrom(got) // without the IP header
				if err != nil {
					t.Fatal(err)
				}
				if got[0] == reply && string(got[4:n]) == string(msg[4:]) {
					return
				}
			}
		})
	}
}

func icmpSum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	return ^uint16(s + s>>16)
}

// RFC 1122, Section 4.1.3.1: a datagram to a port that nobody listens on is
// answered by a port unreachable, which the sender's socket reports.
func TestUDPPortUnreachable(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		newHost(t, s)
		c, err := net.Dial("udp", net.JoinHostPort(s.trivet(), "5353"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "hello")
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Read: %v, want ECONNREFUSED", err)
		}
	})
}

// RFC 9293, Section 3.8.6.1: a closed window stops the sender, who probes it,
// and is told when it opens.
func TestZeroWindow(t *testing.T) {
	inEachWay(t, func(p *pair) {
		for _, ends := range [][2]net.Conn{{p.kernel, p.trivet}, {p.trivet, p.kernel}} {
			from, to := ends[0], ends[1]
			// Fill both buffers: a write that waits has nowhere to go.
			from.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			sent, err := io.Copy(from, newStream())
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				p.t.Fatalf("filling the buffers: %v, want the deadline", err)
			}
			from.SetWriteDeadline(time.Time{})
			got := digestOf(p.t, io.LimitReader(to, sent))
			if want := digestOf(p.t, streamOf(sent)); got != want {
				p.t.Errorf("after a closed window: SHA-256 %s, want %s", got, want)
			}
			p.carry(from, to)
		}
	})
}

// RFC 9293, Section 3.8.5: urgent data stays in the stream where it is.
func TestUrgentData(t *testing.T) {
	inEachWay(t, func(p *pair) {
		raw, err := p.kernel.SyscallConn()
		if err != nil {
			p.t.Fatal(err)
		}
		io.WriteString(p.kernel, "one")
		raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) })
		if err != nil {
			p.t.Fatal(err)
		}
		io.WriteString(p.kernel, "two")
		b := make([]byte, 7)
		if _, err := io.ReadFull(p.trivet, b); err != nil || string(b) != "one!two" {
			p.t.Errorf("Read = %q, %v, want one!two", b, err)
		}
	})
}

// RFC 9293, Section 3.8.4: both answer the other's keep-alive probes, and the
// connection lives.
func TestKeepAlive(t *testing.T) {
	ns, h := newHost(t, setting{})
	for _, active := range []bool{false, true} {
		p := connect(t, ns, h, setting{}, active)
		cfg := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 2}
		p.trivet.SetKeepAliveConfig(cfg)
		p.kernel.SetKeepAliveConfig(cfg)
		before := kernelCounter(p.t, p.ns, "TcpExtTCPKeepAlive")
		// A deadline is the wait: nothing is sent, so nothing comes.
		p.trivet.SetReadDeadline(time.Now().Add(2500 * time.Millisecond))
		if _, err := p.trivet.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			p.t.Errorf("Read: %v, want the deadline", err)
		}
		p.trivet.SetReadDeadline(time.Time{})
		probes := kernelCounter(p.t, p.ns, "TcpExtTCPKeepAlive") - before
		if info := p.trivet.Info(); probes+int(info.SegsOut) < 2 {
			p.t.Errorf("the kernel sent %d probes, Trivet %d segments in all", probes, info.SegsOut)
		}
		p.want("ESTAB", "ESTAB")
		p.carry(p.kernel, p.trivet)
		p.carry(p.trivet, p.kernel)
	}
}

// RFC 9293, Section 3.6.1, RFC 6191: a new SYN from the same port reopens a
// connection that is in TIME-WAIT, at either end.
func TestTimeWaitReuse(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		ns, h := newHost(t, s)
		l, err := h.stack.Listen("tcp", net.JoinHostPort(s.trivet(), "5000"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		dialer := net.Dialer{
			LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(s.kernel()), 40000)),
			Control: func(_, _ string, raw syscall.RawConn) error {
				var err error
				raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
				return err
			},
		}
		for range 3 {
			k, err := dialer.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			p := &pair{t: t, ns: ns, h: h, kernel: k.(*net.TCPConn), trivet: c.(*trivet.Conn)}
			p.carry(k, c)
			p.trivet.Close()
			p.eof(k)
			k.Close()
			p.want("-", "TIME-WAIT")
		}
	})
}

// RFC 9293, Figure 8: SYNs that cross make one connection. Both ends are kept
// from hearing the other until both have sent theirs.
func TestSimultaneousOpen(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		ns, h := newHost(t, s)
		tables := "iptables"
		if s.v6 {
			tables = "ip6tables"
		}
		rule := []string{"INPUT", "-i", "trivet0", "-p", "tcp", "--tcp-flags", "RST", "RST", "-j", "DROP"}
		ns.Run(tables, append([]string{"-A"}, rule...)...)
		drop := []string{"INPUT", "-i", "trivet0", "-p", "tcp", "-j", "DROP"}
		ns.Run(tables, append([]string{"-A"}, drop...)...)

		type dialed struct {
			c   net.Conn
			err error
		}
		own, kernel := make(chan dialed, 1), make(chan dialed, 1)
		local := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(s.trivet()), 5000))
		remote := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(s.kernel()), 40000))
		go func() { // ends when connected
			d := trivet.Dialer{Stack: h.stack, LocalAddr: local, Timeout: 20 * time.Second}
			c, err := d.Dial("tcp", remote.String())
			own <- dialed{c, err}
		}()
		for h.stack.Stats().TCP.SegmentsOut == 0 {
			runtime.Gosched()
		}
		go ns.Do(func() { // ends when connected
			d := net.Dialer{LocalAddr: remote, Timeout: 20 * time.Second}
			c, err := d.Dial("tcp", local.String())
			kernel <- dialed{c, err}
		})
		for h.stack.Stats().TCP.SegmentsIn == 0 {
			runtime.Gosched()
		}
		ns.Run(tables, append([]string{"-D"}, drop...)...)
		a, b := <-own, <-kernel
		if a.err != nil || b.err != nil {
			t.Fatalf("dials: %v, %v", a.err, b.err)
		}
		p := &pair{t: t, ns: ns, h: h, kernel: b.c.(*net.TCPConn), trivet: a.c.(*trivet.Conn)}
		defer p.kernel.Close()
		defer p.trivet.Close()
		p.want("ESTAB", "ESTAB")
		p.carry(p.kernel, p.trivet)
		p.carry(p.trivet, p.kernel)
	})
}

// RFC 9293, Figure 13: FINs that cross. Which of the two happens is up to
// chance; no data is lost and nothing hangs in any case.
func TestCloseTogether(t *testing.T) {
	inEachWay(t, func(p *pair) {
		p.carry(p.kernel, p.trivet)
		start := make(chan struct{})
		closed := make(chan error, 2)
		for _, end := range []net.Conn{p.kernel, p.trivet} {
			go func() { // ends with the close
				<-start
				closed <- end.Close()
			}()
		}
		close(start)
		for range 2 {
			if err := <-closed; err != nil {
				p.t.Errorf("Close: %v", err)
			}
		}
		for range 500 {
			k, s := p.states()
			if (k == "-" || k == "TIME-WAIT") && (s == "-" || s == "TIME-WAIT") && k+s != "--" {
				return
			}
		}
		k, s := p.states()
		p.t.Errorf("states are %s and %s, want TIME-WAIT at an end and the connection gone", k, s)
	})
}
