package tun

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/trivet-net/trivet/link"
)

const devicePath = "/dev/net/tun"

// offloadFlags is what the kernel may leave to the reader: checksums, and
// TCP super-segments of both IP versions, with CWR set on the first too.
const offloadFlags = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN

// Device is an open TUN device. It implements link.Link.
type Device struct {
	name string
	mtu  int
	vnet bool // packets carry the virtio-net header

	file   *os.File
	conn   syscall.RawConn // of file
	closed atomic.Bool

	reader  reader
	writers sync.Pool // of *writer

	stats counters
}

var _ link.Link = (*Device)(nil)

// counters are the fields of Stats.
type counters struct {
	rxPackets, rxBytes, rxSuper, rxInvalid            atomic.Uint64
	txPackets, txBytes, txSuper, txDropped, txInvalid atomic.Uint64
}

// Open creates the device, or attaches to a persistent one, in the network
// namespace of the calling thread, and sets its MTU. It is down and without
// addresses until Configure, or its administrator, changes that. After an
// error nothing is left behind.
func Open(cfg Config) (*Device, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		cfg.Name = "tun%d"
	}
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	d := &Device{mtu: cfg.MTU, vnet: !cfg.NoOffload}
	fd, err := -1, error(nil)
	if d.vnet {
		if d.name, fd, err = openQueue(cfg.Name, unix.IFF_VNET_HDR); err == errNoOffload {
			d.vnet = false
		}
	}
	if !d.vnet {
		d.name, fd, err = openQueue(cfg.Name, 0)
	}
	if err != nil {
		return nil, explain(err, cfg.Name)
	}

	// The descriptor is not blocking and the interface exists, so the runtime's
	// poller takes it.
	d.file = os.NewFile(uintptr(fd), devicePath)
	d.conn, err = d.file.SyscallConn()
	if err == nil {
		err = setMTU(d.name, d.mtu)
	}
	if err != nil {
		d.file.Close()
		return nil, explain(err, d.name)
	}
	d.reader.init(d)
	d.writers.New = func() any { return newWriter(d) }
	return d, nil
}

// errNoOffload says that the kernel refused the virtio-net header or the
// offloads that make it worth having.
var errNoOffload = fmt.Errorf("tun: no offload: %w", unix.EINVAL)

// openQueue opens the device as a TUN device with the extra flags and returns
// its name and descriptor.
func openQueue(name string, flags uint16) (string, int, error) {
	fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", -1, &os.PathError{Op: "open", Path: devicePath, Err: err}
	}
	name, err = attach(fd, name, flags)
	if err != nil {
		unix.Close(fd)
		return "", -1, err
	}
	return name, fd, nil
}

// attach makes fd the queue of the named device. The device goes when fd is
// closed.
func attach(fd int, name string, flags uint16) (string, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return "", err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | flags)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	if flags == 0 {
		return ifr.Name(), os.NewSyscallError("TUNSETIFF", err)
	}
	if err == unix.EINVAL {
		// An old kernel, or a device of another kind: the plain attempt tells.
		return "", errNoOffload
	}
	if err != nil {
		return "", os.NewSyscallError("TUNSETIFF", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloadFlags); err != nil {
		return "", errNoOffload
	}
	return ifr.Name(), nil
}

// Name returns the name of the interface.
func (d *Device) Name() string { return d.name }

// MTU returns the MTU the device was opened with, in bytes.
func (d *Device) MTU() int { return d.mtu }

// Offloads returns checksums, TSO and merged reception if the device carries
// the virtio-net header, else none.
func (d *Device) Offloads() link.Offloads {
	if d.vnet {
		return link.TxChecksum | link.TSO | link.RxMerged
	}
	return 0
}

// Close stops Read and Write with net.ErrClosed and removes the device, unless
// it is a persistent one. The device is gone when Close returns. A second Close
// does nothing.
func (d *Device) Close() error {
	d.closed.Store(true)
	d.file.Close() // fails only when it is closed already
	return nil
}

// Stats returns the counts since Open. It may be called at any time.
func (d *Device) Stats() Stats {
	s := &d.stats
	return Stats{
		RxPackets: s.rxPackets.Load(), RxBytes: s.rxBytes.Load(),
		RxSuper: s.rxSuper.Load(), RxInvalid: s.rxInvalid.Load(),
		TxPackets: s.txPackets.Load(), TxBytes: s.txBytes.Load(),
		TxSuper: s.txSuper.Load(), TxDropped: s.txDropped.Load(), TxInvalid: s.txInvalid.Load(),
	}
}
