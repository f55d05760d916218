package tun

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/trivet-net/trivet/internal/netns"
	"github.com/trivet-net/trivet/wire"
)

// forwarder joins two namespaces by a device in each and a goroutine for each
// direction, so that the kernel's TCP is at both ends and what one device
// reads the other writes.
type forwarder struct {
	near, far *Device
	nearNS    *netns.NS
	farNS     *netns.NS
	running   sync.WaitGroup
}

func newForwarder(t testing.TB, cfg Config) *forwarder {
	f := &forwarder{nearNS: netns.New(t), farNS: netns.Create(t)}
	f.near = openAt(t, cfg, "10.1.0.1/24", "fd00:1::1/64")
	f.farNS.Do(func() { f.far = openAt(t, cfg, "10.1.0.2/24", "fd00:1::2/64") })
	if f.near == nil || f.far == nil {
		t.FailNow()
	}
	f.running.Go(func() { forward(f.near, f.far) })
	f.running.Go(func() { forward(f.far, f.near) })
	t.Cleanup(func() {
		f.near.Close()
		f.far.Close()
		f.running.Wait()
	})
	return f
}

// openAt opens a device with the addresses on the kernel's side; nil after an
// error.
func openAt(t testing.TB, cfg Config, addrs ...string) *Device {
	d, err := Open(cfg)
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, a := range addrs {
		if err := d.Configure(netip.MustParsePrefix(a)); err != nil {
			t.Error(err)
			d.Close()
			return nil
		}
	}
	return d
}

// forward copies packets until a device is closed.
func forward(from, to *Device) {
	pkts := make([]wire.Packet, 64)
	for {
		n, err := from.Read(pkts)
		if err != nil {
			return
		}
		if _, err := to.Write(pkts[:n]); err != nil {
			return
		}
		for i := range pkts[:n] {
			pkts[i].Release()
		}
	}
}

// connect opens a connection from the near kernel to host at the far one.
func (f *forwarder) connect(t testing.TB, host string) (near, far net.Conn) {
	t.Helper()
	var l net.Listener
	var err error
	f.farNS.Do(func() { l, err = net.Listen("tcp", net.JoinHostPort(host, "0")) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return near, far
}

// What the kernel's TCP makes of the offloads on one device it must
// understand on another: nothing is lost in reading and building the headers.
func TestForwardKernelTCP(t *testing.T) {
	for _, cfg := range []Config{{}, {NoOffload: true}, {MTU: 9000}, {MTU: 1280}} {
		for _, host := range []string{"10.1.0.2", "fd00:1::2"} {
			t.Run(fmt.Sprintf("%+v,%s", cfg, host), func(t *testing.T) {
				f := newForwarder(t, cfg)
				near, far := f.connect(t, host)
				data := make([]byte, 8<<20)
				rand.NewChaCha8([32]byte{}).Read(data)
				for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
					var sending sync.WaitGroup
					sending.Go(func() { ends[0].Write(data) })
					got := sha256.New()
					if _, err := io.CopyN(got, ends[1], int64(len(data))); err != nil {
						t.Fatal(err)
					}
					if want := sha256.Sum256(data); !bytes.Equal(got.Sum(nil), want[:]) {
						t.Error("the data arrives changed")
					}
					sending.Wait()
				}
				for _, s := range []Stats{f.near.Stats(), f.far.Stats()} {
					if super := s.RxSuper > 0 && s.TxSuper > 0; super == cfg.NoOffload {
						t.Errorf("super-segments: %+v, want some: %v", s, !cfg.NoOffload)
					}
					if s.RxInvalid+s.TxInvalid+s.TxDropped > 0 {
						t.Errorf("packets were dropped: %+v", s)
					}
				}
			})
		}
	}
}

// BenchmarkForward is the kernel's TCP through two devices: how much a stack
// in their place can have at most.
func BenchmarkForward(b *testing.B) {
	for _, cfg := range []Config{{}, {NoOffload: true}} {
		b.Run(fmt.Sprintf("NoOffload=%v", cfg.NoOffload), func(b *testing.B) {
			f := newForwarder(b, cfg)
			near, far := f.connect(b, "10.1.0.2")
			var receiving sync.WaitGroup
			receiving.Go(func() { io.Copy(io.Discard, far) })
			data := make([]byte, 1<<20)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := near.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			near.Close()
			receiving.Wait()
		})
	}
}
