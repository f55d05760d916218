package trivet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// optionCases are those of checklist section 5.3: socket options.
var optionCases = []socketCase{
	{name: "keep-alive out of range", rows: []int{56}, run: func(r *run) {
		c, _ := r.pair()
		r.saw("period", c.SetKeepAlivePeriod(32768*time.Second))
		r.saw("default", c.SetKeepAlivePeriod(0))
		r.saw("negative", c.SetKeepAlivePeriod(-1))
		r.saw("count", c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Count: 128}))
		r.saw("largest", c.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: 32767 * time.Second, Interval: 32767 * time.Second, Count: 127,
		}))
		r.values(c, soKeepAlive, tcpKeepIdle, tcpKeepInterval, tcpKeepCount)
	}},
	{name: "keep-alive options out of range", rows: []int{56}, run: func(r *run) {
		c, _ := r.pair()
		for _, o := range []option{tcpKeepIdle, tcpKeepInterval, tcpKeepCount} {
			r.setting(c, o, -1, 1, 127, 128, 32767, 32768)
			r.values(c, o)
		}
	}},
	{name: "keep-alive off", rows: []int{56}, run: func(r *run) {
		l := r.listenOn(config{KeepAlive: -1}, r.ip()+":0")
		c, err := r.dial(context.Background(), config{KeepAlive: -1}, "tcp", l.Addr().String())
		r.must(err)
		defer c.Close()
		for _, c := range []net.Conn{c, r.accept(l)} {
			r.values(c, soKeepAlive, tcpKeepIdle, tcpKeepInterval, tcpKeepCount)
		}
	}},
	{name: "what Go sets", rows: []int{60, 61}, run: func(r *run) {
		c, p := r.pair()
		for _, c := range []tcpConn{c, p} {
			r.values(c, soKeepAlive, tcpKeepIdle, tcpKeepInterval, tcpKeepCount, tcpNoDelay, tcpUserTimeout, tcpCork)
			r.must(c.SetNoDelay(false))
			r.must(c.SetKeepAlive(false))
			r.values(c, tcpNoDelay, soKeepAlive, tcpKeepIdle)
			r.must(c.SetKeepAlivePeriod(3 * time.Second))
			r.values(c, soKeepAlive, tcpKeepIdle, tcpKeepInterval, tcpKeepCount)
			r.must(c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: 5 * time.Second}))
			r.values(c, soKeepAlive, tcpKeepIdle, tcpKeepInterval, tcpKeepCount)
		}
	}},
	{name: "keep-alive of dialler and listener", rows: []int{60, 80}, run: func(r *run) {
		cfg := config{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 20 * time.Second, Count: 3}}
		l := r.listenOn(cfg, r.ip()+":0")
		c, err := r.dial(context.Background(), config{KeepAlive: 40 * time.Second}, "tcp", l.Addr().String())
		r.must(err)
		defer c.Close()
		for _, c := range []net.Conn{c, r.accept(l)} {
			r.values(c, soKeepAlive, tcpKeepIdle, tcpKeepInterval, tcpKeepCount)
		}
	}},
	{name: "TCP_CORK", rows: []int{62}, run: func(r *run) {
		c, p := r.pair()
		r.corked(func() (string, bool) {
			before := r.info(c).DataOut
			r.must(r.set(c, tcpCork, 1))
			r.must2(c.Write([]byte("one")))
			r.must2(c.Write([]byte("two")))
			held := r.info(c).DataOut == before
			r.must(r.set(c, tcpCork, 0))
			buf := make([]byte, 10)
			n := r.must2(p.Read(buf))
			return string(buf[:n]), held
		})
	}},
	{name: "TCP_NODELAY draws the cork once", rows: []int{63}, run: func(r *run) {
		c, p := r.pair()
		r.corked(func() (string, bool) {
			r.must(r.set(c, tcpCork, 1))
			r.must2(c.Write([]byte("one")))
			r.must(c.SetNoDelay(true))
			buf := make([]byte, 10)
			n := r.must2(p.Read(buf)) // before 200 ms are over
			before := r.info(c).DataOut
			r.must2(c.Write([]byte("two")))
			held := r.info(c).DataOut == before
			r.must(r.set(c, tcpCork, 0))
			n += r.must2(p.Read(buf[n:]))
			return string(buf[:n]), held
		})
	}},
	{name: "TCP_CORK for a while", rows: []int{62}, run: func(r *run) {
		c, p := r.pair()
		r.must(r.set(c, tcpCork, 1))
		r.write(c, "held")
		r.read(p, 10) // 200 ms later
		r.write(c, "again")
		r.must(c.Close())
		r.read(p, 10)
		r.read(p, 10)
	}},
	{name: "TCP_QUICKACK", rows: []int{64}, run: func(r *run) {
		c, p := r.pair()
		r.must(r.set(p, tcpQuickAck, 0))
		r.saw("off, at once", r.ackedAtOnce(c, p))
		r.must(r.set(p, tcpQuickAck, 1))
		quick := false
		for try := 0; try < 100 && !quick; try++ { // a busy machine is late sometimes
			r.must(r.set(p, tcpQuickAck, 1))
			quick = r.ackedAtOnce(c, p)
		}
		r.saw("on, at once", quick)
	}},
	{name: "TCP_WINDOW_CLAMP", rows: []int{73}, run: func(r *run) {
		l := r.listener(optionValue{tcpWindowClamp, 5000})
		c := r.connect(l)
		p := r.accept(l)
		r.values(p, tcpWindowClamp)
		// Linux moves the bound later, as it tunes the buffer.
		r.saw("window", r.info(p).RcvWnd <= 5000)
		go func() {
			c.Write(make([]byte, 1<<18))
			c.CloseWrite()
		}()
		r.readAll(p)
		r.setting(p, tcpWindowClamp, 1, 1<<20)
	}},
	{name: "TCP_LINGER2", rows: []int{67}, run: func(r *run) {
		c, _ := r.pair()
		r.values(c, tcpLinger2)
		for _, v := range []int{1, 120, 121, -5} {
			r.setting(c, tcpLinger2, v)
			r.values(c, tcpLinger2)
		}
	}},
	{name: "TCP_LINGER2 negative, closed in FIN-WAIT-2", rows: []int{47, 67}, run: func(r *run) {
		c, p := r.pair(optionValue{tcpLinger2, -1})
		r.must(c.CloseWrite())
		r.state(c, "FIN-WAIT-2")
		r.must(c.Close())
		r.state(p, "CLOSED")
		r.read(p, 10)
		r.read(p, 10)
		r.write(p, "x")
	}},
	{name: "TCP_LINGER2 negative, closed in ESTABLISHED", rows: []int{47, 67}, run: func(r *run) {
		c, p := r.pair(optionValue{tcpLinger2, -1})
		r.must(c.Close())
		r.state(p, "CLOSED")
		r.read(p, 10)
		r.read(p, 10)
		r.write(p, "x")
	}},
	{name: "TCP_SYNCNT", rows: []int{68}, run: func(r *run) {
		l := r.listener()
		c := r.connect(l, optionValue{tcpSynCount, 3})
		r.values(c, tcpSynCount)
		r.values(r.accept(l), tcpSynCount)
		r.setting(c, tcpSynCount, -1, 1, 127, 128)
		_, err := r.dial(context.Background(), config{Options: []optionValue{{tcpSynCount, 128}}}, "tcp", l.Addr().String())
		r.saw("dial", err)
	}},
	{name: "TCP_SYNCNT of a dial", rows: []int{14, 68}, on: twoHosts, run: func(r *run) {
		l := r.listener()
		r.deaf(r.T, l)
		_, err := r.dial(context.Background(), config{Options: []optionValue{{tcpSynCount, 1}}}, "tcp", l.Addr().String())
		r.saw("dial", err)
	}},
	{name: "TCP_DEFER_ACCEPT", rows: []int{69}, run: func(r *run) {
		l := r.listener(optionValue{tcpDeferAccept, 30})
		c := r.connect(l)
		r.state(c, "ESTABLISHED")
		r.must(l.SetDeadline(time.Now().Add(100 * time.Millisecond)))
		_, err := l.Accept()
		r.saw("accept", err)
		r.write(c, "x")
		p := r.accept(l)
		r.saw("data is there", r.info(p).Unread)
		r.write(p, "answer")
		r.read(c, 10)
	}},
	{name: "TCP_DEFER_ACCEPT, FIN only", rows: []int{69}, run: func(r *run) {
		l := r.listener(optionValue{tcpDeferAccept, 30})
		c := r.connect(l)
		r.must(c.CloseWrite())
		p := r.accept(l)
		r.name(p.LocalAddr(), "listener")
		r.name(p.RemoteAddr(), "dialler")
		r.read(p, 10)
	}},
	{name: "TCP_NOTSENT_LOWAT", rows: []int{74}, run: func(r *run) {
		for _, low := range []int{0, 1 << 14} {
			c, p := r.pair()
			r.must(c.SetWriteBuffer(1 << 20))
			r.must(p.SetReadBuffer(1 << 16))
			if low != 0 {
				r.must(r.set(c, tcpNotSentLowat, low))
				r.values(c, tcpNotSentLowat)
			}
			n := r.fill(c)
			r.saw("much unsent", r.info(c).NotSent > 100_000)
			r.must(c.CloseWrite())
			k, err := io.Copy(io.Discard, p)
			r.saw("all of it", k == int64(n), err)
		}
	}},
	{name: "SO_RCVLOWAT", rows: []int{75}, run: func(r *run) {
		c, p := r.pair()
		r.values(p, soRecvLowat)
		r.must(r.set(p, soRecvLowat, 10))
		r.values(p, soRecvLowat)
		r.write(c, "four")
		r.arrived(p, 4)
		r.read(p, 20) // Read returns what there is
		result := make(chan string, 1)
		for waited := false; !waited; {
			go readAtLowat(r, p, result)
			r.blocked(r, "readAtLowat")
			r.must2(c.Write([]byte("four")))
			r.until("they have arrived", func() bool { return r.info(p).Unread == 4 || len(result) > 0 })
			if waited = len(result) == 0; !waited {
				r.Log("woken by chance:", <-result) // by the runtime's poller: Read returns what there is
			}
		}
		r.must2(c.Write([]byte("sixsix")))
		r.saw("read at ten", <-result)
		go readAtLowat(r, p, result)
		r.blocked(r, "readAtLowat")
		r.must2(c.Write([]byte("end")))
		r.must(c.Close())
		r.saw("read at the end", <-result)
	}},
	{name: "TCP_CONGESTION", rows: []int{76}, run: func(r *run) {
		l := r.listenOn(config{Congestion: "reno"}, r.ip()+":0")
		c, err := r.dial(context.Background(), config{Congestion: "reno"}, "tcp", l.Addr().String())
		r.must(err)
		defer c.Close()
		r.saw("congestion", r.congestion(c), r.congestion(r.accept(l)))
		r.sawErrno("set", r.setCongestion(c, "nosuch"))
		r.sawErrno("set", r.setCongestion(c, "reno"))
		r.saw("congestion", r.congestion(c))
		_, err = r.dial(context.Background(), config{Congestion: "nosuch"}, "tcp", l.Addr().String())
		r.saw("dial", err)
		_, err = r.listen(config{Congestion: "nosuch"}, "tcp", r.ip()+":0")
		r.saw("listen", err)
	}},
	{name: "TCP_MAXSEG", rows: []int{65}, run: func(r *run) {
		c, p := r.pair()
		r.setting(c, tcpMaxSeg, -1, 0, 87, 88, 32767, 32768)
		r.must(p.Close())
		for _, v := range []int{87, 32768} {
			_, err := r.dial(context.Background(), config{Options: []optionValue{{tcpMaxSeg, v}}}, "tcp", p.LocalAddr().String())
			r.saw("dial", err)
			_, err = r.listen(config{Options: []optionValue{{tcpMaxSeg, v}}}, "tcp", r.ip()+":0")
			r.saw("listen", err)
		}
	}},
	{name: "TCP_MAXSEG is announced", rows: []int{65, 80}, run: func(r *run) {
		l := r.listener(optionValue{tcpMaxSeg, 700})
		c := r.connect(l, optionValue{tcpMaxSeg, 900})
		p := r.accept(l)
		r.must2(c.Write([]byte("x"))) // so that both know
		r.read(p, 1)
		r.saw("segments sent", r.info(c).SndMSS, r.info(p).SndMSS)
	}},
	{name: "TCP_USER_TIMEOUT", rows: []int{66}, run: func(r *run) {
		c, p := r.pair(optionValue{tcpUserTimeout, 5000})
		r.values(c, tcpUserTimeout)
		r.setting(c, tcpUserTimeout, -1, 0, 1, 1<<31-1)
		_, err := r.dial(context.Background(), config{Options: []optionValue{{tcpUserTimeout, -1}}}, "tcp", p.LocalAddr().String())
		r.saw("dial", err)
	}},
	{
		name: "buffers", rows: []int{70},
		differs: "a buffer is what it is set to: Trivet counts bytes of payload, Linux doubles the value to count its own memory",
		want:    []string{"SO_SNDBUF: 20000", "SO_RCVBUF: 20000", "SO_SNDBUF: 4608", "SO_RCVBUF: 2304"},
		run: func(r *run) {
			c, _ := r.pair()
			for _, size := range []int{20000, 1} {
				r.must(c.SetWriteBuffer(size))
				r.must(c.SetReadBuffer(size))
				r.values(c, soSendBuffer, soRecvBuffer)
			}
		},
	},
	{name: "small buffers", rows: []int{70}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.SetWriteBuffer(1))
		r.must(p.SetReadBuffer(1))
		n := r.fill(c)
		r.saw("little fits", n < 1<<20)
		r.must(c.CloseWrite())
		k, err := io.Copy(io.Discard, p)
		r.saw("all of it", k == int64(n), err)
	}},
	{name: "a smaller receive buffer", rows: []int{72}, run: func(r *run) {
		c, p := r.pair()
		r.must2(c.Write(make([]byte, 10000)))
		r.arrived(p, 10000)
		r.must(p.SetReadBuffer(1))
		go func() {
			c.Write(make([]byte, 30000)) // the window that was offered stays
			c.CloseWrite()
		}()
		r.readAll(p)
	}},
	{name: "TCP_INFO", rows: []int{77}, run: func(r *run) {
		c, p := r.pair()
		r.must2(c.Write(make([]byte, 1000)))
		r.arrived(p, 1000)
		r.until("it is acknowledged", func() bool { return r.info(c).Unacked == 0 })
		for _, c := range []tcpConn{c, p} {
			i := r.info(c)
			r.saw("info", i.State, i.Options, i.Unread, i.Unacked, i.BytesSent, i.BytesReceived, i.BytesRetrans, i.Retransmits, i.DataOut, i.DataIn)
		}
		r.must(c.CloseWrite())
		r.state(c, "FIN-WAIT-2")
		r.saw("state", r.info(p).State)
		r.must(p.Close())
		r.state(c, "CLOSED")
	}},
	{name: "the queues", rows: []int{77, 81}, run: func(r *run) {
		c, p := r.pair()
		n := r.fillUp(c, p)
		i, j := r.info(c), r.info(p)
		r.saw("what the peer has is not queued", i.Unacked > 0, j.Unread > 0, i.Unacked+j.Unread == n)
		r.must(c.CloseWrite())
		k, err := io.Copy(io.Discard, p)
		r.saw("all of it", k == int64(n), err)
		r.until("nothing is queued", func() bool { return r.info(c).Unacked == 0 && r.info(p).Unread == 0 })
	}},
	{name: "IP_TOS and IP_TTL", rows: []int{78, 80}, run: func(r *run) {
		l := r.listener(optionValue{ipTTL, 7})
		c := r.connect(l, optionValue{ipTOS, 0x20})
		p := r.accept(l)
		r.values(c, ipTOS, ipTTL)
		r.values(p, ipTTL)
		r.setting(c, ipTOS, 0, 0x10, 0xe0)
		r.setting(c, ipTTL, 1, 64, 255)
		r.write(c, "x")
		r.read(p, 10)
	}},
	{name: "a listener's options go to who is accepted", rows: []int{80}, run: func(r *run) {
		l := r.listener(optionValue{tcpUserTimeout, 7000}, optionValue{tcpCork, 1})
		r.connect(l)
		r.values(r.accept(l), tcpUserTimeout, tcpCork, tcpNoDelay, soKeepAlive)
	}},
}

// readAtLowat is a Read of which the case waits until it waits.
func readAtLowat(r *run, c net.Conn, result chan<- string) {
	buf := make([]byte, 20)
	n, err := c.Read(buf)
	result <- fmt.Sprintf("%q %v", buf[:n], r.describe(err))
}

// ackedAtOnce reports whether a segment from c is acknowledged before the
// delay of an acknowledgement is over, 40 ms.
func (r *run) ackedAtOnce(c, peer net.Conn) bool {
	r.Helper()
	start := time.Now()
	r.must2(c.Write([]byte("x")))
	r.until("it is acknowledged", func() bool { return r.info(c).Unacked == 0 })
	took := time.Since(start)
	r.must2(peer.Read(make([]byte, 1)))
	return took < 35*time.Millisecond
}

// values notes what options are.
func (r *run) values(c net.Conn, options ...option) {
	r.Helper()
	for _, o := range options {
		v, err := r.get(c, o)
		r.must(err)
		r.saw(o.name, v)
	}
}

// setting notes which values an option takes.
func (r *run) setting(c net.Conn, o option, values ...int) {
	r.Helper()
	for _, v := range values {
		r.sawErrno(fmt.Sprintf("set %s to %d", o.name, v), r.set(c, o, v))
	}
}

// corked notes what f says, unless it took so long that the cork may have been
// drawn meanwhile: then f is called again.
func (r *run) corked(f func() (string, bool)) {
	r.Helper()
	for range 100 {
		start := time.Now()
		if text, held := f(); time.Since(start) < 150*time.Millisecond {
			r.saw("corked", text, held)
			return
		}
	}
	r.Fatal("too slow a hundred times")
}

// must2 is must for calls that return a count.
func (r *run) must2(n int, err error) int {
	r.Helper()
	r.must(err)
	return n
}
