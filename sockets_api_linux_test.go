package trivet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// apiCases are those of checklist section 5.5: what Go adds to sockets.
var apiCases = []socketCase{
	{name: "writes do not mix", rows: []int{104}, run: func(r *run) {
		c, p := r.pair()
		const size = 1 << 20
		for _, letter := range "abcd" {
			go c.Write(bytes.Repeat([]byte(string(letter)), size))
		}
		all := make([]byte, 4*size)
		_, err := io.ReadFull(p, all)
		r.saw("read", err)
		changes := 0
		for i := 1; i < len(all); i++ {
			if all[i] != all[i-1] {
				changes++
			}
		}
		r.saw("changes", changes)
	}},
	{name: "two readers", rows: []int{104}, run: func(r *run) {
		c, p := r.pair()
		counts := make(chan int64)
		for range 2 {
			go func() {
				n, _ := io.Copy(io.Discard, struct{ io.Reader }{c})
				counts <- n
			}()
		}
		r.write(p, strings.Repeat("x", 1<<16))
		r.must(p.CloseWrite())
		r.saw("read", <-counts+<-counts)
	}},
	{name: "a deadline for calls that wait", rows: []int{105}, run: func(r *run) {
		c, p := r.pair()
		r.fillUp(c, p)
		results := make(chan error, 1)
		go func() { _, err := c.Read(make([]byte, 1)); results <- err }()
		r.must(c.SetReadDeadline(time.Now().Add(time.Hour)))
		r.must(c.SetReadDeadline(time.Now().Add(-time.Hour)))
		r.saw("read", <-results)
		go func() { _, err := c.Write(make([]byte, 64<<20)); results <- err }()
		r.must(c.SetWriteDeadline(time.Unix(0, 1)))
		r.saw("write", <-results)
		r.must(c.SetReadDeadline(time.Time{}))
		r.must(c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
		r.read(c, 1)
	}},
	{name: "deadlines set by many at once", rows: []int{105}, run: func(r *run) {
		c, p := r.pair()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 300 {
				c.SetReadDeadline(time.Now().Add(time.Duration(i%3-1) * time.Microsecond))
			}
			c.SetReadDeadline(time.Time{})
		}()
		r.write(p, "data")
		var all []byte
		for len(all) < 4 {
			buf := make([]byte, 1)
			n, err := c.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil && !err.(net.Error).Timeout() {
				r.must(err)
			}
		}
		<-done
		r.saw("read", string(all))
		r.write(p, "more")
		r.read(c, 10)
	}},
	{name: "a deadline for all who wait", rows: []int{105}, run: func(r *run) {
		c, p := r.pair()
		l := r.listener()
		r.fillUp(c, p)
		const each = 3
		reads, writes, accepts := make(chan error, each), make(chan error, each), make(chan error, each)
		for range each {
			go func() { _, err := c.Read(make([]byte, 1)); reads <- err }()
			go func() { _, err := c.Write(make([]byte, 64<<20)); writes <- err }()
			go func() { _, err := l.Accept(); accepts <- err }()
		}
		r.must(c.SetDeadline(time.Now().Add(time.Hour)))
		r.must(c.SetDeadline(time.Now().Add(5 * time.Millisecond)))
		r.must(l.SetDeadline(time.Unix(1, 0)))
		for range each {
			r.saw("read", <-reads)
			r.saw("write", <-writes)
			r.saw("accept", <-accepts)
		}
		r.connect(l)
		_, err := l.Accept() // the deadline comes first
		r.saw("accept", err)
		r.must(l.SetDeadline(time.Time{}))
		_, err = l.Accept()
		r.saw("accept", err)
	}},
	{name: "the end for all who wait", rows: []int{1, 10}, run: func(r *run) {
		for _, end := range []func(c, p tcpConn) error{
			func(c, p tcpConn) error { return p.CloseWrite() },
			func(c, p tcpConn) error { return c.Close() },
		} {
			c, p := r.pair()
			results := make(chan error, 4)
			for range 4 {
				go func() { _, err := c.Read(make([]byte, 1)); results <- err }()
			}
			r.blocked(r, "Read")
			r.must(end(c, p))
			for range 4 {
				r.saw("read", <-results)
			}
		}
	}},
	{name: "deadline, then reset", rows: []int{2, 105}, run: func(r *run) {
		c, p := r.pair()
		r.reset(p)
		r.state(c, "CLOSED")
		r.must(c.SetDeadline(time.Unix(1, 0)))
		r.read(c, 10)
		r.write(c, "x")
		r.must(c.SetDeadline(time.Time{}))
		r.write(c, "") // which tells nothing, or it would not be told below
		r.read(c, 0)
		r.read(c, 10)
		r.read(c, 10)
	}},
	{name: "what a dial leaves of its context", rows: []int{16}, run: func(r *run) {
		l := r.listener()
		ctx, cancel := context.WithCancelCause(context.Background())
		c, err := r.dial(ctx, config{Timeout: time.Minute}, "tcp", l.Addr().String())
		r.must(err)
		p := r.accept(l)
		cancel(errors.New("the cause"))
		r.write(c, "x")
		r.read(p, 10)
		c.Close()
		_, err = r.dial(ctx, config{}, "tcp", l.Addr().String())
		r.saw("dial", err)
	}},
	{name: "errors as programs ask for them", rows: []int{2, 9, 13}, run: func(r *run) {
		ask := func(what string, err error) {
			var n net.Error
			isNet := errors.As(err, &n)
			temporary := n.(interface{ Temporary() bool }).Temporary() // deprecated, but programs ask for it
			r.saw(what, isNet, n.Timeout(), temporary, errors.Is(err, syscall.ECONNREFUSED),
				errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed))
		}
		l := r.listener()
		l.Close()
		_, err := r.dial(context.Background(), config{}, "tcp", l.Addr().String())
		ask("dial", err)
		c, p := r.pair()
		r.reset(p)
		_, err = c.Read(make([]byte, 1))
		ask("read", err)
		_, err = c.Write([]byte("x"))
		ask("write", err)
		c.Close()
		_, err = c.Read(make([]byte, 1))
		ask("read", err)
		r.saw("text", strings.HasSuffix(err.Error(), ": use of closed network connection"))
	}},
	{name: "ReadFrom a file and net.Buffers", rows: []int{107}, run: func(r *run) {
		c, p := r.pair()
		f, err := os.CreateTemp(r.TempDir(), "")
		r.must(err)
		defer f.Close()
		_, err = f.WriteString("some lines of text")
		r.must(err)
		_, err = f.Seek(5, io.SeekStart)
		r.must(err)
		n, err := c.ReadFrom(&io.LimitedReader{R: f, N: 5})
		r.saw("read from", n, err)
		n, err = c.ReadFrom(f)
		r.saw("read from", n, err)
		b := net.Buffers{[]byte("a"), nil, []byte("bc"), {}}
		n, err = b.WriteTo(c)
		r.saw("write to", n, err, len(b))
		r.must(c.CloseWrite())
		all, err := io.ReadAll(p)
		r.saw("read", string(all), err)
	}},
	{name: "deadline of Accept", rows: []int{105}, run: func(r *run) {
		l := r.listener()
		r.must(l.SetDeadline(time.Now().Add(time.Millisecond)))
		_, err := l.Accept()
		r.saw("accept", err)
		_, err = l.Accept()
		r.saw("accept", err)
		r.must(l.SetDeadline(time.Time{}))
		r.connect(l)
		r.accept(l)
		done := make(chan error)
		go func() {
			_, err := l.Accept()
			done <- err
		}()
		r.must(l.SetDeadline(time.Unix(1, 0)))
		r.saw("accept", <-done)
	}},
	{name: "write deadline", rows: []int{82, 109}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)))
		n, err := c.Write(make([]byte, 64<<20))
		r.saw("write", n < 64<<20, err)
		r.must(c.CloseWrite())
		all, err := io.Copy(io.Discard, p)
		r.saw("all that was taken", all == int64(n), err)
	}},
	{name: "Write waits until all is taken", rows: []int{82}, run: func(r *run) {
		c, p := r.pair()
		done := make(chan struct{})
		go func() {
			defer close(done)
			n, err := c.Write(make([]byte, 64<<20))
			r.saw("write", n, err)
		}()
		n, err := io.CopyN(io.Discard, p, 64<<20)
		<-done
		r.saw("copy", n, err)
	}},
	{name: "local address", rows: []int{108}, ip6: true, on: oneHost, run: func(r *run) {
		l := r.listener()
		for _, ip := range []net.IP{nil, net.IPv4zero, net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 9), net.IPv6loopback} {
			c, err := r.dial(context.Background(), config{LocalAddr: &net.TCPAddr{IP: ip}}, "tcp", l.Addr().String())
			r.saw("dial from "+ip.String(), err)
			if err == nil {
				r.saw("local", c.LocalAddr().(*net.TCPAddr).IP)
				c.Close()
			}
		}
	}},
	{name: "addresses of both ends", rows: []int{108}, run: func(r *run) {
		c, p := r.pair()
		same := func(a, b net.Addr) bool {
			return a.(*net.TCPAddr).String() == b.(*net.TCPAddr).String() && a.Network() == b.Network()
		}
		r.saw("addresses", same(c.LocalAddr(), p.RemoteAddr()), same(c.RemoteAddr(), p.LocalAddr()))
	}},
	{name: "ReadFrom and WriteTo", rows: []int{107}, run: func(r *run) {
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
		r.saw("read from failing", n, err)
		n, err = p.ReadFrom(errorReader{failing})
		r.saw("read from failing", n, err, errors.Is(err, failing))
		r.write(p, "more")
		n, err = c.WriteTo(errorWriter{failing})
		r.saw("write to failing", n, err, errors.Is(err, failing))
	}},
	{name: "half-close by an interface", rows: []int{106}, run: func(r *run) {
		c, p := r.pair()
		type closeWriter interface{ CloseWrite() error }
		go func() {
			io.Copy(c, c) // an echo
			net.Conn(c).(closeWriter).CloseWrite()
		}()
		r.write(p, "echo")
		r.saw("close write", net.Conn(p).(closeWriter).CloseWrite())
		all, err := io.ReadAll(p)
		r.saw("read", string(all), err)
	}},
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

type errorWriter struct{ err error }

func (w errorWriter) Write([]byte) (int, error) { return 0, w.err }
