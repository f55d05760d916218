package trivet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/tcp"
)

// The tests in this file run in virtual time: hours cost nothing, and
// durations are exact.

// newCable is newPair with a function that unplugs the link: from then on
// neither host hears the other.
func newCable(t *testing.T, cfg trivet.Config) (client, server *trivet.Stack, unplug func()) {
	t.Helper()
	a, b := link.Pair(1500, link.PairOptions{})
	client = newHost(t, cfg, a, clientPrefixes)
	server = newHost(t, cfg, b, serverPrefixes)
	t.Cleanup(func() { closeHost(t, server) })
	t.Cleanup(func() { closeHost(t, client) })
	return client, server, func() {
		t.Helper()
		if err := server.RemoveLink(b); err != nil {
			t.Fatal(err)
		}
	}
}

// within checks that the time since start is want, give or take the time that
// a delayed acknowledgement takes.
func within(t *testing.T, what string, start time.Time, want time.Duration) {
	t.Helper()
	const slack = 100 * time.Millisecond
	if got := time.Since(start); got < want-slack || got > want+slack {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
}

// readErr returns what a Read ends with.
func readErr(c net.Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

// SOCK-57, SOCK-59: the first keep-alive probe goes out after the idle time,
// the others an interval apart, and an interval after the last one the
// connection is dead: idle + interval x count. By default, 15 s + 9 x 15 s
// (SOCK-60).
func TestKeepAliveDead(t *testing.T) {
	tests := []struct {
		name      string
		keepAlive time.Duration
		cfg       net.KeepAliveConfig
		want      time.Duration
	}{
		{name: "default", want: 150 * time.Second},
		{name: "idle time", keepAlive: time.Minute, want: time.Minute + 9*15*time.Second},
		{
			name: "config",
			cfg:  net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
			want: 25 * time.Second,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server, unplug := newCable(t, trivet.Config{})
				l := listen(t, server, "tcp", ":7")
				d := trivet.Dialer{Stack: client, KeepAlive: test.keepAlive, KeepAliveConfig: test.cfg}
				c, err := d.Dial("tcp", serverIP4+":7")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				start := time.Now()
				unplug()
				if err := readErr(c); !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("Read: %v, want %v", err, syscall.ETIMEDOUT)
				}
				within(t, "death", start, test.want)
				if err := readErr(c); err != io.EOF {
					t.Errorf("second Read: %v, want %v", err, io.EOF)
				}
				l.Close()
			})
		})
	}
}

// Keep-alive probes that are answered keep an idle connection alive, and a
// negative KeepAlive sends none.
func TestKeepAliveAnswered(t *testing.T) {
	for _, keepAlive := range []time.Duration{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			client, server, _ := newCable(t, trivet.Config{})
			lc := trivet.ListenConfig{Stack: server, KeepAlive: -1}
			l, err := lc.Listen(context.Background(), "tcp", ":7")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d := trivet.Dialer{Stack: client, KeepAlive: keepAlive}
			c, err := d.Dial("tcp", serverIP4+":7")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			before := c.(*trivet.Conn).Info().SegsOut
			time.Sleep(time.Hour)
			info := c.(*trivet.Conn).Info()
			if info.State != tcp.StateEstablished {
				t.Errorf("KeepAlive %v: state after an hour is %v", keepAlive, info.State)
			}
			if sent := info.SegsOut > before; sent != (keepAlive == 0) {
				t.Errorf("KeepAlive %v: probes sent: %v", keepAlive, sent)
			}
		})
	}
}

// SOCK-66: data that stays unacknowledged for the user timeout ends the
// connection with ETIMEDOUT, once; then EOF and EPIPE (SOCK-18).
func TestUserTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, unplug := newCable(t, trivet.Config{})
		listen(t, server, "tcp", ":7")
		d := trivet.Dialer{Stack: client, Options: tcp.Options{UserTimeout: 7 * time.Second}}
		c, err := d.Dial("tcp", serverIP4+":7")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		unplug()
		start := time.Now()
		if _, err := c.Write([]byte("unheard")); err != nil {
			t.Fatal(err)
		}
		if err := readErr(c); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Read: %v, want %v", err, syscall.ETIMEDOUT)
		}
		within(t, "user timeout", start, 7*time.Second)
		if err := readErr(c); err != io.EOF {
			t.Errorf("second Read: %v, want %v", err, io.EOF)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write: %v, want %v", err, syscall.EPIPE)
		}
	})
}

// RFC 9293, Section 3.8.3: retransmission goes on for at least 100 s (R2)
// before the connection is given up. A Write that waits for room is told.
func TestRetriesExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, unplug := newCable(t, trivet.Config{})
		c, _ := connect(t, client, server)
		unplug()
		start := time.Now()
		n, err := c.Write(make([]byte, 8<<20))
		if !errors.Is(err, syscall.ETIMEDOUT) || n == 0 || n == 8<<20 {
			t.Errorf("Write: %d, %v; want some bytes and %v", n, err, syscall.ETIMEDOUT)
		}
		if took := time.Since(start); took < 100*time.Second || took > time.Hour {
			t.Errorf("gave up after %v, want 100 s to 1 h", took)
		}
	})
}

// SOCK-14: a dial that nobody answers fails with ETIMEDOUT after the SYN's
// retransmissions, 127 s in all.
func TestDialUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _, unplug := newCable(t, trivet.Config{})
		unplug()
		start := time.Now()
		_, err := client.Dial("tcp", serverIP4+":7")
		var op *net.OpError
		if !errors.Is(err, syscall.ETIMEDOUT) || !errors.As(err, &op) || !op.Timeout() {
			t.Errorf("Dial: %v, want %v with Timeout", err, syscall.ETIMEDOUT)
		}
		within(t, "dial", start, 127*time.Second)
	})
}

// SOCK-15: Dialer.Timeout, Dialer.Deadline and the context end a dial at
// once, and leave no connection.
func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _, unplug := newCable(t, trivet.Config{})
		unplug()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for _, d := range []trivet.Dialer{
			{Stack: client, Timeout: 3 * time.Second},
			{Stack: client, Deadline: time.Now().Add(6 * time.Second), Timeout: time.Minute},
		} {
			start := time.Now()
			_, err := d.DialContext(ctx, "tcp", serverIP4+":7")
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Dial: %v, want %v", err, context.DeadlineExceeded)
			}
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("Dial took %v, want 3 s", took)
			}
		}
		if n := client.Stats().Conns; n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

// A dial to a name shares its time between the addresses.
func TestDialSharesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.Pair(1500, link.PairOptions{})
		defer b.Close()
		resolve := func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.1.0.7"), netip.MustParseAddr("127.0.0.1")}, nil
		}
		s := newHost(t, trivet.Config{Resolve: resolve}, a, clientPrefixes)
		defer closeHost(t, s)
		l := listen(t, s, "tcp", ":7")
		start := time.Now()
		c, err := s.DialTimeout("tcp", "two.example:7", 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.RemoteAddr().String(); got != "127.0.0.1:7" {
			t.Errorf("connected to %s, want 127.0.0.1:7", got)
		}
		within(t, "the first address", start, 5*time.Second)
		l.Close()
	})
}

// The end that closes first stays in TIME-WAIT for 2 MSL, 60 s unless
// configured, as a record, and then is gone.
func TestTimeWaitExpires(t *testing.T) {
	for _, timeWait := range []time.Duration{0, time.Second, 240 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			client, server, _ := newCable(t, trivet.Config{TimeWait: timeWait})
			c, s := connect(t, client, server)
			c.Close()
			if err := readErr(s); err != io.EOF {
				t.Errorf("peer reads %v, want %v", err, io.EOF)
			}
			s.Close()
			synctest.Wait()
			want := timeWait
			if want == 0 {
				want = 60 * time.Second
			}
			st := client.Stats()
			if st.TimeWaits != 1 || st.Conns != 0 {
				t.Errorf("%d records and %d connections after the close, want 1 and 0", st.TimeWaits, st.Conns)
			}
			time.Sleep(want - time.Second/2)
			if n := client.Stats().TimeWaits; n != 1 {
				t.Errorf("%d records before %v, want 1", n, want)
			}
			time.Sleep(time.Second)
			if n := client.Stats().TimeWaits; n != 0 {
				t.Errorf("%d records after %v, want none", n, want)
			}
			if n := server.Stats().TimeWaits; n != 0 {
				t.Errorf("%d records at the end that closed second, want none", n)
			}
		})
	}
}

// SOCK-47: a connection that its user closed and whose peer does not leaves
// FIN-WAIT-2 after 60 s.
func TestFinWait2Orphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		c, _ := connect(t, client, server)
		c.Close()
		synctest.Wait()
		if got := c.Info().State; got != tcp.StateFinWait2 {
			t.Errorf("state after Close is %v, want FIN-WAIT-2", got)
		}
		time.Sleep(61 * time.Second)
		if n := client.Stats().Conns; n != 0 {
			t.Errorf("%d connections after 61 s, want none", n)
		}
	})
}

// SOCK-35, SOCK-36: Close lingers until everything is acknowledged, but not
// longer than it was told; without linger it returns at once.
func TestLinger(t *testing.T) {
	tests := []struct {
		name   string
		linger int
		unplug bool
		want   time.Duration
	}{
		{name: "off", linger: -1, unplug: true},
		{name: "peer answers", linger: 30},
		{name: "peer is gone", linger: 3, unplug: true, want: 3 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server, unplug := newCable(t, trivet.Config{})
				c, _ := connect(t, client, server)
				if err := c.SetLinger(test.linger); err != nil {
					t.Fatal(err)
				}
				if test.unplug {
					unplug()
				}
				if _, err := c.Write([]byte("data")); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if err := c.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				within(t, "Close", start, test.want)
				if !test.unplug && test.linger > 0 {
					if n := c.Info().Unacked; n != 0 {
						t.Errorf("%d bytes unacknowledged after a lingering Close", n)
					}
				}
			})
		})
	}
}

// SOCK-105: deadlines are exact, apply to calls that wait already, and can be
// moved and cleared.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{})
		c, s := connect(t, client, server)
		start := time.Now()
		result := make(chan time.Duration)
		go func() {
			if err := readErr(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %v, want %v", err, os.ErrDeadlineExceeded)
			}
			result <- time.Since(start)
		}()
		synctest.Wait()
		c.SetReadDeadline(start.Add(time.Second))
		c.SetReadDeadline(start.Add(time.Minute)) // later: the first must not fire
		time.Sleep(2 * time.Second)
		c.SetReadDeadline(start.Add(5 * time.Second)) // earlier
		if took := <-result; took != 5*time.Second {
			t.Errorf("Read ended after %v, want 5 s", took)
		}
		c.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			s.Write([]byte("x"))
		}()
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read without a deadline: %d, %v", n, err)
		}
	})
}

// SOCK-98: connections are accepted in the order in which they were
// established, though they wait in several shards.
func TestAcceptInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{Shards: 8})
		l := listen(t, server, "tcp", ":7")
		var want []string
		accept := func() {
			t.Helper()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.RemoteAddr().String(); got != want[0] {
				t.Errorf("accepted %s, want %s", got, want[0])
			}
			want = want[1:]
		}
		for i := range 200 {
			c, err := client.Dial("tcp", serverIP4+":7")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want = append(want, c.LocalAddr().String())
			synctest.Wait() // until the server has the third segment too
			if i%3 == 0 {
				accept()
			}
		}
		for len(want) > 0 {
			accept()
		}
	})
}

// A listener whose queue is full drops the SYN; the client tries again and
// gets in once there is room (SOCK-94, SOCK-97).
func TestBacklogFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := newCable(t, trivet.Config{Shards: 4})
		lc := trivet.ListenConfig{Stack: server, Backlog: 2}
		l, err := lc.Listen(context.Background(), "tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range 3 {
			c, err := client.Dial("tcp", serverIP4+":7")
			if err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			defer c.Close()
			synctest.Wait() // until the server has the third segment too
		}
		start := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			c, err := l.Accept()
			if err == nil {
				c.Close()
			}
		}()
		c, err := client.Dial("tcp", serverIP4+":7")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if took := time.Since(start); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("connected after %v, want soon after 10 s", took)
		}
	})
}
