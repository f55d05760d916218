package trivet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// SOCK-104: the bytes of one Write never mix with those of another, however
// many goroutines write, and however small the buffers are.
func TestWritesDoNotMix(t *testing.T) {
	const writers, records, size = 8, 5, 300_000
	client, server := newPair(t, pairConfig{})
	c, s := connect(t, client, server)
	c.SetWriteBuffer(10_000)
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			record := bytes.Repeat([]byte{byte(w)}, size)
			for range records {
				if n, err := c.Write(record); n != size || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			}
		})
	}
	go func() {
		running.Wait()
		c.CloseWrite()
	}()
	got := map[byte]int{}
	buf := make([]byte, size)
	for {
		_, err := io.ReadFull(s, buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(buf, buf[:1]); n != size {
			t.Fatalf("a record of writer %d has %d bytes of its own, want %d", buf[0], n, size)
		}
		got[buf[0]]++
	}
	for w := range byte(writers) {
		if got[w] != records {
			t.Errorf("%d records of writer %d, want %d", got[w], w, records)
		}
	}
}

// Several readers share what comes: all of it, each byte once.
func TestManyReaders(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, s := connect(t, client, server)
	const total = 4 << 20
	var running sync.WaitGroup
	var mu sync.Mutex
	sum := 0
	for range 8 {
		running.Go(func() {
			n, err := io.Copy(io.Discard, onlyReader{s})
			if err != nil {
				t.Errorf("Read: %v", err)
			}
			mu.Lock()
			sum += int(n)
			mu.Unlock()
		})
	}
	for sent := 0; sent < total; sent += 1 << 10 {
		if _, err := c.Write(make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseWrite()
	running.Wait()
	if sum != total {
		t.Errorf("%d bytes read, want %d", sum, total)
	}
}

// onlyReader and onlyWriter hide WriteTo and ReadFrom from io.Copy.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// Packets of one connection do not overtake each other, although several
// goroutines send them: the receiver sees none out of order, and nothing is
// sent twice.
func TestNoReordering(t *testing.T) {
	for _, offloads := range []link.Offloads{0, link.TSO | link.RxMerged} {
		client, server := newPair(t, pairConfig{
			link: link.PairOptions{Offloads: offloads, QueuePackets: 1 << 20, QueueBytes: 1 << 30},
			host: trivet.Config{Shards: 2},
		})
		var running sync.WaitGroup
		for range 6 {
			c, s := connect(t, client, server)
			for _, conns := range [][2]*trivet.Conn{{c, s}, {s, c}} {
				running.Go(func() { transfer(t, conns[0], conns[1], 1<<20) })
			}
		}
		running.Wait()
		for _, stack := range []*trivet.Stack{client, server} {
			st := stack.Stats()
			if n := st.TCP.Rules[tcp.RuleOutOfOrder]; n != 0 {
				t.Errorf("offloads %b: %d segments out of order", offloads, n)
			}
		}
	}
}

// transfer sends n random bytes and checks that they arrive.
func transfer(t *testing.T, from, to *trivet.Conn, n int) {
	t.Helper()
	data := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	go func() {
		for p := data; len(p) > 0; {
			k := min(len(p), 1+rng.IntN(200_000))
			if _, err := from.Write(p[:k]); err != nil {
				t.Errorf("Write: %v", err)
				return
			}
			p = p[k:]
		}
		from.CloseWrite()
	}()
	h := sha256.New()
	got, err := io.Copy(h, to)
	if err != nil || got != int64(n) || !bytes.Equal(h.Sum(nil), sum(data)) {
		t.Errorf("received %d bytes, %v; want %d and the same hash", got, err, n)
	}
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// Every method may be called while others are, and while the stack closes.
// The race detector looks on.
func TestConcurrentUse(t *testing.T) {
	client, server := newPair(t, pairConfig{host: trivet.Config{Shards: 3}})
	l := listen(t, server, "tcp", ":7")
	wait := echo(l)
	var running sync.WaitGroup
	for i := range 20 {
		c, err := client.Dial("tcp", serverIP4+":7")
		if err != nil {
			t.Fatal(err)
		}
		tc := c.(*trivet.Conn)
		running.Go(func() { io.Copy(io.Discard, tc) })
		running.Go(func() {
			for {
				if _, err := tc.Write(make([]byte, 5000)); err != nil {
					return
				}
			}
		})
		running.Go(func() { poke(tc, i) })
	}
	running.Go(func() {
		for range 50 {
			client.Connections()
			client.Stats()
			server.Connections()
		}
	})
	closeHost(t, client)
	running.Wait()
	l.Close()
	closeHost(t, server)
	wait()
}

// poke calls what a user may call at any time.
func poke(c *trivet.Conn, i int) {
	for n := range 50 {
		c.SetDeadline(time.Now().Add(time.Duration(n) * time.Second))
		c.SetReadDeadline(time.Time{})
		c.SetNoDelay(n%2 == 0)
		c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
		c.SetReadBuffer(10_000 * (n + 1))
		c.SetWriteBuffer(10_000 * (n + 1))
		c.Info()
		c.Options()
		c.LocalAddr()
		c.RemoteAddr()
	}
	switch i % 3 {
	case 0:
		c.Close()
	case 1:
		c.CloseWrite()
	}
}

// Each option arrives where it should, and those of a listener at the
// connections it accepts (SOCK-60, SOCK-61, SOCK-80).
func TestOptions(t *testing.T) {
	client, server := newPair(t, pairConfig{host: trivet.Config{SendBuffer: 100_000, RecvBuffer: 200_000}})
	lc := trivet.ListenConfig{
		Stack:           server,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 2 * time.Second, Count: 3},
		Options:         tcp.Options{UserTimeout: time.Hour, SendBuffer: 50_000, TTL: 7},
	}
	l, err := lc.Listen(context.Background(), "tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := trivet.Dialer{Stack: client}
	nc, err := d.Dial("tcp", serverIP4+":7")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ns, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	c, s := nc.(*trivet.Conn), ns.(*trivet.Conn)

	check := func(name string, got, want tcp.Options) {
		t.Helper()
		if got != want.WithDefaults() {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, want.WithDefaults())
		}
	}
	want := tcp.Options{
		NoDelay: true, KeepAlive: true, KeepIdle: 15 * time.Second, KeepInterval: 15 * time.Second,
		KeepCount: 9, SendBuffer: 100_000, RecvBuffer: 200_000,
	}
	check("dialled", c.Options(), want)
	check("accepted", s.Options(), tcp.Options{
		NoDelay: true, KeepAlive: true, KeepIdle: time.Minute, KeepInterval: 2 * time.Second,
		KeepCount: 3, SendBuffer: 50_000, RecvBuffer: 200_000, UserTimeout: time.Hour, TTL: 7,
	})

	c.SetNoDelay(false)
	c.SetKeepAlive(false)
	c.SetKeepAlivePeriod(time.Hour)
	c.SetReadBuffer(300_000)
	c.SetWriteBuffer(1)
	want.NoDelay, want.KeepAlive, want.KeepIdle = false, false, time.Hour
	want.RecvBuffer, want.SendBuffer = 300_000, 4608
	check("set", c.Options(), want)

	o := c.Options()
	o.Cork, o.TOS = true, 8
	if err := c.SetOptions(o); err != nil {
		t.Errorf("SetOptions: %v", err)
	}
	want.Cork, want.TOS = true, 8
	check("SetOptions", c.Options(), want)
}

// A fixed local port is used, and is free for another destination, but not for
// the same one (SOCK-22, SOCK-89), whatever shard it falls into.
func TestLocalPort(t *testing.T) {
	client, server := newPair(t, pairConfig{host: trivet.Config{Shards: 8}})
	listen(t, server, "tcp", ":7")
	listen(t, server, "tcp", ":8")
	for port := 5000; port < 5016; port++ {
		local := &net.TCPAddr{IP: net.IPv4(10, 1, 0, 1), Port: port}
		for _, remote := range []int{7, 8} {
			c, err := client.DialTCP("tcp", local, &net.TCPAddr{IP: net.ParseIP(serverIP4), Port: remote})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.LocalAddr().String(); got != local.String() {
				t.Errorf("LocalAddr() = %s, want %s", got, local)
			}
		}
		_, err := client.DialTCP("tcp", local, &net.TCPAddr{IP: net.ParseIP(serverIP4), Port: 7})
		if !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("second Dial from port %d: %v, want %v", port, err, syscall.EADDRNOTAVAIL)
		}
	}
}

// ReusePort lets listeners share a port; each gets some of the connections.
func TestReusePort(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	lc := trivet.ListenConfig{Stack: server, ReusePort: true}
	var counts [2]int
	var running sync.WaitGroup
	defer running.Wait()
	for i := range counts {
		l, err := lc.Listen(context.Background(), "tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		running.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Write([]byte{byte(i)})
				c.Close()
			}
		})
	}
	if _, err := server.Listen("tcp", ":7"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen without ReusePort: %v, want %v", err, syscall.EADDRINUSE)
	}
	for range 64 {
		c, err := client.Dial("tcp", serverIP4+":7")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		if err != nil || len(b) != 1 {
			t.Fatalf("read %q, %v", b, err)
		}
		counts[b[0]]++
		c.Close()
	}
	if counts[0] == 0 || counts[1] == 0 {
		t.Errorf("connections by listener: %v, want some for each", counts)
	}
}

// newSlowPair is newPair with one shard each and a client whose link takes
// slow.delay to send a batch.
func newSlowPair(t *testing.T) (client, server *trivet.Stack, slow *slowLink) {
	t.Helper()
	a, b := link.Pair(1500, link.PairOptions{})
	slow = &slowLink{Memory: a}
	client = newHost(t, trivet.Config{Shards: 1}, slow, clientPrefixes)
	server = newHost(t, trivet.Config{Shards: 1, RecvBuffer: 10_000}, b, serverPrefixes)
	t.Cleanup(func() { closeHost(t, server) })
	t.Cleanup(func() { closeHost(t, client) })
	return client, server, slow
}

// slowLink is a link whose Write takes a while.
type slowLink struct {
	*link.Memory
	delay atomic.Int64 // nanoseconds
}

func (l *slowLink) Write(pkts []wire.Packet) (int, error) {
	n, err := l.Memory.Write(pkts)
	time.Sleep(time.Duration(l.delay.Load()))
	return n, err
}

// A slow link keeps nobody else from working: its Write is called without the
// lock.
func TestSlowLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, slow := newSlowPair(t)
		c, s := connect(t, client, server)
		slow.delay.Store(int64(time.Second))
		var running sync.WaitGroup
		defer running.Wait()
		running.Go(func() { c.Write([]byte("on its way")) })
		synctest.Wait() // in the link's Write now
		start := time.Now()
		c.Info()
		c.SetNoDelay(true)
		c.Write([]byte(", too"))
		client.Connections()
		if took := time.Since(start); took != 0 {
			t.Errorf("calls took %v while the link was busy, want no time", took)
		}
		got := make([]byte, 15)
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "on its way, too" {
			t.Errorf("read %q, %v", got, err)
		}
		slow.delay.Store(0)
	})
}

// A call does not go on sending for ever: after some batches the rest is sent
// by a goroutine of its own, which ends with it. Here a Write that fits the
// send buffer returns long before its bytes have arrived.
func TestLongOutputLeavesTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, slow := newSlowPair(t)
		c, s := connect(t, client, server)
		slow.delay.Store(int64(time.Second))
		start := time.Now()
		const n = 1 << 20
		received := make(chan error)
		go func() {
			_, err := io.ReadFull(s, make([]byte, n))
			received <- err
		}()
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		if err := <-received; err != nil {
			t.Fatal(err)
		}
		// Who sends first, the caller or the goroutine that answers the peer's
		// ACKs, is the scheduler's choice; what counts is that the caller goes.
		if all := time.Since(start); took > 20*time.Second || all < 60*time.Second {
			t.Errorf("Write took %v of %v, want at most 20 s of over 60 s", took, all)
		}
		slow.delay.Store(0)
	})
}
