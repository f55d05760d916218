package tun

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// addAddress adds p to the interface by rtnetlink(7), since no ioctl turns
// duplicate address detection off. An address that is there is no error.
func addAddress(index int, p netip.Prefix) error {
	err := netlinkCall(appendNewAddr(nil, index, p))
	if err == unix.EEXIST {
		return nil
	}
	return os.NewSyscallError("RTM_NEWADDR", err)
}

// appendNewAddr appends the message that adds p to the interface.
func appendNewAddr(b []byte, index int, p netip.Prefix) []byte {
	start := len(b)
	b = binary.NativeEndian.AppendUint32(b, 0) // length, known at the end
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_NEWADDR)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	b = binary.NativeEndian.AppendUint32(b, 1) // sequence number
	b = binary.NativeEndian.AppendUint32(b, 0) // port: the kernel

	addr := p.Addr().AsSlice()
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	b = append(b, family, byte(p.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = appendAttr(b, unix.IFA_LOCAL, addr)
	b = appendAttr(b, unix.IFA_ADDRESS, addr)

	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// appendAttr appends an attribute, whose value is a multiple of 4 bytes long.
func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

// netlinkCall sends a request to the kernel and returns its verdict.
func netlinkCall(request []byte) error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := unix.Sendto(s, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	reply := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, reply, 0)
	if err != nil {
		return err
	}
	return netlinkVerdict(reply[:n])
}

// netlinkVerdict reads an NLMSG_ERROR message, which is the answer to a request
// with NLM_F_ACK: a header of 16 bytes, then a negative errno, or 0.
func netlinkVerdict(b []byte) error {
	if len(b) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(b[4:]) != unix.NLMSG_ERROR {
		return errors.New("unexpected answer from the kernel")
	}
	if code := int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
