package trivet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/internal/netns"
)

// The tests in the files sockets_*_test.go run the same calls on package net
// over the kernel's loopback and on Trivet, and ask that every outcome is the
// same: bytes, errors with all that is in them, order, and whether a call
// waits (checklist section 5). Trivet's side runs in virtual time, once over
// the loopback of one host and once over a link between two.

// A socketCase is one comparison.
type socketCase struct {
	name string
	rows []int // SOCK-n of docs/rfc.md
	on   hosts

	// ip6 says that the kernel must have IPv6, and ::1.
	ip6 bool
	// alone runs the kernel's side in a network namespace without links.
	alone bool

	// differs says why Trivet does otherwise on purpose. The outcomes must
	// then differ from the kernel's, and be these.
	differs string
	want    []string

	run func(*run)
}

// hosts says on what Trivet's side of a case runs.
type hosts int

const (
	everywhere hosts = iota
	oneHost          // both ends need the addresses of one host
	twoHosts         // something is lost on the way
)

func TestSameOutcomeAsPackageNet(t *testing.T) {
	for _, c := range allSocketCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.compare(t)
		})
	}
}

// compare runs the case on the kernel and on Trivet.
func (c *socketCase) compare(t *testing.T) {
	if c.ip6 {
		l, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			netns.Unavailable(t, "the kernel has no IPv6: %v", err)
		}
		l.Close()
	}
	if c.alone {
		netns.New(t)
	}
	kernel := &run{T: t, host: kernelHost{}, names: map[string]string{}}
	c.run(kernel)
	want := strings.Join(kernel.outcomes, "\n")
	if want == "" {
		t.Error("the case saw nothing")
	}
	if c.differs != "" {
		if other := strings.Join(c.want, "\n"); other == want {
			t.Errorf("%s: but the kernel does it too:\n%s", c.differs, want)
		} else {
			want = other
		}
	}
	for _, h := range []struct {
		name string
		skip hosts
		make func(*testing.T) *trivetHost
	}{
		{"one host", twoHosts, newLoopbackHost},
		{"two hosts", oneHost, newLinkedHosts},
	} {
		if c.on == h.skip {
			continue
		}
		var got string
		synctest.Test(t, func(t *testing.T) {
			ours := &run{T: t, host: h.make(t), names: map[string]string{}}
			c.run(ours)
			got = strings.Join(ours.outcomes, "\n")
		})
		if got != want {
			t.Errorf("outcomes of Trivet on %s:\n%s\nwant:\n%s", h.name, got, want)
		}
	}
}

// tcpConn is what *net.TCPConn and *trivet.Conn have in common.
type tcpConn interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo
	CloseRead() error
	CloseWrite() error
	SetLinger(int) error
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

var (
	_ tcpConn = (*net.TCPConn)(nil)
	_ tcpConn = (*trivet.Conn)(nil)
)

// tcpListener is what *net.TCPListener and *trivet.Listener have in common.
type tcpListener interface {
	net.Listener
	SetDeadline(time.Time) error
}

// config is what a case asks of a dial or a listener.
type config struct {
	Timeout   time.Duration // of a dial
	Deadline  time.Time
	LocalAddr net.Addr

	Backlog int // of a listener; zero: the largest

	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	Congestion string
	Options    []optionValue // set before connect, or listen
}

// optionValue is a socket option and what it is set to.
type optionValue struct {
	option option
	value  int
}

// host is package net, or Trivet.
type host interface {
	// ip is the address on which listener listens.
	ip() string
	listen(cfg config, network, address string) (net.Listener, error)
	dial(ctx context.Context, cfg config, network, address string) (net.Conn, error)
	get(net.Conn, option) (int, error)
	set(net.Conn, option, int) error
	congestion(net.Conn) string
	setCongestion(net.Conn, string) error
	info(net.Conn) info
	// deaf lets nothing arrive any more at any of the sockets.
	deaf(*testing.T, ...any)
	// waiting returns how many connections wait to be accepted at the
	// listeners, which are all that the case has.
	waiting(...net.Listener) int
	// blocked waits until the case's call in the function f waits for input.
	blocked(r *run, f string)
}

// info is what TCP_INFO, SIOCINQ and SIOCOUTQ tell on both sides.
type info struct {
	State   string
	Options string

	Unread, Unacked, NotSent int // bytes; Unacked counts what was not sent, too
	SndMSS, RcvWnd           int

	BytesSent, BytesReceived, BytesRetrans uint64
	DataOut, DataIn                        uint64 // segments
	Retransmits                            int
}

// run is one run of a case on one host. It collects the outcomes.
type run struct {
	*testing.T
	host
	outcomes []string
	names    map[string]string // by address
}

// saw notes what a call returned.
func (r *run) saw(call string, results ...any) {
	s := call + ":"
	for _, v := range results {
		if err, ok := v.(error); ok {
			v = r.describe(err)
		}
		s += fmt.Sprintf(" %v", v)
	}
	r.outcomes = append(r.outcomes, s)
}

// must ends the test when a call that prepares the case fails.
func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// until waits for something that the other end does.
func (r *run) until(what string, cond func() bool) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("waited in vain until %s", what)
		}
	}
}

// arrived waits until n bytes are ready to be read.
func (r *run) arrived(c net.Conn, n int) {
	r.Helper()
	r.until(fmt.Sprintf("%d bytes have arrived", n), func() bool { return r.info(c).Unread == n })
}

// state waits until the connection is in a state.
func (r *run) state(c net.Conn, want string) {
	r.Helper()
	r.until("the state is "+want, func() bool { return r.info(c).State == want })
}

// listener returns a listener on the host's address.
func (r *run) listener(options ...optionValue) tcpListener {
	r.Helper()
	return r.listenOn(config{Options: options}, r.ip()+":0")
}

func (r *run) listenOn(cfg config, address string) tcpListener {
	r.Helper()
	l, err := r.listen(cfg, "tcp", address)
	r.must(err)
	r.Cleanup(func() { l.Close() })
	r.name(l.Addr(), "listener")
	return l.(tcpListener)
}

// connect dials the listener.
func (r *run) connect(l net.Listener, options ...optionValue) tcpConn {
	r.Helper()
	c, err := r.dial(context.Background(), config{Options: options}, "tcp", l.Addr().String())
	r.must(err)
	r.Cleanup(func() { c.Close() })
	return c.(tcpConn)
}

// accept accepts a connection, which must be on its way.
func (r *run) accept(l tcpListener) tcpConn {
	r.Helper()
	r.must(l.SetDeadline(time.Now().Add(20 * time.Second)))
	c, err := l.Accept()
	r.must(l.SetDeadline(time.Time{}))
	r.must(err)
	r.Cleanup(func() { c.Close() })
	return c.(tcpConn)
}

// pair returns the two ends of a connection, of which c dialled.
func (r *run) pair(options ...optionValue) (c, peer tcpConn) {
	r.Helper()
	l := r.listener()
	c = r.connect(l, options...)
	peer = r.accept(l)
	l.Close()
	r.name(c.LocalAddr(), "dialler")
	return c, peer
}

// full returns a listener whose queue is full.
func (r *run) full() tcpListener {
	r.Helper()
	l := r.listenOn(config{Backlog: 1}, r.ip()+":0")
	for range 2 { // one more than the backlog, as Linux counts
		r.connect(l)
	}
	r.until("the queue is full", func() bool { return r.waiting(l) == 2 })
	return l
}

// reset closes a connection with RST.
func (r *run) reset(c tcpConn) {
	r.Helper()
	r.must(c.SetLinger(0))
	r.must(c.Close())
}

func (r *run) read(c net.Conn, n int) {
	buf := make([]byte, n)
	k, err := c.Read(buf)
	r.saw("read", string(buf[:k]), err)
}

func (r *run) write(c net.Conn, s string) {
	n, err := c.Write([]byte(s))
	r.saw("write", n, err)
}

// readAll notes how much comes until the end, and how it ends.
func (r *run) readAll(c net.Conn) {
	n, err := io.Copy(io.Discard, c)
	r.saw("read all", n, err)
}

// writeUntilError writes until the peer's RST has arrived.
func (r *run) writeUntilError(c net.Conn) {
	for {
		if _, err := c.Write([]byte("x")); err != nil {
			r.saw("write", err)
			return
		}
	}
}

// fillUp writes until nothing more fits, and returns how much did: both
// buffers are full then, and do not grow.
func (r *run) fillUp(c, peer tcpConn) int {
	r.Helper()
	r.must(c.SetWriteBuffer(1 << 18))
	r.must(peer.SetReadBuffer(1 << 16))
	return r.fill(c)
}

// fill is fillUp with buffers as they are. It tries until nothing is taken
// twice: once, and a busy machine may only have been late.
func (r *run) fill(c net.Conn) (total int) {
	r.Helper()
	for idle := 0; idle < 2; {
		r.must(c.SetWriteDeadline(time.Now().Add(40 * time.Millisecond)))
		n, err := c.Write(make([]byte, 64<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			r.Fatalf("Write of more than fits: %d, %v", n, err)
		}
		total += n
		if n == 0 && total > 0 {
			idle++
		} else {
			idle = 0
		}
	}
	r.must(c.SetWriteDeadline(time.Time{}))
	return total
}

// sawTimeout notes a timeout that package net reports in one of two ways, by
// chance: as that of the context, which is the one that we return, or as that
// of the socket.
func (r *run) sawTimeout(call string, err error) {
	var op *net.OpError
	if !errors.As(err, &op) {
		r.Fatalf("%s: %v", call, err)
	}
	r.saw(call, op.Op, op.Err.Error(), op.Timeout(), op.Temporary(),
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded))
}

// sawErrno notes the errno of an error, whatever is around it.
func (r *run) sawErrno(call string, err error) {
	var errno syscall.Errno
	errors.As(err, &errno)
	r.saw(call, err == nil, errno)
}

// name gives an address a name for outcomes: ports differ.
func (r *run) name(a net.Addr, name string) { r.names[a.String()] = name }

// nameOf returns the name of an address, with its type if there is none.
func (r *run) nameOf(a net.Addr) string {
	if a == nil {
		return "nil"
	}
	if s := r.names[a.String()]; s != "" {
		return s
	}
	return fmt.Sprintf("a %T", a)
}

// describe tells all of an error that a program can see.
func (r *run) describe(err error) string {
	var s string
	switch e := err.(type) {
	case nil:
		return "nil"
	case *net.OpError:
		s = fmt.Sprintf("OpError{%s %s from %s to %s: %s}", e.Op, e.Net, r.nameOf(e.Source), r.nameOf(e.Addr), r.describe(e.Err))
	case *os.SyscallError:
		s = fmt.Sprintf("SyscallError{%s: %s}", e.Syscall, r.describe(e.Err))
	case syscall.Errno:
		s = fmt.Sprintf("Errno %d", int(e))
	default:
		s = fmt.Sprintf("%q", err.Error())
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		s += " timeout"
	}
	var temporary interface{ Temporary() bool }
	if errors.As(err, &temporary) && temporary.Temporary() {
		s += " temporary"
	}
	for _, target := range []error{
		io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded, context.Canceled, io.ErrShortWrite,
	} {
		if errors.Is(err, target) {
			s += fmt.Sprintf(" is(%v)", target)
		}
	}
	return s
}
