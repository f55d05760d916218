package trivet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
)

// The tests in this file run the same calls on package net over the kernel's
// loopback, and on a Stack's, and ask that every outcome is the same
// (checklist sections 5.1, 5.2 and 5.5).

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

// dialer has the fields of net.Dialer that both know.
type dialer struct {
	Timeout   time.Duration
	Deadline  time.Time
	LocalAddr net.Addr
}

// host is package net, or a Stack.
type host struct {
	listen func(network, address string) (net.Listener, error)
	dial   func(ctx context.Context, d dialer, network, address string) (net.Conn, error)
	// full returns the address of a listener whose queue is full.
	full func(t *testing.T) string
}

func kernelHost() host {
	return host{
		listen: net.Listen,
		dial: func(ctx context.Context, d dialer, network, address string) (net.Conn, error) {
			nd := net.Dialer{Timeout: d.Timeout, Deadline: d.Deadline, LocalAddr: d.LocalAddr}
			return nd.DialContext(ctx, network, address)
		},
		full: func(t *testing.T) string {
			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Close(fd) })
			if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Listen(fd, 1); err != nil {
				t.Fatal(err)
			}
			sa, err := syscall.Getsockname(fd)
			if err != nil {
				t.Fatal(err)
			}
			return fill(t, net.Dial, fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port))
		},
	}
}

func trivetHost(t *testing.T) host {
	s := newHost(t, trivet.Config{}, nil, nil)
	t.Cleanup(func() { closeHost(t, s) })
	return host{
		listen: s.Listen,
		dial: func(ctx context.Context, d dialer, network, address string) (net.Conn, error) {
			td := trivet.Dialer{Stack: s, Timeout: d.Timeout, Deadline: d.Deadline, LocalAddr: d.LocalAddr}
			return td.DialContext(ctx, network, address)
		},
		full: func(t *testing.T) string {
			lc := trivet.ListenConfig{Stack: s, Backlog: 1}
			l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			address := fill(t, s.Dial, l.Addr().String())
			for s.Stats().AcceptWait < 2 {
				runtime.Gosched() // until the listener has the third segments too
			}
			return address
		},
	}
}

// fill makes the two connections that a backlog of 1 lets wait.
func fill(t *testing.T, dial func(network, address string) (net.Conn, error), address string) string {
	for range 2 {
		c, err := dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	return address
}

// run is one run of a case on one host. It collects the outcomes.
type run struct {
	*testing.T
	host
	outcomes []string
}

// saw notes what a call returned.
func (r *run) saw(call string, results ...any) {
	s := call + ":"
	for _, v := range results {
		if err, ok := v.(error); ok {
			v = describe(err)
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

// listener returns a listener on the loopback address.
func (r *run) listener() net.Listener {
	r.Helper()
	l, err := r.listen("tcp", "127.0.0.1:0")
	r.must(err)
	r.Cleanup(func() { l.Close() })
	return l
}

// pair returns the two ends of a connection.
func (r *run) pair() (c, peer tcpConn) {
	r.Helper()
	l := r.listener()
	nc, err := r.dial(context.Background(), dialer{}, "tcp", l.Addr().String())
	r.must(err)
	np, err := l.Accept()
	r.must(err)
	l.Close()
	r.Cleanup(func() { nc.Close(); np.Close() })
	return nc.(tcpConn), np.(tcpConn)
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

// writeUntilError writes until the peer's RST has arrived.
func (r *run) writeUntilError(c net.Conn) {
	for {
		if _, err := c.Write([]byte("x")); err != nil {
			r.saw("write", err)
			return
		}
	}
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

// describe tells all of an error that a program can see, but for addresses.
func describe(err error) string {
	var s string
	switch e := err.(type) {
	case nil:
		return "nil"
	case *net.OpError:
		s = fmt.Sprintf("OpError{%s %s from %T to %T: %s}", e.Op, e.Net, e.Source, e.Addr, describe(e.Err))
	case *os.SyscallError:
		s = fmt.Sprintf("SyscallError{%s: %s}", e.Syscall, describe(e.Err))
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

func TestSameOutcomeAsPackageNet(t *testing.T) {
	for _, test := range sameOutcomeTests {
		t.Run(test.name, func(t *testing.T) {
			kernel := &run{T: t, host: kernelHost()}
			test.run(kernel)
			ours := &run{T: t, host: trivetHost(t)}
			test.run(ours)
			got, want := strings.Join(ours.outcomes, "\n"), strings.Join(kernel.outcomes, "\n")
			if got != want {
				t.Errorf("outcomes of Trivet:\n%s\nwant those of package net:\n%s", got, want)
			}
			if want == "" {
				t.Error("the case saw nothing")
			}
		})
	}
}

var sameOutcomeTests = []struct {
	name string
	run  func(*run)
}{
	{"peer closed (SOCK-1)", func(r *run) {
		c, p := r.pair()
		p.Close()
		r.read(c, 10)
		r.read(c, 10)
	}},
	{"peer reset, read first (SOCK-2, 3, 4)", func(r *run) {
		c, p := r.pair()
		r.reset(p)
		r.read(c, 10)
		r.read(c, 10)
		r.write(c, "x")
		r.write(c, "x")
		r.saw("close write", c.CloseWrite())
		r.saw("close read", c.CloseRead())
		r.saw("set", c.SetNoDelay(true))
		r.saw("deadline", c.SetDeadline(time.Time{}))
		r.saw("addresses", c.LocalAddr() != nil, c.RemoteAddr() != nil)
		r.saw("close", c.Close())
	}},
	{"peer reset, write first (SOCK-5)", func(r *run) {
		c, p := r.pair()
		r.reset(p)
		r.writeUntilError(c)
		r.write(c, "x")
		r.read(c, 10)
	}},
	{"peer closed, we write (SOCK-6, 33)", func(r *run) {
		c, p := r.pair()
		p.Close()
		r.read(c, 10)
		r.writeUntilError(c)
		r.write(c, "x")
		r.read(c, 10)
	}},
	{"data, then reset (SOCK-7)", func(r *run) {
		c, p := r.pair()
		r.write(p, "data")
		r.read(c, 1)
		r.reset(p)
		r.read(c, 2)
		r.read(c, 10)
		r.read(c, 10)
		r.read(c, 10)
	}},
	{"write after CloseWrite (SOCK-8, 38, 42)", func(r *run) {
		c, p := r.pair()
		r.saw("close write", c.CloseWrite())
		r.write(c, "x")
		r.write(c, "")
		r.saw("close write", c.CloseWrite())
		r.read(p, 10)
		r.write(p, "answer")
		r.read(c, 10)
		r.saw("close read", c.CloseRead())
		r.read(c, 10)
		r.saw("close", c.Close())
	}},
	{"after our Close (SOCK-9)", func(r *run) {
		c, _ := r.pair()
		r.saw("close", c.Close())
		r.read(c, 10)
		r.read(c, 0)
		r.write(c, "x")
		r.write(c, "")
		r.saw("close", c.Close())
		r.saw("close read", c.CloseRead())
		r.saw("close write", c.CloseWrite())
		r.saw("deadline", c.SetDeadline(time.Time{}))
		r.saw("read deadline", c.SetReadDeadline(time.Now()))
		r.saw("write deadline", c.SetWriteDeadline(time.Now()))
		r.saw("no delay", c.SetNoDelay(true))
		r.saw("linger", c.SetLinger(1))
		r.saw("keep-alive", c.SetKeepAlive(true))
		r.saw("keep-alive period", c.SetKeepAlivePeriod(time.Second))
		r.saw("keep-alive config", c.SetKeepAliveConfig(net.KeepAliveConfig{}))
		r.saw("read buffer", c.SetReadBuffer(1))
		r.saw("write buffer", c.SetWriteBuffer(1))
		n, err := c.ReadFrom(strings.NewReader("x"))
		r.saw("read from", n, err)
		n, err = c.WriteTo(io.Discard)
		r.saw("write to", n, err)
		r.saw("addresses", c.LocalAddr() != nil, c.RemoteAddr() != nil)
	}},
	{"Close while Read waits (SOCK-10)", func(r *run) {
		c, _ := r.pair()
		done := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 10))
			done <- err
		}()
		r.saw("close", c.Close())
		r.saw("read", <-done)
		r.read(c, 10)
	}},
	{"Close while Write waits (SOCK-10, 55)", func(r *run) {
		c, _ := r.pair()
		done := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 64<<20))
			done <- err
		}()
		r.must(c.Close())
		r.saw("write", <-done)
	}},
	{"Close while Accept waits (SOCK-10, 112)", func(r *run) {
		l := r.listener()
		done := make(chan error)
		go func() {
			_, err := l.Accept()
			done <- err
		}()
		r.saw("close", l.Close())
		r.saw("accept", <-done)
		_, err := l.Accept()
		r.saw("accept", err)
		r.saw("close", l.Close())
		r.saw("deadline", l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now()))
		r.saw("address", l.Addr() != nil)
	}},
	{"deadlines (SOCK-11, 105)", func(r *run) {
		c, p := r.pair()
		r.write(p, "data")
		r.read(c, 1)
		r.saw("deadline", c.SetDeadline(time.Unix(1, 0)))
		r.read(c, 1)
		r.read(c, 0)
		r.write(c, "x")
		r.write(c, "")
		r.saw("deadline", c.SetDeadline(time.Time{}))
		r.read(c, 3)
		r.write(c, "x")
		r.must(c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		r.read(c, 10)
		r.read(c, 10)
		r.write(c, "x")
		n, err := c.WriteTo(io.Discard)
		r.saw("write to", n, err)
	}},
	{"write deadline (SOCK-109)", func(r *run) {
		c, p := r.pair()
		big := make([]byte, 64<<20)
		r.must(c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)))
		n, err := c.Write(big)
		r.saw("write", n > 0 && n < len(big), err)
		c.CloseWrite()
		k, err := io.Copy(io.Discard, p)
		r.saw("copy", k == int64(n), err)
	}},
	{"deadline of Accept", func(r *run) {
		l := r.listener()
		d := l.(interface{ SetDeadline(time.Time) error })
		r.must(d.SetDeadline(time.Now().Add(time.Millisecond)))
		_, err := l.Accept()
		r.saw("accept", err)
		_, err = l.Accept()
		r.saw("accept", err)
		r.must(d.SetDeadline(time.Time{}))
		c, err := r.dial(context.Background(), dialer{}, "tcp", l.Addr().String())
		r.must(err)
		defer c.Close()
		p, err := l.Accept()
		r.saw("accept", err)
		p.Close()
	}},
	{"zero length (SOCK-12)", func(r *run) {
		c, p := r.pair()
		r.read(c, 0)
		r.write(c, "")
		p.Close()
		r.read(c, 10)
		r.read(c, 0)
	}},
	{"port closed (SOCK-13)", func(r *run) {
		l := r.listener()
		l.Close()
		for _, network := range []string{"tcp", "tcp4"} {
			_, err := r.dial(context.Background(), dialer{}, network, l.Addr().String())
			r.saw("dial", err)
		}
	}},
	{"dial runs out of time (SOCK-15, 16)", func(r *run) {
		full := r.full(r.T)
		_, err := r.dial(context.Background(), dialer{Timeout: 20 * time.Millisecond}, "tcp", full)
		r.sawTimeout("timeout", err)
		_, err = r.dial(context.Background(), dialer{Timeout: -1}, "tcp", full)
		r.saw("negative timeout", err)
		_, err = r.dial(context.Background(), dialer{Deadline: time.Unix(1, 0)}, "tcp", full)
		r.saw("deadline", err)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err = r.dial(ctx, dialer{}, "tcp", full)
		r.sawTimeout("context deadline", err)
		ctx, cancel = context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err = r.dial(ctx, dialer{}, "tcp", full)
		r.saw("canceled", err)
		_, err = r.dial(ctx, dialer{}, "tcp", full)
		r.saw("canceled before", err)
	}},
	{"address in use (SOCK-20, 85, 86)", func(r *run) {
		l := r.listener()
		_, err := r.listen("tcp", l.Addr().String())
		r.saw("same", err)
		_, err = r.listen("tcp", portOf(l.Addr()))
		r.saw("wildcard", err)
		_, err = r.listen("tcp4", "0.0.0.0"+portOf(l.Addr()))
		r.saw("IPv4 wildcard", err)
		l.Close()
		l2, err := r.listen("tcp", l.Addr().String())
		r.saw("again", err)
		l2.Close()
	}},
	{"foreign address (SOCK-21)", func(r *run) {
		_, err := r.listen("tcp", "192.0.2.1:0")
		r.saw("listen", err)
		l := r.listener()
		_, err = r.dial(context.Background(), dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}, "tcp", l.Addr().String())
		r.saw("dial", err)
		_, err = r.dial(context.Background(), dialer{LocalAddr: &net.UDPAddr{}}, "tcp", l.Addr().String())
		r.saw("UDP address", err)
	}},
	{"local address (SOCK-108)", func(r *run) {
		l := r.listener()
		for _, ip := range []net.IP{nil, net.IPv4zero, net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 9), net.IPv6loopback} {
			c, err := r.dial(context.Background(), dialer{LocalAddr: &net.TCPAddr{IP: ip}}, "tcp", l.Addr().String())
			r.saw("dial from "+ip.String(), err)
			if err == nil {
				r.saw("local", c.LocalAddr().(*net.TCPAddr).IP)
				c.Close()
			}
		}
	}},
	{"connect to oneself (SOCK-28)", func(r *run) {
		l, err := r.listen("tcp4", ":0")
		r.must(err)
		defer l.Close()
		for _, address := range []string{"", "0.0.0.0", "localhost", "127.0.0.1", "[::ffff:127.0.0.1]"} {
			c, err := r.dial(context.Background(), dialer{}, "tcp", address+portOf(l.Addr()))
			r.saw("dial "+address, err)
			if err == nil {
				r.saw("remote", strings.TrimSuffix(c.RemoteAddr().String(), portOf(l.Addr())))
				c.Close()
			}
		}
	}},
	{"addresses that cannot be", func(r *run) {
		for _, a := range [][2]string{
			{"udp9", "127.0.0.1:1"},
			{"tcp", ""},
			{"tcp", "127.0.0.1"},
			{"tcp", "127.0.0.1:99999"},
			{"tcp", "127.0.0.1:-1"},
			{"tcp", "[::1:80"},
			{"tcp4", "[::1]:80"},
			{"tcp6", "127.0.0.1:80"},
			{"tcp", "127.0.0.1:nosuchservice"},
		} {
			_, err := r.dial(context.Background(), dialer{}, a[0], a[1])
			r.saw(fmt.Sprintf("dial %q", a), err)
			if a[1] != "" {
				_, err = r.listen(a[0], a[1])
				r.saw(fmt.Sprintf("listen %q", a), err)
			}
		}
	}},
	{"addresses listened on (SOCK-100, 102)", func(r *run) {
		for _, a := range [][2]string{
			{"tcp", ""},
			{"tcp", ":0"},
			{"tcp", "0.0.0.0:0"},
			{"tcp4", ":0"},
			{"tcp4", "0.0.0.0:0"},
			{"tcp4", "localhost:0"},
			{"tcp", "127.0.0.1:0"},
		} {
			l, err := r.listen(a[0], a[1])
			r.saw(fmt.Sprintf("listen %q", a), err)
			if err == nil {
				r.saw("address", l.Addr().Network(), strings.TrimSuffix(l.Addr().String(), portOf(l.Addr())))
				l.Close()
			}
		}
	}},
	{"close with unread data (SOCK-31)", func(r *run) {
		c, p := r.pair()
		r.write(p, "two bytes and more")
		r.read(c, 2)
		r.must(c.Close())
		r.read(p, 10)
		r.read(p, 10)
	}},
	{"linger 0 (SOCK-34)", func(r *run) {
		c, p := r.pair()
		r.reset(c)
		r.read(p, 10)
	}},
	{"linger 1 s (SOCK-35)", func(r *run) {
		c, p := r.pair()
		r.must(c.SetLinger(1))
		r.write(c, "all of it")
		r.saw("close", c.Close())
		r.read(p, 20)
		r.read(p, 20)
	}},
	{"CloseRead (SOCK-39)", func(r *run) {
		c, p := r.pair()
		r.saw("close read", c.CloseRead())
		r.read(c, 10)
		r.write(p, "late")
		r.write(c, "out")
		r.read(p, 10)
		r.saw("close read", c.CloseRead())
	}},
	{"listener closed before Accept (SOCK-45)", func(r *run) {
		l := r.listener()
		c, err := r.dial(context.Background(), dialer{}, "tcp", l.Addr().String())
		r.must(err)
		defer c.Close()
		r.must(l.Close())
		r.read(c, 10)
	}},
	{"accept after reset (SOCK-98)", func(r *run) {
		l := r.listener()
		c, err := r.dial(context.Background(), dialer{}, "tcp", l.Addr().String())
		r.must(err)
		r.reset(c.(tcpConn))
		p, err := l.Accept()
		r.saw("accept", err)
		r.read(p, 10)
		r.read(p, 10)
		p.Close()
	}},
	{"accept after close (SOCK-98)", func(r *run) {
		l := r.listener()
		c, err := r.dial(context.Background(), dialer{}, "tcp", l.Addr().String())
		r.must(err)
		r.write(c, "early")
		r.must(c.Close())
		p, err := l.Accept()
		r.saw("accept", err)
		all, err := io.ReadAll(p)
		r.saw("read", string(all), err)
		p.Close()
	}},
	{"keep-alive out of range (SOCK-56)", func(r *run) {
		c, _ := r.pair()
		r.saw("period", c.SetKeepAlivePeriod(32768*time.Second))
		r.saw("default", c.SetKeepAlivePeriod(0))
		r.saw("negative", c.SetKeepAlivePeriod(-1))
		r.saw("count", c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Count: 128}))
		r.saw("largest", c.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: 32767 * time.Second, Interval: 32767 * time.Second, Count: 127,
		}))
	}},
	{"ReadFrom and WriteTo (SOCK-107)", func(r *run) {
		c, p := r.pair()
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
		go func() {
			c.ReadFrom(io.MultiReader(bytes.NewReader(data), strings.NewReader("end")))
			c.CloseWrite()
		}()
		var got bytes.Buffer
		n, err := p.WriteTo(&got)
		r.saw("write to", n, err, bytes.Equal(got.Bytes(), append(data, "end"...)))
		failing := errors.New("failing")
		n, err = c.ReadFrom(io.MultiReader(strings.NewReader("abc"), errorReader{failing}))
		r.saw("read from failing", n, describe(err))
		n, err = p.ReadFrom(errorReader{failing})
		r.saw("read from failing", n, describe(err), errors.Is(err, failing))
		r.write(p, "more")
		n, err = c.WriteTo(errorWriter{failing})
		r.saw("write to failing", n, describe(err), errors.Is(err, failing))
	}},
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

type errorWriter struct{ err error }

func (w errorWriter) Write([]byte) (int, error) { return 0, w.err }
