package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// gvisorTun is a gVisor stack on a TUN device.
type gvisorTun struct{ gvisorNet }

func newGvisorTun(vnet bool) (*gvisorTun, error) {
	l, err := openGvisorDevice(vnet)
	if err != nil {
		return nil, err
	}
	s, err := gvisorHost(l, serverIP+"/24")
	if err != nil {
		return nil, err
	}
	go l.receive() // for as long as the process
	return &gvisorTun{gvisorNet{client: s, server: s}}, nil
}

func (h *gvisorTun) DialKernel(ctx context.Context, port int) (net.Conn, error) {
	return gonet.DialContextTCP(ctx, h.client, address(clientIP, port), ipv4.ProtocolNumber)
}

// vnetSize is the length of the virtio-net header; the fields of it that are
// used are flags, type, header length, segment size, checksum start and offset.
const vnetSize = 10

// gvisorDevice is a link endpoint on a TUN device, with the virtio-net header
// and TSO if vnet; gVisor's own (fdbased) offers them on packet sockets only.
type gvisorDevice struct {
	gvisorLink
	file *os.File // keeps fd open
	fd   int
	vnet bool
}

func openGvisorDevice(vnet bool) (*gvisorDevice, error) {
	f, err := openRawDevice(vnet)
	if err != nil {
		return nil, err
	}
	d := &gvisorDevice{gvisorLink: gvisorLink{mtu: 1500}, file: f, fd: int(f.Fd()), vnet: vnet}
	if vnet {
		// TX offload is not declared: it would leave SYNs, which have no
		// segment size, without a checksum.
		d.gso, d.caps = stack.HostGSOSupported, stack.CapabilityRXChecksumOffload
	}
	return d, nil
}

// openRawDevice opens a device, which blocks, with the kernel at clientIP.
func openRawDevice(vnet bool) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open /dev/net/tun", err)
	}
	ifr, err := unix.NewIfreq("tun%d")
	if err != nil {
		return nil, err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if vnet {
		flags |= unix.IFF_VNET_HDR
	}
	ifr.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return nil, os.NewSyscallError("TUNSETIFF", err)
	}
	if vnet {
		if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4); err != nil {
			return nil, os.NewSyscallError("TUNSETOFFLOAD", err)
		}
	}
	return os.NewFile(uintptr(fd), ifr.Name()), ipConfigure(ifr.Name(), clientIP+"/24")
}

// receive reads packets and hands them up.
func (d *gvisorDevice) receive() {
	buf := make([]byte, 1<<16+vnetSize)
	for {
		n, err := unix.Read(d.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "gvisor: read:", err)
			return
		}
		b := buf[:n]
		if d.vnet {
			b = b[vnetSize:]
		}
		if len(b) == 0 || b[0]>>4 != 4 {
			continue // the kernel's own IPv6
		}
		p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
		d.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
		p.DecRef()
	}
}

// WritePackets implements stack.LinkWriter.
func (d *gvisorDevice) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	var vec [][]byte
	for i, p := range list.AsSlice() {
		vec = vec[:0]
		if d.vnet {
			vec = append(vec, vnetHeader(p))
		}
		vec = append(vec, p.AsSlices()...)
		for {
			_, err := unix.Writev(d.fd, vec)
			if err == nil {
				break
			}
			if err != unix.EINTR {
				return i, &tcpip.ErrAborted{}
			}
		}
	}
	return list.Len(), nil
}

// vnetHeader returns the virtio-net header of a packet.
func vnetHeader(p *stack.PacketBuffer) []byte {
	h := make([]byte, vnetSize)
	g := &p.GSOOptions
	if g.Type == stack.GSONone || !g.NeedsCsum {
		return h
	}
	h[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
	binary.NativeEndian.PutUint16(h[6:], g.L3HdrLen)
	binary.NativeEndian.PutUint16(h[8:], g.CsumOffset)
	if p.Data().Size() > int(g.MSS) {
		h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV4
		binary.NativeEndian.PutUint16(h[2:], uint16(p.HeaderSize()))
		binary.NativeEndian.PutUint16(h[4:], g.MSS)
	}
	return h
}
