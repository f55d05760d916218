package netsim_test

// Examples: what tests of programs that use a network look like. Each runs in a
// bubble of testing/synctest, so that its minutes take milliseconds.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/sim"
)

// counter is a server that counts requests by their key, and answers each with
// a line.
type counter struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *counter) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // the network is closed
		}
		go func() { // ends with the connection
			defer conn.Close()
			lines := bufio.NewScanner(conn)
			for lines.Scan() {
				c.mu.Lock()
				c.seen[lines.Text()]++
				c.mu.Unlock()
				if _, err := fmt.Fprintln(conn, "ok", lines.Text()); err != nil {
					return
				}
			}
		}()
	}
}

// retrying is the program under test: a client that gives each attempt a
// deadline and tries again with a longer pause, over a new connection.
type retrying struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	attempts int
}

func (r *retrying) do(key string) error {
	var err error
	for pause := 100 * time.Millisecond; pause < 10*time.Second; pause *= 2 {
		if err = r.try(key); err == nil {
			return nil
		}
		time.Sleep(pause)
	}
	return err
}

func (r *retrying) try(key string) error {
	r.attempts++
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	c, err := r.dial(ctx, "tcp", "server:80")
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, key); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && answer != "ok "+key+"\n" {
		err = fmt.Errorf("answer %q", answer)
	}
	return err
}

// Retry logic under 5 % loss: with deadlines shorter than TCP takes to repair a
// loss, every request gets its answer after a few attempts; and some are done
// twice, because it was the answer that was lost, so they must be idempotent.
func TestExampleRetryUnderLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 1, TB: t})
		client, server := n.Host("client"), n.Host("server")
		n.Link(client, server, netsim.Delay(20*time.Millisecond), netsim.Loss(0.05))
		l, err := server.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		c := &counter{seen: map[string]int{}}
		go c.serve(l)
		// What is lost by chance depends on the order in which goroutines run. The
		// first answer is lost for certain, and comes again after the deadline.
		answer := n.Drop(sim.From("server"), sim.Data, sim.Nth(1))

		r := &retrying{dial: client.DialContext}
		const requests = 300
		for i := range requests {
			if err := r.do(fmt.Sprint("request ", i)); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		twice := 0
		for _, times := range c.seen {
			if times > 1 {
				twice++
			}
		}
		if answer.Count() != 1 || len(c.seen) != requests || r.attempts == requests || twice == 0 {
			t.Errorf("%d of %d requests were seen in %d attempts, %d more than once", len(c.seen), requests, r.attempts, twice)
		}
	})
}

// A partition that heals: heartbeats stop, the follower notices after three of
// them are missing, and is in touch again within a second of the mending; data
// written into the partition arrives.
func TestExamplePartitionHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 2, TB: t})
		leader, follower := n.Host("leader"), n.Host("follower")
		cable := n.Link(leader, follower, netsim.Delay(5*time.Millisecond))
		l, err := leader.Listen("tcp", ":7000")
		if err != nil {
			t.Fatal(err)
		}
		go func() { // the leader's heartbeats, to whoever connects
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					for beat := 1; ; beat++ {
						if _, err := fmt.Fprintln(c, beat); err != nil {
							return
						}
						select {
						case <-time.After(time.Second):
						case <-t.Context().Done():
							return
						}
					}
				}()
			}
		}()

		c, err := follower.Dial("tcp", "leader:7000")
		if err != nil {
			t.Fatal(err)
		}
		beats := bufio.NewReader(c)
		next := func(patience time.Duration) (string, error) {
			if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			return beats.ReadString('\n')
		}
		for range 10 {
			if _, err := next(3 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		cable.Unplug()
		if _, err := next(3 * time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("in the partition: %v, want a time-out", err)
		}
		time.Sleep(20 * time.Second)
		cable.Plug()
		// TCP waits longer and longer between its attempts: the first after
		// the mending may be as far away as the partition was long.
		for want := 11; want < 30; want++ {
			if got, err := next(30 * time.Second); got != fmt.Sprintln(want) {
				t.Fatalf("after the mending: heartbeat %q, %v, want %d", got, err, want)
			}
		}
		_ = c.Close()
	})
}

// A leader that crashes leaves half-open connections: its followers, who only
// read, learn nothing, not even when it is back, until they say something or
// keep-alive does. Who has a deadline finds out in time and turns to the next
// leader.
func TestExampleLeaderCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 3, TB: t})
		rack := n.Switch("rack")
		for _, name := range []string{"one", "two", "follower"} {
			n.Link(n.Host(name), rack, netsim.Delay(time.Millisecond))
		}
		lead := func(s *trivet.Stack) {
			l, err := s.Listen("tcp", ":7000")
			if err != nil {
				t.Error(err)
				return
			}
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = fmt.Fprintln(c, s, "leads")
			}
		}
		go lead(n.Host("one"))
		go lead(n.Host("two"))
		hello := func(c net.Conn) string {
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				t.Error(err)
			}
			return strings.TrimSpace(line)
		}
		follower := n.Host("follower")
		silent := trivet.Dialer{Stack: follower, KeepAlive: -1}
		trusting, err := silent.Dial("tcp", "one:7000")
		if err != nil {
			t.Fatal(err)
		}
		careful, err := silent.Dial("tcp", "one:7000")
		if err != nil {
			t.Fatal(err)
		}
		if a, b := hello(trusting), hello(careful); a != "one leads" || b != "one leads" {
			t.Errorf("followers hear %q and %q", a, b)
		}

		n.Crash(n.Host("one"))
		if err := careful.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := careful.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the careful follower: %v, want a time-out", err)
		}
		second, err := follower.Dial("tcp", "two:7000")
		if err != nil {
			t.Fatal(err)
		}
		if got := hello(second); got != "two leads" {
			t.Errorf("after the crash the careful follower hears %q", got)
		}

		go lead(n.Boot("one"))
		time.Sleep(24 * time.Hour)
		if got := trusting.(*trivet.Conn).Info().State.String(); got != "ESTABLISHED" {
			t.Errorf("a day later the trusting follower is in %s", got)
		}
		_, _ = fmt.Fprintln(trusting, "are you there?")
		if _, err := trusting.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("once it asks: %v, want %v", err, syscall.ECONNRESET)
		}
	})
}

// proxy joins each connection it accepts to one of its own to the origin.
func proxy(l net.Listener, dial func(network, address string) (net.Conn, error), join func(a, b *trivet.Conn)) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		origin, err := dial("tcp", "origin:80")
		if err != nil {
			_ = client.Close()
			continue
		}
		go join(client.(*trivet.Conn), origin.(*trivet.Conn))
	}
}

// forgetful closes both sides as soon as one direction is over.
func forgetful(a, b *trivet.Conn) {
	done := make(chan error, 2)
	for _, x := range [][2]*trivet.Conn{{a, b}, {b, a}} {
		go func() {
			_, err := io.Copy(x[0], x[1])
			done <- err
		}()
	}
	<-done
	_ = a.Close()
	_ = b.Close()
	<-done
}

// careful passes the end of each direction on, and closes when both are over.
func careful(a, b *trivet.Conn) {
	var both sync.WaitGroup
	for _, x := range [][2]*trivet.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(x[0], x[1])
			_ = x[0].CloseWrite()
		})
	}
	both.Wait()
	_ = a.Close()
	_ = b.Close()
}

// A proxy that forgets half-close: a client that sends its request, half-closes
// and reads gets its answer through a proxy that passes the FIN on alone, and
// none through one that takes the first end for the end of all.
func TestExampleProxyForgetsHalfClose(t *testing.T) {
	for _, tt := range []struct {
		name string
		join func(a, b *trivet.Conn)
		want string
	}{
		{"forgetful", forgetful, ""},
		{"careful", careful, "HELLO"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := netsim.New(netsim.Config{Seed: 4, TB: t})
				client, middle, origin := n.Host("client"), n.Host("proxy"), n.Host("origin")
				n.Link(client, middle, netsim.Delay(10*time.Millisecond))
				n.Link(middle, origin, netsim.Delay(10*time.Millisecond))
				l, err := origin.Listen("tcp", ":80")
				if err != nil {
					t.Fatal(err)
				}
				go func() { // answers when the request is over, as wc does
					c, err := l.Accept()
					if err != nil {
						return
					}
					request, _ := io.ReadAll(c)
					_, _ = io.WriteString(c, strings.ToUpper(string(request)))
					_ = c.Close()
				}()
				pl, err := middle.Listen("tcp", ":80")
				if err != nil {
					t.Fatal(err)
				}
				go proxy(pl, middle.Dial, tt.join)

				fins := n.Count(sim.From("proxy"), sim.Fin)
				c, err := client.Dial("tcp", "proxy:80")
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(c, "hello")
				if err := c.(*trivet.Conn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(c)
				if string(answer) != tt.want {
					t.Errorf("the client got %q, want %q", answer, tt.want)
				}
				_ = c.Close()
				if err := n.Wait(time.Minute, func() bool { return fins.Count() >= 2 }); err != nil {
					t.Errorf("the proxy sent %d FINs, want one on each side: %v", fins.Count(), err)
				}
			})
		})
	}
}
