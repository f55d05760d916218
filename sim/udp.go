package sim

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// UDPSocket is a UDP socket of a simulated host. What arrives is handed to the
// function that it was opened with.
type UDPSocket struct {
	socket  *engine.UDPSocket
	host    *Host
	boot    int
	receive func(Message)
	buffer  []byte
	groups  []netip.Addr // that the host was made a member of, on interface 0
	closed  bool
}

// Message is what a UDP socket receives: a datagram, or an error that an ICMP
// message told.
type Message struct {
	engine.Datagram
	Data []byte // good only during the call
	Err  error
}

// ListenUDP opens a socket for datagrams from anybody; see engine.Engine.ListenUDP.
// The Waker of the options is set here. A host that is down gives ENETDOWN.
func (h *Host) ListenUDP(local netip.AddrPort, opt engine.UDPOptions, receive func(Message)) (*UDPSocket, error) {
	return h.openUDP(receive, func() (*engine.UDPSocket, error) {
		return h.engine.ListenUDP(h.network.now, local, opt)
	})
}

// DialUDP opens a connected socket; see engine.Engine.DialUDP.
func (h *Host) DialUDP(remote netip.AddrPort, opt engine.UDPOptions, receive func(Message)) (*UDPSocket, error) {
	return h.openUDP(receive, func() (*engine.UDPSocket, error) {
		return h.engine.DialUDP(h.network.now, netip.AddrPort{}, remote, opt)
	})
}

func (h *Host) openUDP(receive func(Message), open func() (*engine.UDPSocket, error)) (*UDPSocket, error) {
	if h.down {
		return nil, syscall.ENETDOWN
	}
	socket, err := open()
	if err != nil {
		return nil, err
	}
	s := &UDPSocket{socket: socket, host: h, boot: h.boots, receive: receive, buffer: make([]byte, 1<<16)}
	socket.SetWaker(s)
	socket.Await(tcp.Readable)
	return s, nil
}

// Wake is called by the engine.
func (s *UDPSocket) Wake(tcp.Ready) {
	s.host.network.ready = append(s.host.network.ready, s.take)
}

// take hands over what there is.
func (s *UDPSocket) take() {
	for s.live() {
		n, d, err := s.socket.Receive(s.buffer)
		if err == syscall.EAGAIN {
			break
		}
		if s.receive != nil {
			s.receive(Message{Datagram: d, Data: s.buffer[:n], Err: err})
		}
	}
	if s.live() {
		s.socket.Await(tcp.Readable)
	}
}

// live reports whether the socket is open and the host has not been rebooted
// since.
func (s *UDPSocket) live() bool { return !s.closed && s.boot == s.host.boots }

// Send sends a datagram to the endpoint, the zero one on a connected socket; see
// engine.UDPSocket.Send for errors. After Close or a reboot it is ENOTCONN.
func (s *UDPSocket) Send(data []byte, to netip.AddrPort) error {
	if !s.live() {
		return syscall.ENOTCONN
	}
	s.host.dirty = true
	return s.socket.Send(s.host.network.now, data, to)
}

// Join makes the socket, and with it the host, a member of the group on the
// host's first interface.
func (s *UDPSocket) Join(group netip.Addr) error {
	if !s.live() {
		return syscall.ENOTCONN
	}
	if err := s.socket.Join(0, group); err != nil {
		return err
	}
	s.host.dirty = true
	s.groups = append(s.groups, group)
	return s.host.engine.JoinGroup(s.host.network.now, 0, group)
}

// Close closes the socket and leaves its groups.
func (s *UDPSocket) Close() {
	if !s.live() {
		return
	}
	s.closed = true
	s.host.dirty = true
	s.socket.Close(s.host.network.now)
	for _, g := range s.groups {
		s.host.engine.LeaveGroup(s.host.network.now, 0, g)
	}
}

// Local returns the local endpoint; see engine.UDPSocket.Local.
func (s *UDPSocket) Local() netip.AddrPort { return s.socket.Local() }

// Info is engine.UDPSocket.Info.
func (s *UDPSocket) Info() engine.UDPInfo { return s.socket.Info() }
