package main

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/internal/netns"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/link/tun"
	"github.com/trivet-net/trivet/wire"
)

var interopSeed = flag.Uint64("interop.seed", 1, "seed of the losses that tests make themselves")

// lossyLink loses packets in both directions without a word. The kernel's own
// dropping rules do not: a packet dropped on its way out comes back to its TCP
// as not sent.
type lossyLink struct {
	link.Link

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

// lost reports whether the next packet is lost: one of fifty is.
func (l *lossyLink) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(50) == 0
}

func (l *lossyLink) Read(pkts []wire.Packet) (int, error) {
	for {
		n, err := l.Link.Read(pkts)
		kept := 0
		for i := range pkts[:n] {
			if l.lost() {
				pkts[i].Release()
				continue
			}
			pkts[kept], pkts[i] = pkts[i], pkts[kept]
			kept++
		}
		if kept > 0 || err != nil {
			return kept, err
		}
	}
}

func (l *lossyLink) Write(pkts []wire.Packet) (int, error) {
	for i := range pkts {
		if l.lost() {
			continue
		}
		if _, err := l.Link.Write(pkts[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(pkts), nil
}

// newLossyHost is newHost over a link that loses packets, and with a kernel
// that sends each segment in a packet of its own, to be lost alone.
func newLossyHost(t *testing.T, s setting) (*netns.NS, *host) {
	t.Helper()
	ns := netns.New(t)
	t.Logf("-interop.seed=%d", *interopSeed)
	h := &host{drain: time.Second}
	var err error
	if h.stack, err = trivet.New(trivet.Config{TimeWait: time.Second}); err != nil {
		t.Fatal(err)
	}
	if h.device, err = tun.Open(tun.Config{Name: "trivet0", NoOffload: s.noOffload}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.close(context.Background()) })
	err = h.device.Configure(netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("fd00:1::1/64"))
	if err != nil {
		t.Fatal(err)
	}
	ns.Run("ip", "link", "set", "trivet0", "gso_max_segs", "1")
	lossy := &lossyLink{Link: h.device, rng: rand.New(rand.NewPCG(*interopSeed, 0))}
	err = h.stack.AddLink(lossy, netip.MustParsePrefix("10.1.0.2/24"), netip.MustParsePrefix("fd00:1::2/64"))
	if err != nil {
		t.Fatal(err)
	}
	return ns, h
}

// kernelCounter returns one of the kernel's counters, by nstat's name.
func kernelCounter(t testing.TB, ns *netns.NS, name string) int {
	t.Helper()
	for line := range strings.Lines(ns.Run("nstat", "--zeros", "--ignore", "--noupdate", name)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("the kernel has no counter %s", name)
	return 0
}

// Segments lost alone, in both directions: the receiver's reassembly and its
// SACK blocks are put to the test as well as the sender's recovery. RFC 2018,
// Section 3: the kernel must find no block that it cannot believe, and nothing
// outside its window. What it drops inside its window because a slow reader leaves
// no memory (TcpExtTCPRcvQDrop) is no fault of the sender: the window counts
// bytes, the memory what they are kept in.
func TestSilentLoss(t *testing.T) {
	inEach(t, func(t *testing.T, s setting) {
		ns, h := newLossyHost(t, s)
		for _, active := range []bool{false, true} {
			p := connect(t, ns, h, s, active)
			for _, ends := range [][2]net.Conn{{p.kernel, p.trivet}, {p.trivet, p.kernel}} {
				var sending sync.WaitGroup
				sending.Go(func() {
					if _, err := io.Copy(ends[0], streamOf(lossySize())); err != nil {
						t.Errorf("sending: %v", err)
					}
				})
				got := digestOf(t, io.LimitReader(ends[1], lossySize()))
				sending.Wait()
				if want := digestOf(t, streamOf(lossySize())); got != want {
					t.Errorf("received SHA-256 %s, want %s", got, want)
				}
			}
		}
		for _, name := range []string{"TcpExtTCPSACKDiscard", "TcpInCsumErrors", "TcpExtPAWSEstab", "TcpExtTCPZeroWindowDrop"} {
			if n := kernelCounter(t, ns, name); n != 0 {
				t.Errorf("the kernel's %s is %d, want 0", name, n)
			}
		}
		if n := kernelCounter(t, ns, "TcpExtTCPSackRecovery"); n == 0 {
			t.Error("the kernel has not recovered by SACK")
		}
	})
}
