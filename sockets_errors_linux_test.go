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

// errorCases are those of checklist section 5.1: what calls return.
var errorCases = []socketCase{
	{name: "peer closed", rows: []int{1}, run: func(r *run) {
		c, p := r.pair()
		p.Close()
		r.read(c, 10)
		r.read(c, 10)
	}},
	{name: "peer reset, read first", rows: []int{2, 3, 4, 24, 30}, run: func(r *run) {
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
		r.saw("close", c.Close())
	}},
	{name: "addresses after a reset", rows: []int{29}, run: func(r *run) {
		c, p := r.pair()
		r.reset(p)
		r.read(c, 10)
		r.saw("addresses", r.nameOf(c.LocalAddr()), r.nameOf(c.RemoteAddr()))
	}},
	{name: "peer reset, write first", rows: []int{5, 30}, run: func(r *run) {
		c, p := r.pair()
		r.reset(p)
		r.writeUntilError(c)
		r.write(c, "x")
		r.read(c, 10)
	}},
	{name: "peer reset while Read and Write wait", rows: []int{2, 30}, run: func(r *run) {
		c, p := r.pair()
		r.fillUp(c, p)
		results := make(chan error, 2)
		go func() { _, err := c.Read(make([]byte, 1)); results <- err }()
		go func() { _, err := c.Write(make([]byte, 64<<20)); results <- err }()
		r.reset(p)
		// One of the two is told of the reset; which one is chance.
		r.saw("told", tell(<-results, <-results))
		r.read(c, 10)
		r.write(c, "x")
	}},
	{name: "peer closed, we write", rows: []int{6, 33}, run: func(r *run) {
		c, p := r.pair()
		p.Close()
		r.read(c, 10)
		r.writeUntilError(c)
		r.write(c, "x")
		r.read(c, 10)
	}},
	{name: "data, then reset", rows: []int{7}, run: func(r *run) {
		c, p := r.pair()
		r.write(p, "data")
		r.read(c, 1)
		r.reset(p)
		r.read(c, 2)
		r.read(c, 10)
		r.read(c, 10)
		r.read(c, 10)
	}},
	{name: "data, then close", rows: []int{1}, run: func(r *run) {
		c, p := r.pair()
		r.write(p, "data")
		p.Close()
		r.state(c, "CLOSE-WAIT")
		r.read(c, 10)
		r.read(c, 10)
	}},
	{name: "write after CloseWrite", rows: []int{8, 38, 42, 106}, run: func(r *run) {
		c, p := r.pair()
		r.saw("close write", c.CloseWrite())
		r.write(c, "x")
		r.write(c, "")
		r.saw("close write", c.CloseWrite())
		r.read(p, 10)
		r.state(c, "FIN-WAIT-2")
		r.write(p, "answer")
		r.read(c, 10)
		r.saw("close read", c.CloseRead())
		r.read(c, 10)
		r.saw("close", c.Close())
	}},
	{name: "after our Close", rows: []int{9, 108}, run: func(r *run) {
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
		r.saw("addresses", r.nameOf(c.LocalAddr()), r.nameOf(c.RemoteAddr()))
	}},
	{name: "Close while Read waits", rows: []int{10}, run: func(r *run) {
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
	{name: "Close while Write waits", rows: []int{10, 55}, run: func(r *run) {
		c, p := r.pair()
		r.fillUp(c, p)
		done := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 64<<20))
			done <- err
		}()
		r.must(c.Close())
		r.saw("write", <-done)
		_, err := io.Copy(io.Discard, p) // what was taken is sent
		r.saw("copy", err)
	}},
	{name: "Close while Accept waits", rows: []int{10, 112}, run: func(r *run) {
		l := r.listener()
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := l.Accept()
				done <- err
			}()
		}
		r.saw("close", l.Close())
		r.saw("accept", <-done)
		r.saw("accept", <-done)
		_, err := l.Accept()
		r.saw("accept", err)
		r.saw("close", l.Close())
		r.saw("deadline", l.SetDeadline(time.Now()))
		r.saw("address", r.nameOf(l.Addr()))
	}},
	{name: "deadlines", rows: []int{11, 105}, run: func(r *run) {
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
	{name: "zero length", rows: []int{12}, run: func(r *run) {
		c, p := r.pair()
		r.read(c, 0)
		r.write(c, "")
		p.Close()
		r.read(c, 10)
		r.read(c, 0)
	}},
	{name: "port closed", rows: []int{13}, run: func(r *run) {
		l := r.listener()
		l.Close()
		for _, network := range []string{"tcp", "tcp4"} {
			_, err := r.dial(context.Background(), config{}, network, l.Addr().String())
			r.saw("dial", err)
		}
	}},
	{name: "dial runs out of time", rows: []int{15, 16, 97}, run: func(r *run) {
		full := r.full().Addr().String()
		_, err := r.dial(context.Background(), config{Timeout: 20 * time.Millisecond}, "tcp", full)
		r.sawTimeout("timeout", err)
		_, err = r.dial(context.Background(), config{Timeout: -1}, "tcp", full)
		r.saw("negative timeout", err)
		_, err = r.dial(context.Background(), config{Deadline: time.Unix(1, 0)}, "tcp", full)
		r.saw("deadline", err)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err = r.dial(ctx, config{}, "tcp", full)
		r.sawTimeout("context deadline", err)
		ctx, cancel = context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err = r.dial(ctx, config{}, "tcp", full)
		r.saw("canceled", err)
		_, err = r.dial(ctx, config{}, "tcp", full)
		r.saw("canceled before", err)
	}},
	{name: "nobody answers a SYN", rows: []int{14}, on: twoHosts, run: func(r *run) {
		l := r.listener()
		r.deaf(r.T, l)
		_, err := r.dial(context.Background(), config{Options: []optionValue{{tcpUserTimeout, 1000}}}, "tcp", l.Addr().String())
		r.saw("dial", err)
	}},
	{name: "no route", rows: []int{17}, ip6: true, alone: true, run: func(r *run) {
		for _, address := range []string{"198.51.100.1:7", "[2001:db8::1]:7"} {
			_, err := r.dial(context.Background(), config{}, "tcp", address)
			r.saw("dial", err)
		}
	}},
	{name: "nobody acknowledges, read first", rows: []int{18, 66}, on: twoHosts, run: func(r *run) {
		c, p := r.pair(optionValue{tcpUserTimeout, 300})
		r.deaf(r.T, c, p)
		r.write(c, "unheard")
		r.read(c, 10)
		r.write(c, "x")
		r.read(c, 10)
	}},
	{name: "nobody acknowledges, write first", rows: []int{18, 66}, on: twoHosts, run: func(r *run) {
		c, p := r.pair(optionValue{tcpUserTimeout, 300})
		r.deaf(r.T, c, p)
		r.write(c, "unheard")
		r.state(c, "CLOSED")
		r.write(c, "x")
		r.write(c, "x")
		r.read(c, 10)
	}},
	{name: "keep-alive unanswered", rows: []int{19, 57, 59}, on: twoHosts, run: func(r *run) {
		start := time.Now() // before the last segment that could count
		c, p := r.pair()
		r.must(c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 1}))
		r.deaf(r.T, c, p)
		r.read(c, 10)
		r.saw("waited", time.Since(start) > 1900*time.Millisecond)
		r.read(c, 10)
		r.write(c, "x")
	}},
	{name: "address in use", rows: []int{20, 85, 86}, ip6: true, on: oneHost, run: func(r *run) {
		l := r.listener()
		_, err := r.listen(config{}, "tcp", l.Addr().String())
		r.saw("same", err)
		_, err = r.listen(config{}, "tcp", portOf(l.Addr()))
		r.saw("wildcard", err)
		_, err = r.listen(config{}, "tcp4", "0.0.0.0"+portOf(l.Addr()))
		r.saw("IPv4 wildcard", err)
		_, err = r.listen(config{}, "tcp6", "[::]"+portOf(l.Addr()))
		r.saw("IPv6 wildcard", err)
		l.Close()
		l2, err := r.listen(config{}, "tcp", l.Addr().String())
		r.saw("again", err)
		l2.Close()
	}},
	{name: "foreign address", rows: []int{21}, run: func(r *run) {
		_, err := r.listen(config{}, "tcp", "198.51.100.1:0")
		r.saw("listen", err)
		l := r.listener()
		local := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1)}
		r.name(local, "foreign")
		_, err = r.dial(context.Background(), config{LocalAddr: local}, "tcp", l.Addr().String())
		r.saw("dial", err)
		_, err = r.dial(context.Background(), config{LocalAddr: &net.UDPAddr{}}, "tcp", l.Addr().String())
		r.saw("UDP address", err)
	}},
	{name: "dial to broadcast and multicast", rows: []int{26}, ip6: true, run: func(r *run) {
		for _, address := range []string{"255.255.255.255:7", "224.0.0.1:7", "[ff02::1]:7", "[ff0e::1]:7"} {
			_, err := r.dial(context.Background(), config{}, "tcp", address)
			r.saw("dial "+address, err)
		}
	}},
	{
		name: "dial to port 0", rows: []int{27},
		differs: "port 0 is nobody's: Trivet says so at once, Linux sends a SYN there",
		want:    []string{"dial: OpError{dial tcp from nil to a *net.TCPAddr: SyscallError{connect: Errno 99}}"},
		run: func(r *run) {
			_, err := r.dial(context.Background(), config{}, "tcp", r.ip()+":0")
			r.saw("dial", err)
		},
	},
	{name: "connect to oneself", rows: []int{28}, on: oneHost, run: func(r *run) {
		l, err := r.listen(config{}, "tcp4", ":0")
		r.must(err)
		defer l.Close()
		for _, address := range []string{"", "0.0.0.0", "localhost", "127.0.0.1", "[::ffff:127.0.0.1]"} {
			c, err := r.dial(context.Background(), config{}, "tcp", address+portOf(l.Addr()))
			r.saw("dial "+address, err)
			if err == nil {
				r.saw("remote", strings.TrimSuffix(c.RemoteAddr().String(), portOf(l.Addr())))
				c.Close()
			}
		}
	}},
	{name: "addresses that cannot be", rows: []int{21}, run: func(r *run) {
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
			_, err := r.dial(context.Background(), config{}, a[0], a[1])
			r.saw(fmt.Sprintf("dial %q", a), err)
			if a[1] != "" {
				_, err = r.listen(config{}, a[0], a[1])
				r.saw(fmt.Sprintf("listen %q", a), err)
			}
		}
	}},
}

// tell says which errors there are, in an order that does not depend on
// chance: ECONNRESET is told to one of two calls, the other is told the end.
func tell(errs ...error) string {
	var reset, ended int
	for _, err := range errs {
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			reset++
		case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
			ended++
		}
	}
	return fmt.Sprintf("%d reset, %d at the end", reset, ended)
}
