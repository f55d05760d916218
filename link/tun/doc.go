// Package tun is a link to the kernel of the same machine: a Linux TUN device,
// an interface whose packets are read and written by this process. The
// kernel's own sockets, and whatever it routes there, meet the stack as another
// host on a network.
//
//	dev, err := tun.Open(tun.Config{Name: "trivet0"})
//	if err != nil {
//		return err
//	}
//	if err := dev.Configure(netip.MustParsePrefix("10.1.0.1/24")); err != nil {
//		dev.Close()
//		return err
//	}
//	stack.AddLink(dev, netip.MustParsePrefix("10.1.0.2/24"))
//
// Opening a device needs CAP_NET_ADMIN in the user namespace that owns the
// network namespace; the error says so. The device goes away when it is closed
// or the process ends. A persistent device that its administrator has made for
// a user ("ip tuntap add dev NAME mode tun user USER") and configured needs no
// capability, and stays.
//
// Unless Config.NoOffload is set, packets carry the header of virtio-net
// (Virtual I/O Device 1.2, Section 5.1.6), by which TCP super-segments pass
// whole and checksums inside the machine are not computed at all. Where the
// kernel refuses that, the device is a plain one.
//
// Known limits: one queue per device, and Linux only; elsewhere Open returns
// an error.
package tun
