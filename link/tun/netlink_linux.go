package tun

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// errNetlink says that the kernel's answer is not one to the request.
var errNetlink = errors.New("unexpected answer from the kernel")

// addAddress adds p to the interface by rtnetlink(7), since no ioctl turns
// duplicate address detection off. An address that is there is no error.
func addAddress(index int, p netip.Prefix) error {
	answer, err := netlinkCall(appendNewAddr(nil, index, p))
	if err == nil {
		err = netlinkVerdict(answer)
	}
	if err == unix.EEXIST {
		return nil
	}
	return os.NewSyscallError("RTM_NEWADDR", err)
}

// isLocal reports whether the kernel takes packets for the address.
func isLocal(a netip.Addr) (bool, error) {
	answer, err := netlinkCall(appendGetRoute(nil, a))
	if err != nil {
		return false, os.NewSyscallError("RTM_GETROUTE", err)
	}
	return routeType(answer) == unix.RTN_LOCAL, nil
}

// routeType returns the type of the route in an RTM_NEWROUTE message, 0 if it
// is another message: no route.
func routeType(b []byte) byte {
	if len(b) < unix.SizeofNlMsghdr+unix.SizeofRtMsg || binary.NativeEndian.Uint16(b[4:]) != unix.RTM_NEWROUTE {
		return 0
	}
	return b[unix.SizeofNlMsghdr+7]
}

// appendNewAddr appends the message that adds p to the interface.
func appendNewAddr(b []byte, index int, p netip.Prefix) []byte {
	start := len(b)
	b = appendHeader(b, unix.RTM_NEWADDR, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	b = append(b, family(p.Addr()), byte(p.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = appendAttr(b, unix.IFA_LOCAL, p.Addr().AsSlice())
	b = appendAttr(b, unix.IFA_ADDRESS, p.Addr().AsSlice())
	return setLength(b, start)
}

// appendGetRoute appends the message that asks where packets to a go.
func appendGetRoute(b []byte, a netip.Addr) []byte {
	start := len(b)
	b = appendHeader(b, unix.RTM_GETROUTE, 0)
	b = append(b, family(a), byte(a.BitLen()), 0, 0, 0, 0, 0, 0) // struct rtmsg
	b = binary.NativeEndian.AppendUint32(b, 0)                   // flags
	b = appendAttr(b, unix.RTA_DST, a.AsSlice())
	return setLength(b, start)
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// appendHeader appends a struct nlmsghdr; setLength completes it.
func appendHeader(b []byte, kind, flags uint16) []byte {
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint32(b, 1) // sequence number
	return binary.NativeEndian.AppendUint32(b, 0)
}

// setLength sets the length of the message that begins at start and goes to
// the end of b.
func setLength(b []byte, start int) []byte {
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// appendAttr appends an attribute, whose value is a multiple of 4 bytes long.
func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

// netlinkCall sends a request to the kernel and returns its answer.
func netlinkCall(request []byte) ([]byte, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer unix.Close(s)
	if err := unix.Sendto(s, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, answer, 0)
	if err != nil {
		return nil, err
	}
	return answer[:n], nil
}

// netlinkVerdict reads an NLMSG_ERROR message, which is the answer to a request
// with NLM_F_ACK: a header of 16 bytes, then a negative errno, or 0.
func netlinkVerdict(b []byte) error {
	if len(b) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(b[4:]) != unix.NLMSG_ERROR {
		return errNetlink
	}
	if code := int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
