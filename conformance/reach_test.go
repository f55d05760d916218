package conformance

import (
	"net/netip"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Words of a variant that say how a state is reached:
//
//	nobody    CLOSED: there never was a connection; else one that was reset
//	child     LISTEN: a connection waits to be accepted
//	half      LISTEN: a half-open connection
//	cookie    LISTEN: the SYN queue is full; the SYN was answered by a cookie
//	passive   SYN-RECEIVED of a listener
//	active    SYN-RECEIVED by simultaneous open
//	text      something of the user's is outstanding before the FIN
//	shut-wnd  the peer's window is zero from the handshake on
//	queued    so that text waits to be sent
//	full      the user does not read, and the host's window is zero
//	unread    the user has not read the last text
//	orphan    the user called Close, not CloseWrite
//	shut      the user called CloseRead too
//	no-ts     no timestamps option
//	rfc9293   TIME-WAIT obeys a RST

// reach brings the engine into the state.
func (t *trial) reach() {
	t.Helper()
	switch t.state {
	case "CL":
		t.reachClosed()
	case "LI":
		t.reachListen()
	case "SS":
		t.dial()
	case "SR":
		t.reachSynReceived()
	default:
		t.establish()
		t.closing()
	}
	if got := t.next(); got != t.state {
		t.Fatalf("reached %s, not %s", got, t.state)
	}
	if t.conn != nil {
		t.conn.Waker = t
	}
	t.mark()
}

func (t *trial) reachClosed() {
	if t.has("nobody") {
		return
	}
	t.establish()
	t.listener.Close(t.now)
	t.send(wire.RST, 0, 0, 0)
	if !t.has("reset") {
		if err := t.conn.TakeError(); err != syscall.ECONNRESET {
			t.Fatalf("TakeError() = %v after a reset", err)
		}
	}
}

func (t *trial) listen() {
	t.Helper()
	var err error
	at := netip.AddrPortFrom(hostAddr, 80)
	t.listener, err = t.e.Listen(t.now, at, engine.ListenOptions{Options: t.options()})
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
}

func (t *trial) reachListen() {
	t.listen()
	if t.has("cookie") {
		own := t.peer
		t.setTuple(80, 4999)
		t.send(wire.SYN, 0, 0, 0)
		t.peer = own
		t.syn()
	}
}

// syn sends the peer's SYN and takes the SYN,ACK.
func (t *trial) syn() {
	t.Helper()
	t.send(wire.SYN, 0, 0, 0)
	if !t.peer.synAckSeen {
		t.Fatal("no answer to SYN")
	}
	t.peer.seq = t.peer.seq.Add(1)
}

func (t *trial) dial() {
	t.Helper()
	t.setTuple(40000, 80)
	c, err := t.e.Dial(t.now, t.peer.tuple.Local(), t.peer.tuple.Remote(), t.options())
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.conn, t.long = c, true
	t.collect()
}

func (t *trial) reachSynReceived() {
	if t.has("passive") {
		t.listen()
		t.syn()
		return
	}
	t.dial()
	n := 0
	if t.has("full") {
		n = bufferSize
	}
	t.send(wire.SYN, 0, 0, n)
	t.peer.seq = t.peer.seq.Add(1).Add(seqnum.Size(n))
}

// establish makes a connection that the host accepts, on which text has come
// and was read.
func (t *trial) establish() {
	t.Helper()
	t.listen()
	t.syn()
	t.acknowledge()
	t.conn, t.long = t.listener.Accept(), true
	if t.conn == nil {
		t.Fatal("Accept() = nil after the handshake")
	}
	t.deliver(earlier)
	if n, err := t.read(); n != earlier || err != nil {
		t.Fatalf("Read = %d, %v, want %d", n, err, earlier)
	}
	if t.has("shut-wnd") {
		t.peer.window = 0
		t.acknowledge()
	}
	if t.has("full") {
		for t.window() > 0 {
			t.deliver(min(t.window(), 1000))
		}
	}
	if t.has("unread") {
		t.deliver(5)
	}
}

// acknowledge acknowledges everything that the host sent.
func (t *trial) acknowledge() {
	t.send(wire.ACK, 0, t.peer.nxt, 0)
	t.peer.una = t.peer.nxt
}

// deliver sends text that the host takes.
func (t *trial) deliver(n int) {
	t.send(wire.ACK, 0, t.peer.una, n)
	t.peer.seq = t.peer.seq.Add(seqnum.Size(n))
}

// write writes n bytes, all of which the send buffer takes.
func (t *trial) write(n int) {
	t.Helper()
	if m, err := t.conn.Write(t.now, make([]byte, n)); m != n || err != nil {
		t.Fatalf("Write(%d bytes) = %d, %v", n, m, err)
	}
	t.collect()
}

// closing goes on from ESTABLISHED.
func (t *trial) closing() {
	t.Helper()
	if t.begins("CW", "LA") {
		t.fin()
	}
	if t.has("text") || t.has("queued") {
		t.write(10)
	}
	if t.begins("ES", "CW") {
		return
	}
	t.closeWrite()
	if t.begins("CG") {
		t.fin() // which does not acknowledge ours
	}
	if t.begins("F2", "TW") {
		t.acknowledge()
	}
	if t.begins("TW") {
		t.fin()
	}
}

// fin sends the peer's FIN.
func (t *trial) fin() {
	t.send(wire.FIN|wire.ACK, 0, t.peer.una, 0)
	t.peer.seq = t.peer.seq.Add(1)
}

// closeWrite closes the user's side.
func (t *trial) closeWrite() {
	t.Helper()
	if t.has("orphan") {
		t.conn.Close(t.now)
		t.collect()
		return
	}
	if t.has("shut") {
		if err := t.conn.CloseRead(t.now); err != nil {
			t.Fatalf("CloseRead: %v", err)
		}
	}
	if err := t.conn.CloseWrite(t.now); err != nil {
		t.Fatalf("CloseWrite: %v", err)
	}
	t.collect()
}

var _ engine.Waker = (*trial)(nil)

// ready is what the pending call waits for and now is.
func (t *trial) ready() bool { return t.conn.Ready()&t.waitsFor() != tcp.Ready(0) }
