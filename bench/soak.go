package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/tcp"
)

// The soak: a small host, many connections that always have something queued,
// and a SYN flood.
const (
	soakMemory = 16 << 20 // of all buffers
	soakHeap   = 44 << 20 // what the Go runtime is told to stay within (GOMEMLIMIT)
	soakConns  = 10_000
	soakFlood  = 64       // SYNs in each millisecond
	soakSend   = 16 << 10 // SO_SNDBUF of the kernel's sockets
	soakPeriod = 251      // of the stream: a prime, so that no size hides a shift
)

func soakWorkloads() []workload {
	return []workload{{
		name: "soak", about: "10,000 connections from the kernel that all have data queued, 16 MiB for all buffers, 64,000 SYNs/s beside; -t 10m for the long form",
		variants: []string{"trivet"}, rounds: 1, needRoot: true,
		metrics: []metric{
			{name: "peak", unit: "MiB resident at most", goal: goal{value: 64}},
			{name: "stalled", unit: "connections that got nothing", goal: goal{value: 0.5}},
			{name: "wrong", unit: "wrong bytes", goal: goal{value: 0.5}},
			{name: "gap", unit: "s without a byte at most"},
			{name: "least", unit: "kB of the slowest", more: true},
			{name: "median", unit: "kB of the median", more: true},
			{name: "buffers", unit: "MiB in buffers at most"},
			{name: "syns", unit: "SYNs/s"},
		},
		run: soak,
	}}
}

func soak(s settings) (result, error) {
	debug.SetMemoryLimit(soakHeap)
	d, err := openDevice(true)
	if err != nil {
		return nil, err
	}
	stack, err := trivet.New(trivet.Config{TCP: tcp.Config{MaxMemory: soakMemory}})
	if err != nil {
		return nil, err
	}
	// A queue for all that the kernel sends at once, so that it is the stack that
	// has to say no.
	if err := ip("link", "set", d.Name(), "txqueuelen", "100000"); err != nil {
		return nil, err
	}
	if err := stack.AddLink(d, netip.MustParsePrefix(serverIP+"/24")); err != nil {
		return nil, err
	}
	l, err := stack.Listen("tcp", ":7")
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	syns := make(chan int, 1)
	go func() { syns <- soakSYNs(stack, stop) }()
	peak := make(chan footprintPeak, 1)
	go func() { peak <- watchMemory(stack, stop) }()
	peer := exec.Command(s.Executor, childArg, "pour", s.Time.String())
	peer.Stderr, peer.SysProcAttr = os.Stderr, diesWithParent()
	if err := peer.Start(); err != nil {
		return nil, err
	}
	start := time.Now()
	r, err := sipFromAll(l, s.Time)
	took := time.Since(start)
	close(stop)
	if err != nil {
		return nil, err
	}
	p := <-peak
	r["peak"], r["buffers"] = p.resident/(1<<20), p.buffers/(1<<20)
	r["syns"] = float64(<-syns) / took.Seconds()
	return r, nil
}

// sipper is a connection from the kernel, of which a slow program reads.
type sipper struct {
	conn *trivet.Conn
	got  uint64
	last time.Time     // when bytes came
	gap  time.Duration // the longest time without
}

// sipFromAll accepts all connections, reads a little from each in turn for so
// long, and tells what came.
func sipFromAll(l net.Listener, d time.Duration) (result, error) {
	all := make([]sipper, soakConns)
	for i := range all {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		all[i].conn = c.(*trivet.Conn)
	}
	start := time.Now()
	for i := range all {
		all[i].last = start
	}
	r := result{"wrong": 0, "stalled": 0, "gap": 0}
	buf := make([]byte, 4<<10)
	for time.Since(start) < d {
		for i := range all {
			wrong, err := all[i].sip(buf)
			if err != nil {
				return nil, fmt.Errorf("connection %d after %d bytes: %w", i, all[i].got, err)
			}
			r["wrong"] += wrong
		}
	}
	var kB []float64
	for i := range all {
		kB = append(kB, float64(all[i].got)/1e3)
		if all[i].got == 0 {
			r["stalled"]++
		}
		r["gap"] = max(r["gap"], all[i].gap.Seconds(), time.Since(all[i].last).Seconds())
	}
	s := summarize(kB)
	r["least"], r["median"] = s.Min, s.Median
	return r, nil
}

// sip takes what is there and returns how many bytes of it are wrong.
func (s *sipper) sip(buf []byte) (wrong float64, err error) {
	if s.conn.Info().Unread == 0 {
		return 0, nil
	}
	n, err := s.conn.Read(buf)
	if err != nil {
		return 0, err
	}
	for i, b := range buf[:n] {
		if b != byte((s.got+uint64(i))%soakPeriod) {
			wrong++
		}
	}
	now := time.Now()
	s.gap = max(s.gap, now.Sub(s.last))
	s.got, s.last = s.got+uint64(n), now
	return wrong, nil
}

// soakSYNs lets SYNs come in at an even pace until stop is closed.
func soakSYNs(s *trivet.Stack, stop chan struct{}) (sent int) {
	n := &trivetNet{server: s}
	next := spoofedSYNs()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-stop:
			return sent
		case <-tick.C:
			if err := n.Flood(50*soakFlood, next); err != nil {
				return sent
			}
			sent += 50 * soakFlood
		}
	}
}

// footprintPeak is the most that was seen, in bytes.
type footprintPeak struct{ resident, buffers float64 }

func watchMemory(s *trivet.Stack, stop chan struct{}) (p footprintPeak) {
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-stop:
			return p
		case <-tick.C:
			p.resident = max(p.resident, resident())
			p.buffers = max(p.buffers, float64(s.Stats().TCP.Memory))
		}
	}
}

// kernelPour opens the connections and writes to each in turn as much as it
// takes, for so long and as long again, in case that the reader began late.
func kernelPour(d string) error {
	t, err := time.ParseDuration(d)
	if err != nil {
		return err
	}
	limit := unix.Rlimit{Cur: soakConns + 100, Max: soakConns + 100}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	dialer := net.Dialer{Timeout: dialTimeout, Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, soakSend)
		}); e != nil {
			return e
		}
		return os.NewSyscallError("setsockopt", err)
	}}
	stream := soakStream()
	all := make([]pourer, soakConns)
	for i := range all {
		c, err := dialer.Dial("tcp", serverIP+":7")
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if all[i].raw, err = c.(*net.TCPConn).SyscallConn(); err != nil {
			return err
		}
		all[i].conn = c
	}
	for start := time.Now(); time.Since(start) < 2*t; {
		for i := range all {
			if err := all[i].pour(stream); err != nil {
				return fmt.Errorf("connection %d after %d bytes: %w", i, all[i].sent, err)
			}
		}
	}
	return nil
}

// pourer is a connection of the kernel's that has always more to send.
type pourer struct {
	conn net.Conn
	raw  syscall.RawConn
	sent int
}

// pour writes what the socket takes without waiting.
func (p *pourer) pour(stream []byte) error {
	var err error
	if e := p.raw.Write(func(fd uintptr) bool {
		var n int
		n, err = unix.Write(int(fd), stream[p.sent%soakPeriod:])
		p.sent += max(n, 0)
		return true
	}); e != nil {
		return e
	}
	if err != nil && err != unix.EAGAIN {
		return os.NewSyscallError("write", err)
	}
	return nil
}

// soakStream is a whole number of periods of what every connection carries.
func soakStream() []byte {
	b := make([]byte, 16*soakPeriod)
	for i := range b {
		b[i] = byte(i % soakPeriod)
	}
	return b
}
