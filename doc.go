// Package trivet is a TCP/IP host in user space: it gives net.Listener, net.Conn
// and net.PacketConn over links of one's choice.
//
// A Stack is a host. It is attached to links (memory, TUN, or a device of
// one's own; see package link) and used like package net:
//
//	s, err := trivet.New(trivet.Config{})
//	err = s.AddLink(device, netip.MustParsePrefix("10.1.0.2/24"))
//	ln, err := s.Listen("tcp", ":80")
//	c, err := s.Dial("tcp", "10.1.0.1:7")
//	err = s.Close(ctx)
//
// Conn and Listener do what *net.TCPConn and *net.TCPListener do, with the
// same errors, so net/http, crypto/tls and the like run on them unchanged; an
// http.Transport takes Stack.DialContext. As with package net, Nagle's
// algorithm is off and keep-alive is on.
//
// The protocol itself is in packages tcp and engine, which know no clock,
// goroutine or lock. This package adds those: the connections are spread over
// shards, each an engine behind one mutex; a goroutine for each link reads
// packets and runs them to completion; a user's call runs in the user's own
// goroutine. There is no goroutine for each connection. All waiting is on
// channels with no lock held, so a Stack runs in virtual time in a bubble of
// testing/synctest, provided that it was made there.
//
// UDPConn is to UDP what *net.UDPConn is. Names can be looked up over the Stack
// itself: a net.Resolver with PreferGo and Dial: s.DialContext asks name servers
// by it.
//
// # Socket options
//
// What setsockopt sets elsewhere is set by methods of Conn with the names of
// those of *net.TCPConn (SO_KEEPALIVE, SO_LINGER, SO_RCVBUF, SO_SNDBUF,
// TCP_NODELAY, and two more for TCP_CONGESTION and TCP_QUICKACK), by fields of
// ListenConfig (SO_REUSEPORT, the backlog), and for the rest by fields of
// tcp.Options, which ListenConfig, Dialer and Conn.SetOptions take. Values that
// Linux refuses are refused. SO_REUSEADDR is as if always set.
//
// # Limits
//
// Host names are looked up by Config.Resolve or Dialer.Resolver only; without
// them, addresses must be IP literals or localhost. Zones of IPv6 addresses are
// ignored. Ports under 1024 need no permission. No socket has a descriptor, so
// that what package net does with one is not there: File, SyscallConn, and the
// control messages of ReadMsgUDP and WriteMsgUDP; UDPConn.ReadDatagram tells what
// they would. A Conn that is dropped without Close stays open: no
// finalizer closes it. When the process dies nothing answers the peers any
// more: call Stack.Close before exiting.
package trivet
