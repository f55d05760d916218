package trivet_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/tcp"
)

// option is a socket option: how the kernel has it, and how Trivet.
type option struct {
	name        string
	level, code int
	get         func(tcp.Options) int
	set         func(*tcp.Options, int)

	// apply sets an option of a connection that Options does not have.
	apply func(*trivet.Conn, int) error
}

var (
	tcpQuickAck = option{
		name: "TCP_QUICKACK", level: unix.IPPROTO_TCP, code: unix.TCP_QUICKACK,
		apply: func(c *trivet.Conn, v int) error { return c.SetQuickAck(v != 0) },
	}
	tcpSynCount = option{
		name: "TCP_SYNCNT", level: unix.IPPROTO_TCP, code: unix.TCP_SYNCNT,
		get: func(o tcp.Options) int { return cmp.Or(o.SynRetries, 6) },
		set: func(o *tcp.Options, v int) { o.SynRetries = v },
	}
	tcpWindowClamp = option{
		name: "TCP_WINDOW_CLAMP", level: unix.IPPROTO_TCP, code: unix.TCP_WINDOW_CLAMP,
		get: func(o tcp.Options) int { return o.WindowClamp },
		set: func(o *tcp.Options, v int) { o.WindowClamp = v },
	}
	tcpLinger2 = option{
		name: "TCP_LINGER2", level: unix.IPPROTO_TCP, code: unix.TCP_LINGER2,
		get: func(o tcp.Options) int {
			if o.FinWait2 < 0 {
				return -1
			}
			return cmp.Or(int(o.FinWait2/time.Second), 60)
		},
		set: func(o *tcp.Options, v int) { o.FinWait2 = time.Duration(v) * time.Second },
	}
	tcpDeferAccept = option{
		name: "TCP_DEFER_ACCEPT", level: unix.IPPROTO_TCP, code: unix.TCP_DEFER_ACCEPT,
		get: func(o tcp.Options) int { return int(o.DeferAccept / time.Second) },
		set: func(o *tcp.Options, v int) { o.DeferAccept = time.Duration(v) * time.Second },
	}
	tcpNotSentLowat = option{
		name: "TCP_NOTSENT_LOWAT", level: unix.IPPROTO_TCP, code: unix.TCP_NOTSENT_LOWAT,
		get: func(o tcp.Options) int { return o.NotSentLowat },
		set: func(o *tcp.Options, v int) { o.NotSentLowat = v },
	}
	soRecvLowat = option{
		name: "SO_RCVLOWAT", level: unix.SOL_SOCKET, code: unix.SO_RCVLOWAT,
		get: func(o tcp.Options) int { return cmp.Or(o.RecvLowat, 1) },
		set: func(o *tcp.Options, v int) { o.RecvLowat = v },
	}
	tcpNoDelay = option{
		name: "TCP_NODELAY", level: unix.IPPROTO_TCP, code: unix.TCP_NODELAY,
		get: func(o tcp.Options) int { return number(o.NoDelay) },
		set: func(o *tcp.Options, v int) { o.NoDelay = v != 0 },
	}
	tcpCork = option{
		name: "TCP_CORK", level: unix.IPPROTO_TCP, code: unix.TCP_CORK,
		get: func(o tcp.Options) int { return number(o.Cork) },
		set: func(o *tcp.Options, v int) { o.Cork = v != 0 },
	}
	tcpMaxSeg = option{
		name: "TCP_MAXSEG", level: unix.IPPROTO_TCP, code: unix.TCP_MAXSEG,
		get: func(o tcp.Options) int { return o.MaxSeg },
		set: func(o *tcp.Options, v int) { o.MaxSeg = v },
	}
	tcpUserTimeout = option{
		name: "TCP_USER_TIMEOUT", level: unix.IPPROTO_TCP, code: unix.TCP_USER_TIMEOUT,
		get: func(o tcp.Options) int { return int(o.UserTimeout / time.Millisecond) },
		set: func(o *tcp.Options, v int) { o.UserTimeout = time.Duration(v) * time.Millisecond },
	}
	soKeepAlive = option{
		name: "SO_KEEPALIVE", level: unix.SOL_SOCKET, code: unix.SO_KEEPALIVE,
		get: func(o tcp.Options) int { return number(o.KeepAlive) },
		set: func(o *tcp.Options, v int) { o.KeepAlive = v != 0 },
	}
	tcpKeepIdle = option{
		name: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, code: unix.TCP_KEEPIDLE,
		get: func(o tcp.Options) int { return int(o.KeepIdle / time.Second) },
		set: func(o *tcp.Options, v int) { o.KeepIdle = time.Duration(v) * time.Second },
	}
	tcpKeepInterval = option{
		name: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, code: unix.TCP_KEEPINTVL,
		get: func(o tcp.Options) int { return int(o.KeepInterval / time.Second) },
		set: func(o *tcp.Options, v int) { o.KeepInterval = time.Duration(v) * time.Second },
	}
	tcpKeepCount = option{
		name: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, code: unix.TCP_KEEPCNT,
		get: func(o tcp.Options) int { return o.KeepCount },
		set: func(o *tcp.Options, v int) { o.KeepCount = v },
	}
	soSendBuffer = option{
		name: "SO_SNDBUF", level: unix.SOL_SOCKET, code: unix.SO_SNDBUF,
		get: func(o tcp.Options) int { return o.SendBuffer },
		set: func(o *tcp.Options, v int) { o.SendBuffer = v },
	}
	soRecvBuffer = option{
		name: "SO_RCVBUF", level: unix.SOL_SOCKET, code: unix.SO_RCVBUF,
		get: func(o tcp.Options) int { return o.RecvBuffer },
		set: func(o *tcp.Options, v int) { o.RecvBuffer = v },
	}
	ipTOS = option{
		name: "IP_TOS", level: unix.IPPROTO_IP, code: unix.IP_TOS,
		get: func(o tcp.Options) int { return int(o.TOS) },
		set: func(o *tcp.Options, v int) { o.TOS = uint8(v) },
	}
	ipTTL = option{
		name: "IP_TTL", level: unix.IPPROTO_IP, code: unix.IP_TTL,
		get: func(o tcp.Options) int { return cmp.Or(int(o.TTL), 64) },
		set: func(o *tcp.Options, v int) { o.TTL = uint8(v) },
	}
	// Those of the listener and of the dial itself.
	soReusePort = option{name: "SO_REUSEPORT", level: unix.SOL_SOCKET, code: unix.SO_REUSEPORT}
	soReuseAddr = option{name: "SO_REUSEADDR", level: unix.SOL_SOCKET, code: unix.SO_REUSEADDR}
)

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// kernelHost is package net over the kernel's loopback.
type kernelHost struct{}

func (kernelHost) ip() string { return "127.0.0.1" }

// control sets the options before bind.
func (cfg config) control(_, _ string, rc syscall.RawConn) error {
	var err error
	cerr := rc.Control(func(fd uintptr) {
		if cfg.Congestion != "" {
			if err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, cfg.Congestion); err != nil {
				err = os.NewSyscallError("setsockopt", err)
				return
			}
		}
		for _, o := range cfg.Options {
			if err = unix.SetsockoptInt(int(fd), o.option.level, o.option.code, o.value); err != nil {
				err = os.NewSyscallError("setsockopt", err)
				return
			}
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}

func (k kernelHost) listen(cfg config, network, address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: cfg.control, KeepAlive: cfg.KeepAlive, KeepAliveConfig: cfg.KeepAliveConfig}
	lc.SetMultipathTCP(false) // its sockets take fewer options
	l, err := lc.Listen(context.Background(), network, address)
	if err != nil || cfg.Backlog == 0 {
		return l, err
	}
	// A second listen(2) changes the backlog.
	return l, onFD(l, func(fd int) error { return unix.Listen(fd, cfg.Backlog) })
}

func (kernelHost) dial(ctx context.Context, cfg config, network, address string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: cfg.Timeout, Deadline: cfg.Deadline, LocalAddr: cfg.LocalAddr,
		KeepAlive: cfg.KeepAlive, KeepAliveConfig: cfg.KeepAliveConfig, Control: cfg.control,
	}
	return d.DialContext(ctx, network, address)
}

// onFD calls f with the file descriptor of a socket.
func onFD(socket any, f func(fd int) error) error {
	rc, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

func (kernelHost) get(c net.Conn, o option) (v int, err error) {
	err = onFD(c, func(fd int) (err error) {
		v, err = unix.GetsockoptInt(fd, o.level, o.code)
		return err
	})
	return v, err
}

func (kernelHost) set(c net.Conn, o option, v int) error {
	return onFD(c, func(fd int) error { return unix.SetsockoptInt(fd, o.level, o.code, v) })
}

func (kernelHost) congestion(c net.Conn) (name string) {
	onFD(c, func(fd int) (err error) {
		name, err = unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		return err
	})
	return name
}

func (kernelHost) setCongestion(c net.Conn, name string) error {
	return onFD(c, func(fd int) error {
		return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	})
}

// kernelStates are the states by their numbers in TCP_INFO.
var kernelStates = map[uint8]tcp.State{
	unix.BPF_TCP_ESTABLISHED: tcp.StateEstablished,
	unix.BPF_TCP_SYN_SENT:    tcp.StateSynSent,
	unix.BPF_TCP_SYN_RECV:    tcp.StateSynReceived,
	unix.BPF_TCP_FIN_WAIT1:   tcp.StateFinWait1,
	unix.BPF_TCP_FIN_WAIT2:   tcp.StateFinWait2,
	unix.BPF_TCP_TIME_WAIT:   tcp.StateTimeWait,
	unix.BPF_TCP_CLOSE:       tcp.StateClosed,
	unix.BPF_TCP_CLOSE_WAIT:  tcp.StateCloseWait,
	unix.BPF_TCP_LAST_ACK:    tcp.StateLastAck,
	unix.BPF_TCP_LISTEN:      tcp.StateListen,
	unix.BPF_TCP_CLOSING:     tcp.StateClosing,
}

// Bits of tcpi_options.
const (
	optionTimestamps = 1 << iota
	optionSACK
	optionWScale
)

func negotiated(timestamps, sack, wscale bool) string {
	return fmt.Sprintf("timestamps %v SACK %v window scale %v", timestamps, sack, wscale)
}

func (kernelHost) info(c net.Conn) (i info) {
	onFD(c, func(fd int) error {
		t, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		i = info{
			State: kernelStates[t.State].String(), SndMSS: int(t.Snd_mss), RcvWnd: int(t.Rcv_wnd),
			Options:       negotiated(t.Options&optionTimestamps != 0, t.Options&optionSACK != 0, t.Options&optionWScale != 0),
			BytesReceived: t.Bytes_received, BytesSent: t.Bytes_sent, BytesRetrans: t.Bytes_retrans,
			DataOut: uint64(t.Data_segs_out), DataIn: uint64(t.Data_segs_in), Retransmits: int(t.Retransmits),
		}
		i.Unread, _ = unix.IoctlGetInt(fd, unix.SIOCINQ)
		i.Unacked, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		i.NotSent, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQNSD)
		return nil
	})
	return i
}

// deaf attaches a filter to the sockets that drops every segment.
func (kernelHost) deaf(t *testing.T, sockets ...any) {
	t.Helper()
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	for _, s := range sockets {
		err := onFD(s, func(fd int) error {
			return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
		})
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := s.(*net.TCPConn); ok {
			t.Cleanup(func() { c.SetLinger(0) }) // before Close: it would go on sending
		}
	}
}

func (kernelHost) waiting(listeners ...net.Listener) (n int) {
	for _, l := range listeners {
		onFD(l, func(fd int) error {
			t, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err == nil {
				n += int(t.Unacked) // sk_ack_backlog, in LISTEN
			}
			return err
		})
	}
	return n
}

// blocked waits until a goroutine waits in f.
func (kernelHost) blocked(r *run, f string) {
	buf := make([]byte, 1<<22)
	r.until(f+" waits", func() bool {
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "[IO wait") && strings.Contains(g, f) {
				return true
			}
		}
		return false
	})
}

// trivetHost is Trivet: one host, or two with a link between.
type trivetHost struct {
	client, server *trivet.Stack
	address        string
	unplug         func()
}

func newLoopbackHost(t *testing.T) *trivetHost {
	s := newHost(t, trivet.Config{}, nil, nil)
	t.Cleanup(func() { closeHost(t, s) })
	return &trivetHost{client: s, server: s, address: "127.0.0.1"}
}

func newLinkedHosts(t *testing.T) *trivetHost {
	client, server, unplug := newCable(t, trivet.Config{})
	return &trivetHost{client: client, server: server, address: serverIP4, unplug: unplug}
}

func (h *trivetHost) ip() string { return h.address }

func (h *trivetHost) listen(cfg config, network, address string) (net.Listener, error) {
	lc := trivet.ListenConfig{
		Stack: h.server, Backlog: cfg.Backlog, KeepAlive: cfg.KeepAlive, KeepAliveConfig: cfg.KeepAliveConfig,
		Options: tcp.Options{Congestion: cfg.Congestion},
	}
	for _, o := range cfg.Options {
		switch o.option.name {
		case soReusePort.name:
			lc.ReusePort = o.value != 0
		default:
			o.option.set(&lc.Options, o.value)
		}
	}
	return lc.Listen(context.Background(), network, address)
}

func (h *trivetHost) dial(ctx context.Context, cfg config, network, address string) (net.Conn, error) {
	d := trivet.Dialer{
		Stack: h.client, Timeout: cfg.Timeout, Deadline: cfg.Deadline, LocalAddr: cfg.LocalAddr,
		KeepAlive: cfg.KeepAlive, KeepAliveConfig: cfg.KeepAliveConfig,
		Options: tcp.Options{Congestion: cfg.Congestion},
	}
	for _, o := range cfg.Options {
		if o.option.name != soReuseAddr.name { // which is always set
			o.option.set(&d.Options, o.value)
		}
	}
	return d.DialContext(ctx, network, address)
}

func (*trivetHost) get(c net.Conn, o option) (int, error) {
	return o.get(c.(*trivet.Conn).Options()), nil
}

func (*trivetHost) set(c net.Conn, o option, v int) error {
	tc := c.(*trivet.Conn)
	if o.apply != nil {
		return o.apply(tc, v)
	}
	all := tc.Options()
	o.set(&all, v)
	return tc.SetOptions(all)
}

func (*trivetHost) congestion(c net.Conn) string { return c.(*trivet.Conn).Info().Congestion }

func (*trivetHost) setCongestion(c net.Conn, name string) error {
	return c.(*trivet.Conn).SetCongestion(name)
}

func (*trivetHost) info(c net.Conn) info {
	t := c.(*trivet.Conn).Info()
	if t.State == tcp.StateTimeWait {
		t.State = tcp.StateClosed // what TCP_INFO says: TIME-WAIT is not the socket's
	}
	return info{
		State: t.State.String(), SndMSS: t.SndMSS, RcvWnd: t.RcvWnd, Unread: t.Unread, Unacked: t.Unacked + t.NotSent, NotSent: t.NotSent,
		Options:       negotiated(t.Timestamps, t.SACK, t.WindowScale),
		BytesReceived: t.BytesReceived, BytesSent: t.BytesSent, BytesRetrans: t.BytesRetrans,
		DataOut: t.DataSegsOut, DataIn: t.DataSegsIn, Retransmits: t.Retransmits,
	}
}

// blocked waits until all goroutines wait.
func (*trivetHost) blocked(*run, string) { synctest.Wait() }

// deaf unplugs the link between the hosts.
func (h *trivetHost) deaf(*testing.T, ...any) { h.unplug() }

// waiting takes all of the host's listeners together.
func (h *trivetHost) waiting(...net.Listener) (n int) {
	for _, s := range h.server.Connections() {
		if s.State == tcp.StateListen {
			n += s.RecvQ
		}
	}
	return n
}
