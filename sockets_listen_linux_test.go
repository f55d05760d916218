package trivet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// listenCases are those of checklist section 5.4: bind, listen, accept.
var listenCases = []socketCase{
	{name: "listen beside TIME-WAIT", rows: []int{84, 93}, run: func(r *run) {
		l := r.listener()
		c := r.connect(l)
		p := r.accept(l)
		r.must(l.Close())
		r.must(p.Close()) // first: TIME-WAIT is the server's
		r.read(c, 10)
		r.must(c.Close())
		again, err := r.listen(config{}, "tcp", l.Addr().String())
		r.saw("listen", err)
		if err == nil {
			again.Close()
		}
	}},
	{name: "listen beside a connection", rows: []int{84}, run: func(r *run) {
		c, p := r.pair()
		l := r.listenOn(config{}, p.LocalAddr().String())
		r.connect(l)
		r.accept(l)
		r.write(c, "old")
		r.read(p, 10)
		l.Close()
	}},
	{name: "SO_REUSEPORT", rows: []int{87}, run: func(r *run) {
		share := config{Options: []optionValue{{soReusePort, 1}}}
		first := r.listenOn(share, r.ip()+":0")
		second := r.listenOn(share, first.Addr().String())
		const total = 40
		conns := map[string]tcpConn{}
		for range total {
			c := r.connect(first)
			conns[c.LocalAddr().String()] = c
		}
		r.until("all wait", func() bool { return r.waiting(first, second) == total })
		r.must(first.Close())
		rest := r.waiting(second)
		for range rest {
			p := r.accept(second)
			delete(conns, p.RemoteAddr().String())
		}
		r.saw("both had some", rest > 0, len(conns) > 0)
		resets := 0
		for _, c := range conns {
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNRESET) {
				resets++
			}
		}
		r.saw("those of the first are reset", resets+rest == total)
		c := r.connect(second)
		r.saw("the second has all", r.accept(second).RemoteAddr().String() == c.LocalAddr().String())
	}},
	{name: "SO_REUSEPORT on one only", rows: []int{88}, on: oneHost, run: func(r *run) {
		share := config{Options: []optionValue{{soReusePort, 1}}}
		first := r.listenOn(share, r.ip()+":0")
		_, err := r.listen(config{}, "tcp", first.Addr().String())
		r.saw("without", err)
		plain := r.listener()
		_, err = r.listen(share, "tcp", plain.Addr().String())
		r.saw("with", err)
	}},
	{name: "SO_REUSEPORT, wildcard and specific", rows: []int{86, 87}, on: oneHost, run: func(r *run) {
		share := config{Options: []optionValue{{soReusePort, 1}}}
		all := r.listenOn(share, "0.0.0.0:0")
		one := r.listenOn(share, r.ip()+portOf(all.Addr()))
		r.connect(one)
		p := r.accept(one) // the specific one goes first
		r.saw("accepted", p.LocalAddr().String() == one.Addr().String())
	}},
	{name: "backlog", rows: []int{94, 97}, run: func(r *run) {
		l := r.listenOn(config{Backlog: 2}, r.ip()+":0")
		for range 3 {
			r.connect(l)
		}
		r.until("three wait", func() bool { return r.waiting(l) == 3 })
		_, err := r.dial(context.Background(), config{Timeout: 50 * time.Millisecond}, "tcp", l.Addr().String())
		r.sawTimeout("a fourth", err)
		done := make(chan error)
		go func() {
			c, err := r.dial(context.Background(), config{}, "tcp", l.Addr().String())
			if err == nil {
				c.Close()
			}
			done <- err
		}()
		r.accept(l)
		r.saw("a fifth, with room", <-done)
	}},
	{name: "accept in order", rows: []int{98}, run: func(r *run) {
		l := r.listener()
		var want, got []string
		for i := range 5 {
			want = append(want, r.connect(l).LocalAddr().String())
			r.until("it waits", func() bool { return r.waiting(l) == i+1 })
		}
		for range want {
			got = append(got, r.accept(l).RemoteAddr().String())
		}
		r.saw("in order", strings.Join(got, " ") == strings.Join(want, " "))
	}},
	{name: "accept after reset", rows: []int{98}, run: func(r *run) {
		l := r.listener()
		c := r.connect(l)
		r.until("it waits", func() bool { return r.waiting(l) == 1 })
		r.reset(c)
		p := r.accept(l)
		r.name(p.LocalAddr(), "listener")
		r.name(p.RemoteAddr(), "dialler")
		r.read(p, 10)
		r.read(p, 10)
	}},
	{name: "accept after close", rows: []int{98}, run: func(r *run) {
		l := r.listener()
		c := r.connect(l)
		r.write(c, "early")
		r.must(c.Close())
		p := r.accept(l)
		all, err := io.ReadAll(p)
		r.saw("read", string(all), err)
	}},
	{name: "data before Accept", rows: []int{99}, run: func(r *run) {
		l := r.listener(optionValue{soRecvBuffer, 20000})
		c := r.connect(l, optionValue{soSendBuffer, 20000})
		n := r.fill(c)
		r.saw("little fits", n < 1<<20)
		r.must(c.CloseWrite())
		k, err := io.Copy(io.Discard, r.accept(l))
		r.saw("all of it", k == int64(n), err)
	}},
	{name: "addresses listened on", rows: []int{100, 102}, ip6: true, run: func(r *run) {
		for _, a := range [][2]string{
			{"tcp", ""},
			{"tcp", ":0"},
			{"tcp", "0.0.0.0:0"},
			{"tcp", "[::]:0"},
			{"tcp4", ":0"},
			{"tcp4", "0.0.0.0:0"},
			{"tcp4", "localhost:0"},
			{"tcp6", ":0"},
			{"tcp", "127.0.0.1:0"},
		} {
			l, err := r.listen(config{}, a[0], a[1])
			r.saw(fmt.Sprintf("listen %q", a), err)
			if err == nil {
				r.saw("address", l.Addr().Network(), strings.TrimSuffix(l.Addr().String(), portOf(l.Addr())))
				r.saw("port", l.Addr().(*net.TCPAddr).Port > 0)
				l.Close()
			}
		}
	}},
	{name: "one listener for IPv4 and IPv6", rows: []int{100}, ip6: true, on: oneHost, run: func(r *run) {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			nl, err := r.listen(config{}, network, ":0")
			r.must(err)
			l := nl.(tcpListener)
			for _, ip := range []string{"127.0.0.1", "[::1]"} {
				c, err := r.dial(context.Background(), config{}, "tcp", ip+portOf(l.Addr()))
				r.saw(network+" "+ip, err == nil, errors.Is(err, syscall.ECONNREFUSED))
				if err != nil {
					continue
				}
				p := r.accept(l)
				r.saw("addresses", p.LocalAddr().(*net.TCPAddr).IP, p.RemoteAddr().(*net.TCPAddr).IP)
				c.Close()
			}
			l.Close()
		}
	}},
	// Alone: the kernel may give a port that was chosen, not asked for, to a socket
	// of somebody else as well when the second dialler has let go of it.
	{name: "a local port for two destinations", rows: []int{22, 89}, alone: true, run: func(r *run) {
		l, other := r.listener(), r.listener()
		reuse := config{LocalAddr: bound, Options: []optionValue{{soReuseAddr, 1}}}
		c, err := r.dial(context.Background(), reuse, "tcp", l.Addr().String())
		r.must(err)
		defer c.Close()
		reuse.LocalAddr = c.LocalAddr()
		r.name(c.LocalAddr(), "dialler")
		_, err = r.dial(context.Background(), reuse, "tcp", l.Addr().String())
		r.saw("same destination", err)
		c2, err := r.dial(context.Background(), reuse, "tcp", other.Addr().String())
		r.saw("another", err)
		if err == nil {
			c2.Close()
		}
	}},
	{
		name: "a local port for two destinations, without SO_REUSEADDR", rows: []int{89},
		differs: "Dialer behaves as if SO_REUSEADDR were set: the 4-tuple is known when it is asked",
		want:    []string{"another: <nil>"},
		run: func(r *run) {
			c := r.connectBound(r.listener())
			_, err := r.dial(context.Background(), config{LocalAddr: c.LocalAddr()}, "tcp", r.listener().Addr().String())
			r.saw("another", err)
		},
	},
	{
		name: "listen on the port of a connection that was dialled", rows: []int{84}, on: oneHost,
		differs: "RFC 9293, MUST-42: connections are no reason not to listen; a dialled one of Linux is, without SO_REUSEADDR",
		want:    []string{"listen: <nil>"},
		run: func(r *run) {
			c := r.connectBound(r.listener())
			l, err := r.listen(config{}, "tcp", c.LocalAddr().String())
			r.saw("listen", err)
			if err == nil {
				l.Close()
			}
		},
	},
	{name: "a client comes back to TIME-WAIT of the server", rows: []int{91}, run: func(r *run) {
		l := r.listener()
		c := r.connectBound(l)
		p := r.accept(l)
		r.must(p.Close())
		r.read(c, 10)
		r.must(c.Close())
		r.until("the client's end is gone", func() bool {
			again, err := r.dial(context.Background(), config{LocalAddr: c.LocalAddr()}, "tcp", l.Addr().String())
			if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL) {
				return false
			}
			r.saw("dial", err)
			if err == nil {
				again.Close()
			}
			return true
		})
	}},
	{name: "a client's own TIME-WAIT", rows: []int{90}, run: func(r *run) {
		l := r.listener()
		reuse := config{LocalAddr: bound, Options: []optionValue{{soReuseAddr, 1}}}
		c, err := r.dial(context.Background(), reuse, "tcp", l.Addr().String())
		r.must(err)
		p := r.accept(l)
		r.must(c.Close())
		r.read(p, 10)
		r.must(p.Close())
		reuse.LocalAddr = c.LocalAddr()
		r.until("TIME-WAIT may be used again", func() bool {
			again, err := r.dial(context.Background(), reuse, "tcp", l.Addr().String())
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				return false
			}
			r.saw("dial", err)
			if err == nil {
				again.Close()
			}
			return true
		})
	}},
	{name: "connect to its own port", rows: []int{101}, on: oneHost, run: func(r *run) {
		l := r.listener()
		r.must(l.Close())
		local := l.Addr().(*net.TCPAddr)
		c, err := r.dial(context.Background(), config{LocalAddr: local}, "tcp", local.String())
		r.saw("dial", err)
		if err == nil {
			r.write(c, "to myself")
			r.read(c, 20)
			r.saw("close", c.Close())
		}
	}},
}

// bound is a local address whose port is chosen by bind, not by connect: the
// kernel may use a port that connect chose for other connections too, those of
// other tests.
var bound = &net.TCPAddr{}

// connectBound is connect from the address bound.
func (r *run) connectBound(l net.Listener) tcpConn {
	r.Helper()
	c, err := r.dial(context.Background(), config{LocalAddr: bound}, "tcp", l.Addr().String())
	r.must(err)
	r.Cleanup(func() { c.Close() })
	return c.(tcpConn)
}
