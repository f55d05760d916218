package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// explain says what to do about the errors that a user of the device can do
// something about. The error itself stays for errors.Is.
func explain(err error, name string) error {
	denied := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	_, opening := errors.AsType[*os.PathError](err)
	switch {
	case err == nil:
		return nil
	case denied && opening:
		// A namespace is no help here: in one of your own you are not the file's
		// root.
		return fmt.Errorf("tun: no permission to open %s: run as root, or let this user read and write it "+
			"(as root: chmod 666 %[1]s): %w", devicePath, err)
	case denied:
		return fmt.Errorf("tun: no permission for device %s: run as root, give the program the capability "+
			"(setcap cap_net_admin+ep PROGRAM), or run it in a network namespace of your own "+
			"(unshare -Urn PROGRAM): %w", name, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("tun: device %s is in use by another process: choose another name: %w", name, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("tun: this system has no %s: load the module (modprobe tun), or give it to the "+
			"container (--device %[1]s): %w", devicePath, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("tun: device %s: the name belongs to an interface of another kind, "+
			"or the MTU is out of its range: %w", name, err)
	}
	return fmt.Errorf("tun: device %s: %w", name, err)
}

// explainAddress is explain for an address that could not be added.
func explainAddress(err error, name string, p netip.Prefix) error {
	if p.Addr().Is6() && errors.Is(err, unix.EACCES) {
		return fmt.Errorf("tun: device %s: IPv6 is disabled, so %v cannot be added "+
			"(sysctl net.ipv6.conf.all.disable_ipv6=0): %w", name, p, err)
	}
	if errors.Is(err, unix.EPERM) {
		return explain(err, name)
	}
	return fmt.Errorf("tun: device %s: cannot add %v: %w", name, p, err)
}
