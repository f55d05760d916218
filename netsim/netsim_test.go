package netsim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/netsim"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// world is two hosts on a link, in a bubble of virtual time.
type world struct {
	*netsim.Network
	client, server *trivet.Stack
	link           *netsim.Link
	fast           tcp.Options // of ask
}

// inWorld runs a test in a bubble with a world that is closed at its end.
func inWorld(t *testing.T, cfg netsim.Config, f func(*testing.T, *world), options ...netsim.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(cfg)
		defer n.Close()
		w := &world{Network: n, client: n.Host("client"), server: n.Host("server")}
		w.link = n.Link(w.client, w.server, options...)
		f(t, w)
	})
}

func (w *world) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := w.server.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// connect returns both ends of a connection.
func (w *world) connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l := w.listen(t, ":80")
	client, err := w.client.Dial("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewPCG(seed, 1)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

// net/http fetches and uploads over a link that loses one packet in twenty.
func TestHTTPOverLoss(t *testing.T) {
	page := noise(300_000, 1)
	inWorld(t, netsim.Config{Seed: 7}, func(t *testing.T, w *world) {
		srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(body, page) {
				http.Error(rw, "not what was sent", http.StatusBadRequest)
				return
			}
			if _, err := rw.Write(page); err != nil {
				t.Error(err)
			}
		})}
		l := w.listen(t, ":80")
		var serving sync.WaitGroup
		serving.Go(func() { _ = srv.Serve(l) }) // ends with ErrServerClosed
		hc := &http.Client{Transport: &http.Transport{DialContext: w.client.DialContext}}
		var fetching sync.WaitGroup
		for range 5 {
			fetching.Go(func() {
				resp, err := hc.Post("http://server/", "application/octet-stream", bytes.NewReader(page))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(body, page) {
					t.Errorf("%v, %d bytes, %v", resp.Status, len(body), err)
				}
			})
		}
		fetching.Wait()
		hc.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
		forward, backward := w.link.Stats()
		if forward.Lost == 0 || backward.Lost == 0 {
			t.Errorf("lost %d and %d packets, want some", forward.Lost, backward.Lost)
		}
	}, netsim.Delay(10*time.Millisecond), netsim.Rate(50e6), netsim.Loss(0.05))
}

// Everything at once that a link can do to packets leaves the stream whole.
func TestEverythingGoesWrong(t *testing.T) {
	data := noise(200_000, 2)
	for seed := range uint64(5) {
		inWorld(t, netsim.Config{Seed: seed}, func(t *testing.T, w *world) {
			client, server := w.connect(t)
			go func() {
				if _, err := client.Write(data); err != nil {
					t.Error(err)
				}
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			}()
			got, err := io.ReadAll(server)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("seed %d: %d bytes, %v, want the %d sent", seed, len(got), err, len(data))
			}
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}, netsim.Delay(5*time.Millisecond), netsim.Jitter(3*time.Millisecond), netsim.Rate(20e6), netsim.Queue(50, 0),
			netsim.Loss(0.03), netsim.Duplicate(0.03), netsim.Reorder(0.05, 0), netsim.Corrupt(0.03))
	}
}

// Keep-alive ends a connection whose peer is behind a cut cable.
func TestKeepAliveOnUnpluggedLink(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, _ := w.connect(t)
		err := client.(*trivet.Conn).SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: time.Minute, Interval: 10 * time.Second, Count: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		w.link.Unplug()
		began := time.Now()
		_, err = client.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Read = %v, want %v", err, syscall.ETIMEDOUT)
		}
		if took := time.Since(began); took < 30*time.Second || took > 91*time.Second {
			t.Errorf("it took %v, want at most 60 s and 3 times 10 s", took)
		}
	}, netsim.Delay(10*time.Millisecond))
}

// A cut that is mended in time is only a pause.
func TestUnplugAndPlug(t *testing.T) {
	data := noise(1<<20, 3)
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, server := w.connect(t)
		go func() {
			time.Sleep(500 * time.Millisecond)
			w.link.Unplug()
			time.Sleep(2 * time.Minute)
			w.link.Plug()
		}()
		go func() {
			if _, err := client.Write(data); err != nil {
				t.Error(err)
			}
			// Not Close: a connection that nobody owns is given up after two minutes.
			_ = client.(*trivet.Conn).CloseWrite() // reported by the reader if it matters
		}()
		began := time.Now()
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v, want the %d sent", len(got), err, len(data))
		}
		if took := time.Since(began); took < 2*time.Minute || took > 5*time.Minute {
			t.Errorf("it took %v, want the two minutes of the cut and a little", took)
		}
	}, netsim.Delay(10*time.Millisecond), netsim.Rate(5e6))
}

// Settings change while the link is in use, in each direction for itself.
func TestSet(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, server := w.connect(t)
		rtt := func() time.Duration {
			began := time.Now()
			buf := make([]byte, 1)
			if _, err := client.Write(buf); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Read(buf); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Write(buf); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(buf); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if got := rtt(); got != 20*time.Millisecond {
			t.Errorf("round trip %v, want 20ms", got)
		}
		w.link.Set(netsim.Backward(netsim.Delay(40 * time.Millisecond)))
		if got := rtt(); got != 50*time.Millisecond {
			t.Errorf("round trip with a slow way back %v, want 50ms", got)
		}
	}, netsim.Delay(10*time.Millisecond))
}

// A host that crashes says nothing; the one that takes its place resets.
func TestReboot(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, _ := w.connect(t)
		old := w.server
		w.server = w.Reboot(old)
		if err := old.Close(context.Background()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the old stack is still open: %v", err)
		}
		if w.Host("server") != w.server {
			t.Error("Host returns another stack than Reboot")
		}
		time.Sleep(time.Second) // less than the 15 s after which keep-alive would find out
		if _, err := client.Write([]byte("hello?")); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read = %v, want %v", err, syscall.ECONNRESET)
		}
		again, _ := w.connect(t)
		if _, err := again.Write([]byte("hello")); err != nil {
			t.Errorf("after the reboot: %v", err)
		}
	}, netsim.Delay(10*time.Millisecond))
}

// Three hosts in a row of two links: each pair of neighbours talks, and names
// are known to all.
func TestSeveralHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{})
		defer n.Close()
		middle := n.Host("middle")
		l, err := middle.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			h := n.Host(fmt.Sprintf("leaf%d", i))
			n.Link(h, middle, netsim.Delay(time.Millisecond))
			for _, to := range []string{"middle:80", fmt.Sprintf("%v:80", n.Addr(middle)), fmt.Sprintf("[%v]:80", n.Addr6(middle))} {
				c, err := h.Dial("tcp", to)
				if err != nil {
					t.Errorf("leaf%d cannot dial %s: %v", i, to, err)
					continue
				}
				s, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if s.RemoteAddr().String() != c.LocalAddr().String() {
					t.Errorf("addresses %v and %v differ", s.RemoteAddr(), c.LocalAddr())
				}
				_ = c.Close()
				_ = s.Close()
			}
		}
		if _, err := n.Host("leaf0").Dial("tcp", "nobody:80"); err == nil {
			t.Error("an unknown name was dialled")
		}
	})
}

// The hooks see the conversation, so that a failing test can draw it.
func TestHooks(t *testing.T) {
	var log trace.Log
	cfg := netsim.Config{OnEvent: log.Event, OnPacket: log.Packet}
	inWorld(t, cfg, func(t *testing.T, w *world) {
		time.Sleep(time.Second)
		client, server := w.connect(t)
		_ = client.Close()
		_ = server.Close()
		time.Sleep(2 * time.Minute)
	}, netsim.Delay(10*time.Millisecond))
	var b bytes.Buffer
	if _, err := trace.NewLadder(&log, trace.Style{}).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SYN-SENT", "ESTABLISHED", "TIME-WAIT", "The handshake took 20 ms."} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("the ladder does not show %q:\n%s", want, &b)
		}
	}
}

// A deadline ends a read at its time.
func TestDeadline(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		client, _ := w.connect(t)
		if err := client.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want %v", err, os.ErrDeadlineExceeded)
		}
		if took := time.Since(began); took != time.Hour {
			t.Errorf("it took %v, want an hour", took)
		}
	})
}

// What cannot be is a mistake in the test that says it: it panics there, with a
// reason, and leaves the network as it was.
func TestBadOptions(t *testing.T) {
	inWorld(t, netsim.Config{}, func(t *testing.T, w *world) {
		for _, tt := range []struct {
			name, reason string
			f            func()
		}{
			{"loss", "probability", func() { w.Link(w.client, w.server, netsim.Loss(2)) }},
			{"loss of a link in use", "probability", func() { w.link.Set(netsim.Loss(2)) }},
			{"small MTU", "88 to 65535", func() { w.Link(w.client, w.server, netsim.MTU(20)) }},
			{"large MTU", "88 to 65535", func() { w.Link(w.client, w.server, netsim.MTU(70000)) }},
			{"middlebox", "nil middlebox", func() { w.link.Insert(nil) }},
			{"match", "nil match", func() { w.Drop(nil) }},
			{"address", "address of new", func() { w.Host("new", netsim.Addresses(netip.Addr{})) }},
		} {
			func() {
				defer func() {
					if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), tt.reason) {
						t.Errorf("%s: panic with %v, want %q", tt.name, r, tt.reason)
					}
				}()
				tt.f()
			}()
		}
		w.link.Set(netsim.Delay(time.Millisecond))
		w.connect(t)
	})
}

// Options set what they say, for both directions unless told otherwise.
func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		option netsim.Option
		want   sim.Settings
	}{
		{"Delay", netsim.Delay(1), sim.Settings{Delay: 1}},
		{"Jitter", netsim.Jitter(1), sim.Settings{Jitter: 1}},
		{"Rate", netsim.Rate(3 * netsim.Mbit), sim.Settings{Rate: 3_000_000}},
		{"Queue", netsim.Queue(2, 3), sim.Settings{QueuePackets: 2, QueueBytes: 3}},
		{"CoDel", netsim.CoDel(), sim.Settings{CoDel: true}},
		{"ECN", netsim.ECN(), sim.Settings{CoDel: true, ECN: true}},
		{"MarkAbove", netsim.MarkAbove(5), sim.Settings{MarkBytes: 5}},
		{"Loss", netsim.Loss(0.5), sim.Settings{Loss: 0.5}},
		{"BurstLoss", netsim.BurstLoss(0.5, 4), sim.Settings{Burst: sim.GilbertElliott{ToBad: 0.25, ToGood: 0.25, LossBad: 1}}},
		{"Duplicate", netsim.Duplicate(0.5), sim.Settings{Duplicate: 0.5}},
		{"Reorder", netsim.Reorder(0.5, 7), sim.Settings{Reorder: 0.5, ReorderDelay: 7}},
		{"Late", netsim.Late(0.5, 7), sim.Settings{Reorder: 0.5, ReorderJitter: 7}},
		{"Corrupt", netsim.Corrupt(0.5), sim.Settings{Corrupt: 0.5}},
		{"MaxPacket", netsim.MaxPacket(500), sim.Settings{MaxPacket: 500}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var both, forward, backward sim.LinkConfig
			tt.option(&both)
			netsim.Forward(tt.option)(&forward)
			netsim.Backward(tt.option)(&backward)
			for i, x := range []struct{ got, want sim.LinkConfig }{
				{both, sim.LinkConfig{AtoB: tt.want, BtoA: tt.want}},
				{forward, sim.LinkConfig{AtoB: tt.want}},
				{backward, sim.LinkConfig{BtoA: tt.want}},
			} {
				if x.got != x.want {
					t.Errorf("%s makes %+v, want %+v", []string{"alone", "Forward", "Backward"}[i], x.got, x.want)
				}
			}
		})
	}
	var c sim.LinkConfig
	netsim.MTU(576)(&c)
	if want := (sim.LinkConfig{MTU: 576}); c != want {
		t.Errorf("MTU makes %+v, want %+v", c, want)
	}
}

// A host that was closed as any Stack is keeps nothing of what others go on to send
// it.
func TestClosedHostKeepsNothing(t *testing.T) {
	inWorld(t, netsim.Config{Seed: 1}, func(t *testing.T, w *world) {
		c, err := w.client.Dial("udp", "server:9")
		if err != nil {
			t.Fatal(err)
		}
		w.server.Close(t.Context())
		const datagrams, size = 50_000, 1400
		before := heapInUse()
		for range datagrams {
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if grown := heapInUse() - before; grown > datagrams*size/2 {
			t.Errorf("%d bytes were sent to a closed host, and the heap grew by %d", datagrams*size, grown)
		}
	})
}

// heapInUse is how much memory is reachable.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
