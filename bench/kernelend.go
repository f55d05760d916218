package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet/link/tun"
	"github.com/trivet-net/trivet/wire"
)

// kernelEnd is the kernel's end of a path: a TUN device without offload, in the
// namespace of the process or in one of its own, for two kernels would meet on the
// loopback otherwise.
type kernelEnd struct {
	ip    string
	apart bool
	dev   *tun.Device
	do    chan func() // runs in the namespace
}

func (e *kernelEnd) start(out *way) error {
	e.do = make(chan func())
	ready := make(chan error)
	go e.inhabit(ready) // for as long as the process
	if err := <-ready; err != nil {
		return err
	}
	go e.forward(out) // for as long as the device
	return nil
}

// inhabit is the thread whose namespace is that of the kernel's end.
func (e *kernelEnd) inhabit(ready chan<- error) {
	runtime.LockOSThread() // and never unlocked: the thread is of no use to others
	if e.apart {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			ready <- os.NewSyscallError("unshare", err)
			return
		}
	}
	var err error
	if e.dev, err = tun.Open(tun.Config{NoOffload: true}); err == nil {
		err = e.dev.Configure(netip.MustParsePrefix(e.ip + "/24"))
	}
	ready <- err
	for f := range e.do {
		f()
	}
}

// forward takes what the kernel sends.
func (e *kernelEnd) forward(out *way) {
	pkts := make([]wire.Packet, 64)
	for {
		n, err := e.dev.Read(pkts)
		if err != nil {
			fmt.Fprintln(os.Stderr, "tun:", err)
			return
		}
		for i := range pkts[:n] {
			if b := pkts[i].Contiguous(); len(b) > 0 && b[0]>>4 == 4 { // not the kernel's own IPv6
				out.send(pkts[i].AppendTo)
			}
			pkts[i].Release()
		}
	}
}

func (e *kernelEnd) deliver(packets [][]byte) {
	pkts := make([]wire.Packet, len(packets))
	for i, b := range packets {
		pkts[i].SetBytes(b)
	}
	if _, err := e.dev.Write(pkts); err != nil {
		fmt.Fprintln(os.Stderr, "tun:", err)
	}
}

// useCubic makes the congestion control that of the others, whatever the
// machine's default is.
func useCubic(_, _ string, c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	}); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt", err)
}

func (e *kernelEnd) Dial(ctx context.Context, port int) (c net.Conn, err error) {
	done := make(chan struct{})
	e.do <- func() {
		d := net.Dialer{Control: useCubic}
		c, err = d.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", serverIP, port))
		close(done)
	}
	<-done
	return c, err
}

func (e *kernelEnd) Listen(port, _ int) (l net.Listener, err error) {
	done := make(chan struct{})
	e.do <- func() {
		lc := net.ListenConfig{Control: useCubic}
		l, err = lc.Listen(context.Background(), "tcp", fmt.Sprintf("%s:%d", e.ip, port))
		close(done)
	}
	<-done
	return l, err
}
