package tun

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Configure gives the kernel's side of the device its addresses, each with the
// network that the kernel then reaches through the device, and brings the
// device up. An address that is there already stays. IPv6 addresses are usable
// at once, without duplicate address detection: there is nobody else on the
// link to have them.
//
// It must be called in the network namespace that the device was opened in.
func (d *Device) Configure(prefixes ...netip.Prefix) error {
	for _, p := range prefixes {
		if !p.IsValid() {
			return fmt.Errorf("%w: %v is not an address with a prefix length", ErrConfig, p)
		}
	}
	ifi, err := net.InterfaceByName(d.name)
	if err != nil {
		return explain(err, d.name)
	}
	present, err := ifi.Addrs()
	if err != nil {
		return explain(err, d.name)
	}
	for _, p := range prefixes {
		if hasAddr(present, p) {
			continue
		}
		if err := addAddress(ifi.Index, p); err != nil {
			return explainAddress(err, d.name, p)
		}
	}
	if ifi.Flags&net.FlagUp == 0 {
		if err := setUp(d.name); err != nil {
			return explain(err, d.name)
		}
	}
	for _, p := range prefixes {
		if err := awaitLocal(p.Addr()); err != nil {
			return explainAddress(err, d.name, p)
		}
	}
	return nil
}

// localWait bounds the time the kernel may take to make an address its own.
const localWait = 5 * time.Second

// awaitLocal waits until the kernel takes packets for the address. It makes the
// local route of an IPv6 address some time after it has taken the address,
// even without duplicate address detection; packets that come before are lost,
// which costs a connection a second.
func awaitLocal(a netip.Addr) error {
	if a.Is4() {
		return nil // done at once
	}
	for deadline := time.Now().Add(localWait); ; time.Sleep(time.Millisecond) {
		if ok, err := isLocal(a); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return unix.ETIMEDOUT
		}
	}
}

func hasAddr(addrs []net.Addr, p netip.Prefix) bool {
	for _, a := range addrs {
		if a.String() == p.String() {
			return true
		}
	}
	return false
}

// setMTU sets the MTU of the named interface, if it has another.
func setMTU(name string, mtu int) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil || ifi.MTU == mtu {
		return err
	}
	return changeLink(name, func(s int, ifr *unix.Ifreq) error {
		ifr.SetUint32(uint32(mtu))
		return os.NewSyscallError("SIOCSIFMTU", unix.IoctlIfreq(s, unix.SIOCSIFMTU, ifr))
	})
}

// setUp brings the named interface up.
func setUp(name string) error {
	return changeLink(name, func(s int, ifr *unix.Ifreq) error {
		if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, ifr); err != nil {
			return os.NewSyscallError("SIOCGIFFLAGS", err)
		}
		ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
		return os.NewSyscallError("SIOCSIFFLAGS", unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr))
	})
}

// changeLink calls f with a socket and a request about the named interface.
func changeLink(name string, f func(s int, ifr *unix.Ifreq) error) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	return f(s, ifr)
}
