package netsim_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// The third data segment is dropped: it is sent again, and everything arrives.
func TestDropTheThirdDataSegment(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		third := w.Drop(sim.From("client"), sim.Data, sim.Nth(3))
		again := w.Count(sim.From("client"), sim.Retransmission())
		client, server := w.connect(t)
		for range 10 {
			if _, err := client.Write(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		_ = client.Close()
		if b, err := io.ReadAll(server); len(b) != 1000 || err != nil {
			t.Errorf("%d bytes arrived, %v, want 1000", len(b), err)
		}
		_ = server.Close()
		if third.Count() != 1 || again.Count() == 0 {
			t.Errorf("%d segments dropped, %d sent again, want 1, some", third.Count(), again.Count())
		}
	}, netsim.Delay(10*time.Millisecond))
}

// The last ACK is held: the server waits in LAST-ACK, the client in TIME-WAIT,
// until it is released. The socket table tells.
func TestHoldTheLastAck(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, server := w.connect(t)
		_ = client.Close()
		if err := w.WaitState(server, tcp.StateCloseWait, time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		last := w.Hold(sim.From("client"), sim.PureAck)
		_ = server.Close()
		if err := w.WaitState(client, tcp.StateTimeWait, time.Second); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the state is seen before its ACK has reached the rule
		if s := server.(*trivet.Conn).Info().State; s != tcp.StateLastAck || last.Held() != 1 {
			t.Errorf("the server is in %v with %d ACKs held, want LAST-ACK, 1", s, last.Held())
		}
		for _, tt := range []struct {
			s    *trivet.Stack
			want string
		}{{w.client, "TIME-WAIT"}, {w.server, "LAST-ACK"}} {
			if got := netsim.Table(tt.s); !strings.Contains(got, tt.want) || len(netsim.Connections(tt.s)) != 1 {
				t.Errorf("the table of %v does not show one connection in %s:\n%s", tt.s, tt.want, got)
			}
		}
		last.Stop()
		last.Release()
		if err := w.WaitState(server, tcp.StateClosed, 11*time.Millisecond); err != nil {
			t.Error(err)
		}
	}, netsim.Delay(10*time.Millisecond))
}

// What does not come in time is an error that says so.
func TestWaitTimeout(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, _ := w.connect(t)
		began := time.Now()
		err := w.WaitState(client, tcp.StateClosed, time.Minute)
		if !errors.Is(err, netsim.ErrTimeout) || !strings.Contains(fmt.Sprint(err), "ESTABLISHED") || time.Since(began) != time.Minute {
			t.Errorf("WaitState = %v after %v", err, time.Since(began))
		}
		dropped := w.Drop(sim.From("client"), sim.Data)
		go func() { _, _ = client.Write([]byte("x")) }()
		if err := w.Wait(time.Minute, func() bool { return dropped.Count() == 3 }); err != nil {
			t.Error(err)
		}
	})
}

// Rules of every kind do what sim's do.
func TestRules(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, server := w.connect(t)
		go func() { _, _ = io.Copy(io.Discard, server) }() // ends when the client closes
		time.Sleep(time.Second)
		rules := []*netsim.Rule{
			w.Duplicate(sim.From("client"), sim.Data, sim.Nth(1)),
			w.Corrupt(sim.From("client"), sim.Data, sim.Nth(2)),
			w.Delay(time.Second, sim.From("client"), sim.Data, sim.Nth(3)),
		}
		for range 3 {
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		for i, r := range rules {
			if r.Count() != 1 {
				t.Errorf("rule %d was used %d times, want once", i, r.Count())
			}
		}
		if f, _ := w.link.Stats(); f.Duplicated != 1 || f.Torn != 1 || f.Reordered != 1 {
			t.Errorf("%+v, want one packet of each kind", f)
		}
		_ = client.Close()
	}, netsim.Delay(10*time.Millisecond))
}

// A middlebox that resets, and a RST that is injected by hand.
func TestMiddleboxAndInject(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		l := w.listen(t, ":80")
		w.link.Insert(sim.ResetOn(sim.Containing("forbidden")))
		buf := make([]byte, 10)
		open := func() (client, server *trivet.Conn) {
			c, err := w.client.Dial("tcp", "server:80")
			if err != nil {
				t.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return c.(*trivet.Conn), s.(*trivet.Conn)
		}
		client, server := open()
		_, _ = io.WriteString(client, "forbidden")
		for _, c := range []*trivet.Conn{client, server} {
			if _, err := c.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Read = %v, want %v", err, syscall.ECONNRESET)
			}
		}
		client, server = open()
		i := server.Info()
		from, err := netip.ParseAddrPort(client.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		to, err := netip.ParseAddrPort(client.RemoteAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		rst := &wire.Segment{Flags: wire.RST, Seq: seqnum.Value(i.IRS + i.RcvNxt)}
		w.link.Inject(w.client, sim.SegmentPacket(from, to, rst))
		if _, err := server.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the injected RST: Read = %v, want %v", err, syscall.ECONNRESET)
		}
	}, netsim.Delay(10*time.Millisecond))
}

// fakeTB is a test that fails, or not.
type fakeTB struct {
	dir      string
	failed   bool
	cleanups []func()
	log      strings.Builder
}

func (f *fakeTB) Cleanup(c func())                { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Failed() bool                    { return f.failed }
func (f *fakeTB) ArtifactDir() string             { return f.dir }
func (f *fakeTB) Logf(format string, args ...any) { fmt.Fprintf(&f.log, format+"\n", args...) }

// A test that fails leaves its packets and its seed behind; one that passes
// leaves nothing.
func TestArtifacts(t *testing.T) {
	for _, failed := range []bool{false, true} {
		tb := &fakeTB{dir: t.TempDir(), failed: failed}
		synctest.Test(t, func(t *testing.T) {
			n := netsim.New(netsim.Config{Seed: 42, TB: tb})
			client, server := n.Host("client"), n.Host("server")
			n.Link(client, server, netsim.Loss(0.1))
			if _, err := server.Listen("tcp", ":80"); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Dial("tcp", "server:80"); err != nil {
				t.Fatal(err)
			}
			for _, c := range tb.cleanups {
				c()
			}
		})
		seed, err := os.ReadFile(filepath.Join(tb.dir, "seed.txt"))
		if failed != (err == nil) || failed && string(seed) != "42\n" {
			t.Errorf("failed %v: the seed is %q, %v", failed, seed, err)
		}
		packets, err := os.ReadFile(filepath.Join(tb.dir, "wire.pcapng"))
		if failed != (err == nil) || failed && len(packets) < 300 {
			t.Errorf("failed %v: %d bytes of packets, %v", failed, len(packets), err)
		}
		if failed != strings.Contains(tb.log.String(), "seed 42") {
			t.Errorf("failed %v: the log says %q", failed, tb.log.String())
		}
	}
}
