package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/link/tun"
)

// hostFlags are the flags that describe a Trivet host on a TUN device.
type hostFlags struct {
	tun    tun.Config
	addrs  prefixes // of the Trivet host
	peers  prefixes // of the kernel
	msl    time.Duration
	shards int
	drain  time.Duration

	control string // the unix socket for trivet ss; serve alone has one
}

// The range of --msl. RFC 9293, Section 3.4.2, has 2 minutes.
const (
	minMSL = 500 * time.Millisecond
	maxMSL = 120 * time.Second
)

func (f *hostFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.tun.Name, "tun", "", "`name` of the TUN device to create (needed)")
	flags.Var(&f.addrs, "addr", "address of the Trivet host (needed; may be repeated)")
	flags.Var(&f.peers, "peer", "address of the kernel in the same network (needed; may be repeated)")
	flags.IntVar(&f.tun.MTU, "mtu", tun.DefaultMTU, "size of the largest packet in `bytes`")
	flags.BoolVar(&f.tun.NoOffload, "no-offload", false, "no super-segments: every packet fits the MTU and has its checksum")
	flags.DurationVar(&f.msl, "msl", 30*time.Second, "maximum segment lifetime; a closed connection stays in TIME-WAIT for twice that")
	flags.IntVar(&f.shards, "shards", 0, "`number` of parts that connections are spread over (0: one per CPU, up to 8)")
	flags.DurationVar(&f.drain, "drain", 5*time.Second, "how long connections may take to close at the end before they are reset")
}

// check reports what is wrong with the flags, as a usage error.
func (f *hostFlags) check() error {
	switch {
	case f.tun.Name == "" || len(f.addrs) == 0 || len(f.peers) == 0:
		return usagef("--tun, --addr and --peer are needed")
	case f.tun.MTU < engine.MinMTU || f.tun.MTU > tun.MaxMTU:
		return usagef("--mtu %d is not from %d to %d", f.tun.MTU, engine.MinMTU, tun.MaxMTU)
	case f.msl < minMSL || f.msl > maxMSL:
		return usagef("--msl %v is not from %v to %v", f.msl, minMSL, maxMSL)
	case f.shards < 0:
		return usagef("--shards %d is negative", f.shards)
	case f.drain < 0:
		return usagef("--drain %v is negative", f.drain)
	}
	if err := f.tun.Check(); err != nil {
		return usagef("%s", strings.TrimPrefix(err.Error(), tun.ErrConfig.Error()+": "))
	}
	return checkAddrs(f.addrs, f.peers, f.tun.MTU)
}

// host is a Trivet host on a TUN device.
type host struct {
	stack  *trivet.Stack
	device *tun.Device
	drain  time.Duration
	down   chan error // the device failed
}

// open creates the device, configures the kernel's side and attaches a stack.
// After an error nothing is left behind.
func (f *hostFlags) open() (*host, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	// When who reads our output is gone, printing fails, as for any file, and the
	// connections can still be closed in order. SIGPIPE would end the program.
	signal.Ignore(syscall.SIGPIPE)
	h := &host{drain: f.drain, down: make(chan error, 1)}
	var err error
	h.stack, err = trivet.New(trivet.Config{
		Shards:   f.shards,
		TimeWait: 2 * f.msl,
		Resolve:  resolve,
		LinkDown: func(_ link.Link, err error) { h.down <- err },
		Flood:    func(f trivet.Flood) { fmt.Fprintf(os.Stderr, "trivet: %v\n", f) },
	})
	if errors.Is(err, trivet.ErrConfig) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	h.device, err = tun.Open(f.tun)
	if err == nil {
		err = h.device.Configure(f.peers...)
	}
	if err == nil {
		err = h.stack.AddLink(h.device, f.addrs...)
	}
	if err != nil {
		h.close(context.Background())
		return nil, err
	}
	return h, nil
}

// close closes every connection, waits up to the drain time for their ends,
// resets those that remain, and removes the device. When ctx is done it does
// not wait.
func (h *host) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, h.drain)
	defer cancel()
	h.stack.Close(ctx) // its error says that connections were reset
	if h.device != nil {
		h.device.Close()
	}
}

// whileUp returns a context that ends when the device fails, too: its cause is
// why. stop ends it.
func (h *host) whileUp(ctx context.Context) (up context.Context, stop context.CancelFunc) {
	up, cancel := context.WithCancelCause(ctx)
	go func() { // ends with up
		select {
		case err := <-h.down:
			cancel(err)
		case <-up.Done():
		}
	}()
	return up, func() { cancel(nil) }
}

// interruptible returns a context that the first SIGINT or SIGTERM ends; the
// second ends the program, with the status that a shell gives to a signal. It
// does so itself: a shell that starts the program in the background of a script
// has SIGINT ignored, and that is how it would be again without a handler.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the command
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first {
					os.Exit(signalStatus(s))
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}

// signalStatus is the exit status of a program that a signal ended, as shells
// tell it.
func signalStatus(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailure
}

// resolve looks names up as other programs of this machine do: the queries go
// out by the kernel.
func resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// prefixes is a flag that holds addresses with their prefix lengths.
type prefixes []netip.Prefix

func (p *prefixes) String() string {
	if p == nil || len(*p) == 0 {
		return ""
	}
	return fmt.Sprint([]netip.Prefix(*p))
}

// Type is what the help shows for a value.
func (p *prefixes) Type() string { return "address/bits" }

// Set adds an address.
func (p *prefixes) Set(s string) error {
	a, err := netip.ParsePrefix(s)
	if err != nil {
		return errors.New("want an address with its prefix length, such as 10.1.0.2/24 or fd00:1::2/64")
	}
	if why := unusable(a); why != "" {
		return fmt.Errorf("%v %s", a.Addr(), why)
	}
	*p = append(*p, a)
	return nil
}

// unusable says why a host on a TUN device cannot have the address, if so.
func unusable(p netip.Prefix) string {
	a := p.Addr()
	switch {
	case a.Is4In6():
		return "is an IPv4 address in IPv6 form"
	case a.IsUnspecified(), a.Is4() && a.As4()[0] == 0:
		return "is not the address of a host"
	case a.IsMulticast():
		return "is a multicast address"
	case a.IsLoopback():
		return "is a loopback address"
	case a.Is4() && a.As4()[0] >= 240:
		return "is a reserved address"
	case p.Bits() < 31 && a.Is4() && a == p.Masked().Addr():
		return fmt.Sprintf("is the network %v itself", p)
	case p.Bits() < 31 && a.Is4() && a == broadcast(p):
		return fmt.Sprintf("is the broadcast address of %v", p.Masked())
	}
	return ""
}

// broadcast returns the last address of an IPv4 network.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// minMTU6 is the least MTU of IPv6 (RFC 8200, Section 5).
const minMTU6 = 1280

// checkAddrs reports addresses that leave one side unreachable from the other.
func checkAddrs(addrs, peers prefixes, mtu int) error {
	for _, a := range addrs {
		if a.Addr().Is6() && mtu < minMTU6 {
			return usagef("--mtu %d is too small for IPv6, which needs %d", mtu, minMTU6)
		}
		if !sharesNetwork(a, peers) {
			return usagef("--addr %v has no --peer in its network", a)
		}
	}
	for _, p := range peers {
		if !sharesNetwork(p, addrs) {
			return usagef("--peer %v has no --addr in its network", p)
		}
	}
	return nil
}

// sharesNetwork reports whether one of others is another address of a's
// network, by the prefix lengths of both.
func sharesNetwork(a netip.Prefix, others prefixes) bool {
	for _, o := range others {
		if o.Addr() != a.Addr() && a.Contains(o.Addr()) && o.Contains(a.Addr()) {
			return true
		}
	}
	return false
}
