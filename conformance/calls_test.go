package conformance

import (
	"fmt"
	"net/netip"
	"reflect"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
)

// openActive dials. What is open already has no such call: its 4-tuple is taken.
func (t *trial) openActive() {
	t.lacks("Dial", "Connect", "Open")
	if t.begins("LI") {
		return
	}
	local, remote := t.peer.tuple.Local(), t.peer.tuple.Remote()
	switch {
	case t.has("no-remote"):
		remote = netip.AddrPort{}
	case t.has("no-port"):
		remote = netip.AddrPortFrom(remote.Addr(), 0)
	case t.has("no-route"):
		remote = netip.MustParseAddrPort("203.0.113.1:80")
	case t.begins("TW"):
		t.now = t.now.Add(500 * time.Millisecond) // see TIME-WAIT's own variant
	}
	if t.has("later") {
		t.now = t.now.Add(time.Second)
	}
	c, err := t.e.Dial(t.now, local, remote, t.options())
	t.collect()
	t.result = errName(err)
	if err == nil {
		t.conn, t.long = c, true
	}
}

// openPassive listens on the local port.
func (t *trial) openPassive() {
	t.lacks("Listen", "Open")
	if t.has("taken") {
		t.listen()
	}
	l, err := t.e.Listen(t.now, t.peer.tuple.Local(), engine.ListenOptions{})
	t.result = errName(err)
	if err != nil {
		return
	}
	if t.begins("CL") {
		t.conn, t.long = nil, false // the port has another socket now
	}
	t.after = func() { l.Close(t.now) }
}

// lacks asserts that no call of that name exists on a socket.
func (t *trial) lacks(names ...string) {
	var socket any = t.conn
	if t.conn == nil {
		socket = t.listener
	}
	for _, name := range names {
		if _, ok := reflect.TypeOf(socket).MethodByName(name); ok {
			t.Errorf("%T has a method %s", socket, name)
		}
	}
}

// unowned asserts that there is no socket for the call: a half-open connection
// of a listener belongs to nobody yet, and a listener has no stream.
func (t *trial) unowned(names ...string) bool {
	if t.conn != nil {
		return false
	}
	t.absent = true
	if t.listener == nil {
		return true
	}
	t.lacks(names...)
	if t.listener.Accept() != nil {
		t.Error("Accept has a connection")
	}
	return true
}

func (t *trial) callSend() {
	if t.unowned("Write", "Send") {
		return
	}
	n := 5
	if t.has("too-much") {
		n = 2 << 20
	}
	m, err := t.conn.Write(t.now, make([]byte, n))
	t.collect()
	t.result = errName(err)
	if err == syscall.EAGAIN && m > 0 {
		t.result = "part EAGAIN"
		t.sent = t.sent[:1] // as many as the congestion window lets go
	}
}

func (t *trial) callReceive() {
	if t.unowned("Read", "Receive") {
		return
	}
	t.result = t.reads()
	t.collect()
}

func (t *trial) callClose() {
	switch {
	case t.begins("LI"):
		t.listenerEnds()
	case t.unowned("CloseWrite"):
	case t.has("close"):
		t.conn.Close(t.now)
		t.collect()
		t.result = "ok"
	default:
		if t.has("queued") && t.begins("ES", "CW") {
			_, _ = t.conn.Write(t.now, make([]byte, 10)) // goes with the FIN
		}
		t.result = errName(t.conn.CloseWrite(t.now))
		t.collect()
	}
}

// listenerEnds closes the listener, with what waits there.
func (t *trial) listenerEnds() {
	if t.has("child") || t.has("half") {
		t.syn()
	}
	if t.has("child") {
		t.acknowledge()
	}
	t.mark()
	t.listener.Close(t.now)
	t.collect()
	t.result = "ok"
	if t.listener.Accept() != nil {
		t.Error("a closed listener accepts")
	}
}

func (t *trial) callAbort() {
	switch {
	case t.begins("LI"):
		t.listenerEnds()
	case t.unowned("Abort"):
	default:
		t.conn.Abort(t.now)
		t.collect()
		t.result = "ok"
	}
}

// callStatus asks for the state as netstat would and, of a connection, for its
// variables.
func (t *trial) callStatus() {
	t.result = "none"
	if t.has("child") {
		t.syn()
		t.acknowledge()
		t.away()
		t.mark()
	}
	t.e.Sockets(t.now, func(s *engine.SocketInfo) {
		switch {
		case s.Tuple == t.peer.tuple && !t.begins("LI"):
			t.result = s.State.String()
		case s.State == tcp.StateListen && t.begins("LI"):
			t.result = fmt.Sprintf("%v %d of %d", s.State, s.RecvQ, s.SendQ)
		}
	})
	if t.conn == nil || t.begins("CL") {
		return
	}
	i, p := t.conn.Info(t.now), &t.peer
	una, nxt, rcv := seqnum.Value(i.ISS+i.SndUna), seqnum.Value(i.ISS+i.SndNxt), seqnum.Value(i.IRS+i.RcvNxt)
	if i.State.String() != t.result || una != p.una || nxt != p.nxt {
		t.Errorf("Info: %v, SND.UNA %d, SND.NXT %d; want %v, %d, %d", i.State, una, nxt, t.result, p.una, p.nxt)
	}
	if !t.begins("SS") && rcv != p.seq {
		t.Errorf("Info: RCV.NXT %d, want %d", rcv, p.seq)
	}
}
