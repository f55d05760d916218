package conformance

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// events are the 40 events of the checklist, Section 2.0.
var events = map[string]func(*trial){
	"OPENA":  (*trial).openActive,
	"OPENP":  (*trial).openPassive,
	"SEND":   (*trial).callSend,
	"RECV":   (*trial).callReceive,
	"CLOSE":  (*trial).callClose,
	"ABORT":  (*trial).callAbort,
	"STATUS": (*trial).callStatus,

	"RST=":   func(t *trial) { t.reset(0) },
	"RST~":   func(t *trial) { t.reset(9) },
	"RSTx":   func(t *trial) { t.reset(t.outside()) },
	"SYN":    (*trial).segSyn,
	"SYNACK": (*trial).segSynAck,
	"SYNFIN": (*trial).segSynFin,

	"ACKn":  (*trial).ackNew,
	"ACKd":  (*trial).ackDuplicate,
	"ACKo":  func(t *trial) { t.send(wire.ACK, 0, t.peer.una.Add(neg(10)), t.some()) },
	"ACKx":  func(t *trial) { t.send(wire.ACK, 0, t.peer.una.Add(neg(peerWindow+1)), t.some()) },
	"ACKf":  (*trial).ackFuture,
	"NOACK": func(t *trial) { t.send(0, 0, 0, 5) },

	"DATA":   func(t *trial) { t.delayed(); t.text(0, 5) },
	"OOO":    func(t *trial) { t.text(10, 5) },
	"DOLD":   func(t *trial) { t.text(-10, 5) },
	"DRIGHT": func(t *trial) { t.text(t.window()+10, 5) },
	"DTRIM":  (*trial).segTrim,
	"DZW":    (*trial).segZeroWindow,
	"FIN":    func(t *trial) { t.finAt(0) },
	"FINg":   (*trial).segFinGap,
	"FINd":   (*trial).segFinAgain,
	"URG":    (*trial).segUrgent,

	"USERTO":  (*trial).timeUser,
	"RTO":     (*trial).timeRetransmit,
	"R2":      (*trial).timeR2,
	"PERSIST": (*trial).timePersist,
	"KEEP":    (*trial).timeKeepAlive,
	"KEEPX":   (*trial).timeKeepAliveSpent,
	"2MSL":    (*trial).timeTimeWait,
	"FW2":     (*trial).timeFinWait2,

	"IHARD": (*trial).icmpHard,
	"ISOFT": (*trial).icmpSoft,
	"IPTB":  (*trial).icmpTooBig,
}

func neg(n int) seqnum.Size { return seqnum.Size(-n) }

// ack is the acknowledgment that goes with segments which are not about it:
// of nothing new, but in SYN-SENT and SYN-RECEIVED of the SYN, and in LISTEN
// of the cookie.
func (t *trial) ack() seqnum.Value {
	switch {
	case t.has("bad-ack"):
		return t.peer.nxt.Add(1)
	case t.has("acks") || t.begins("LI", "SS", "SR"):
		return t.peer.nxt
	}
	return t.peer.una
}

// some is how much text goes with an ACK: none, unless the variant says so.
func (t *trial) some() int {
	if t.has("with-text") {
		return 5
	}
	return 0
}

// outside is an offset outside the window: right of it, or left.
func (t *trial) outside() int {
	if t.has("left") {
		return -10
	}
	return t.window() + 10
}

// User calls.

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

// Segments.

// reset sends a RST, in SYN-SENT with or without an ACK.
func (t *trial) reset(offset int) {
	switch {
	case t.has("acks"):
		t.send(wire.RST|wire.ACK, offset, t.peer.nxt, 0)
	case t.has("bad-ack"):
		t.send(wire.RST|wire.ACK, offset, t.peer.nxt.Add(1), 0)
	default:
		t.send(wire.RST, offset, 0, 0)
	}
}

// synOffset is the sequence number of a SYN: that of the first one ("again"),
// in the window ("new"), beyond it ("far"), or what comes next.
func (t *trial) synOffset() int {
	switch {
	case t.has("again"):
		return peerISN.Diff(t.peer.seq)
	case t.has("new"):
		return 9
	case t.has("far"):
		return 100_000
	case t.has("below"):
		return -9
	}
	return 0
}

func (t *trial) segSyn() {
	switch {
	case t.has("newer"):
		t.now = t.now.Add(100 * time.Millisecond)
	case t.has("older"):
		t.peer.tsval = t.tsval() - 100
	}
	if t.has("nobody-listens") {
		t.listener.Close(t.now)
	}
	t.send(wire.SYN, t.synOffset(), 0, 0)
	if t.begins("TW") && t.next() == "SR" {
		t.after = func() {
			t.peer.seq = t.in.Seq.Add(1)
			t.acknowledge()
			if c := t.listener.Accept(); c == nil || c.State() != tcp.StateEstablished {
				t.Error("the new incarnation is not accepted")
			} else {
				c.Abort(t.now)
			}
		}
	}
}

func (t *trial) segSynAck() {
	t.send(wire.SYN|wire.ACK, t.synOffset(), t.ack(), t.some())
}

func (t *trial) segSynFin() { t.send(wire.SYN|wire.FIN, t.synOffset(), 0, 0) }

// ackNew acknowledges what is outstanding: text, or our FIN, or text alone.
func (t *trial) ackNew() {
	switch {
	case t.begins("F2", "TW"):
		t.absent = true
		if i := t.conn.Info(t.now); i.SndUna != i.SndNxt || t.peer.una != t.peer.nxt {
			t.Errorf("outstanding: [%d, %d)", i.SndUna, i.SndNxt)
		}
		return
	case t.has("waiting"):
		t.peer.window = 2000
		t.acknowledge()
		t.write(3000)
		t.mark()
	case t.begins("ES", "CW") && !t.has("text"):
		t.write(10)
		t.mark()
	}
	ack := t.peer.nxt
	if t.begins("F1", "CG", "LA") && t.has("text") {
		ack = t.peer.una.Add(10)
	}
	t.send(wire.ACK, 0, ack, 0)
}

// ackDuplicate acknowledges SND.UNA.
func (t *trial) ackDuplicate() {
	if t.begins("ES", "CW") && !t.has("idle") {
		t.write(10)
		t.mark()
	}
	if t.has("other-window") {
		t.peer.window = 1000
	}
	offset := 0
	if t.has("elsewhere") {
		offset = 9
	}
	t.send(wire.ACK, offset, t.peer.una, t.some())
}

// ackFuture acknowledges what was never sent. The peer's clock has ticked, so
// that TS.Recent could change.
func (t *trial) ackFuture() {
	if !t.begins("SS") {
		t.now = t.now.Add(20 * time.Millisecond)
	}
	t.send(wire.ACK, 0, t.peer.nxt.Add(10), t.some())
}

func (t *trial) text(offset, n int) {
	flags := wire.ACK
	if t.has("syn") {
		flags |= wire.SYN
	}
	t.send(flags, offset, t.ack(), n)
}

// delayed uses up the segments that are acknowledged at once because the
// connection is new.
func (t *trial) delayed() {
	if !t.has("delayed") {
		return
	}
	for range 20 {
		t.deliver(1)
	}
	if n, err := t.read(); n != 20 || err != nil {
		t.Fatalf("Read = %d, %v, want 20", n, err)
	}
	t.wait(time.Second)
	t.mark()
	t.after = func() {
		t.mark()
		t.wait(40 * time.Millisecond)
		if len(t.sent) != 1 || t.sent[0].Ack != t.peer.seq.Add(5) {
			t.Errorf("%s sent after the delay, want ACK", t.segments())
		}
	}
}

// segZeroWindow sends text into a window of zero. That of a half-open
// connection of a listener never is: nobody could have filled the buffer.
func (t *trial) segZeroWindow() {
	if t.has("passive") {
		t.absent = true
		if t.window() <= 0 {
			t.Errorf("window of %d bytes", t.window())
		}
		return
	}
	if !t.begins("CL", "LI", "SS") && t.window() != 0 {
		t.Fatalf("window of %d bytes, want 0", t.window())
	}
	t.text(0, 5)
}

// segTrim sends text of which only a part is new and in the window.
func (t *trial) segTrim() {
	switch {
	case t.has("left"):
		t.text(-5, 10)
	case t.has("right"):
		t.text(t.window()-5, 10)
	default:
		t.text(-5, t.window()+10)
	}
}

func (t *trial) finAt(offset int) {
	flags := wire.FIN | wire.ACK
	if t.has("no-ack") {
		flags = wire.FIN
	}
	if t.begins("TW") {
		t.now = t.now.Add(time.Second)
	}
	t.send(flags, offset, t.ack(), t.some())
}

// segFinGap sends a FIN after a gap. When the gap is filled, the user reads up
// to it.
func (t *trial) segFinGap() {
	t.finAt(10)
	if !t.begins("ES", "F1", "F2") {
		return
	}
	t.after = func() {
		t.send(wire.ACK, 0, t.peer.una, 10)
		want := fmt.Sprintf("%dB EOF", 10+t.some())
		if got := t.reads(); got != want {
			t.Errorf("user reads %s after the gap is filled, want %s", got, want)
		}
	}
}

// segFinAgain sends the FIN again. Where none has come yet, there is none that
// could come again: the user is not at the end of the stream.
func (t *trial) segFinAgain() {
	if t.begins("ES", "F1", "F2") {
		t.absent = true
		if _, err := t.read(); err != syscall.EAGAIN {
			t.Errorf("Read: %v, want EAGAIN", err)
		}
		return
	}
	t.finAt(-1)
}

// segUrgent sends urgent data's announcement, and repeats it.
func (t *trial) segUrgent() {
	t.send(wire.URG|wire.ACK, 0, t.ack(), t.some())
	if t.begins("ES", "F1", "F2") && !t.has("with-text") {
		t.send(wire.URG|wire.ACK, 0, t.ack(), 0)
	}
}

// Time.

func (t *trial) timeUser() {
	const limit = 100 * time.Millisecond
	set := func(o *tcp.Options) { o.UserTimeout = limit }
	switch {
	case t.begins("CL", "LI", "TW"):
		if t.conn != nil {
			t.setOptions(set)
		}
		t.never(tcp.TimerUserTimeout, tcp.RuleUserTimeout)
	case t.has("passive"):
		t.until(tcp.RuleSynAckExhausted) // the only limit, with no user to set one
	case t.has("keep-alive"):
		t.setOptions(func(o *tcp.Options) { o.UserTimeout = time.Hour + 30*time.Second })
		t.until(tcp.RuleKeepAliveDead)
	case t.has("idle"):
		t.setOptions(set)
		t.never(tcp.TimerUserTimeout, tcp.RuleUserTimeout)
	default:
		if t.begins("ES", "CW") && !t.has("text") {
			t.write(10)
		}
		t.setOptions(set)
		t.until(tcp.RuleUserTimeout)
	}
}

// timeRetransmit lets the retransmission time-out pass, of what is outstanding.
func (t *trial) timeRetransmit() {
	rules := []tcp.Rule{tcp.RuleRetransmitTimeout, tcp.RuleSynAckRetransmit}
	switch {
	case t.begins("CL", "LI", "F2", "TW"):
		t.never(tcp.TimerRetransmit, rules...)
	case t.begins("ES", "CW"):
		t.write(10)
		fallthrough
	default:
		t.until(rules...)
	}
}

// timeR2 lets all retransmissions go unanswered.
func (t *trial) timeR2() {
	rules := []tcp.Rule{tcp.RuleRetriesExhausted, tcp.RuleSynAckExhausted}
	if t.begins("CL", "LI", "F2", "TW") {
		t.never(tcp.TimerRetransmit, rules...)
		return
	}
	if t.begins("ES", "CW") {
		t.write(10)
	}
	if t.has("soft") {
		t.unreachable(wire.ICMPHostUnreachable, t.peer.una)
	}
	t.until(rules...)
}

// timePersist lets the persist timer fire while the peer's window is zero.
func (t *trial) timePersist() {
	rules := []tcp.Rule{tcp.RuleZeroWindowProbe, tcp.RuleSillyWindowOverride}
	if !t.has("shut-wnd") {
		t.never(tcp.TimerPersist, rules...)
		return
	}
	if t.has("orphan") {
		t.probesUntilOver()
		return
	}
	t.until(rules...)
	// RFC 9293, Section 3.8.6.1: never fatal while the peer answers.
	state, probes := t.next(), t.sent
	t.after = func() {
		for range 50 {
			t.until(rules...)
			t.send(wire.ACK, 0, t.peer.una, 0)
		}
		if t.next() != state || len(probes) == 0 {
			t.Errorf("%s after 50 probes that were answered, want %s", t.next(), state)
		}
	}
}

// probesUntilOver answers the probes of a connection that nobody owns, until
// there are no more.
func (t *trial) probesUntilOver() {
	n := 0
	for ; n < 100 && t.next() == t.state; n++ {
		t.until(tcp.RuleZeroWindowProbe, tcp.RuleRetriesExhausted)
		if t.rules[tcp.RuleZeroWindowProbe] > 0 {
			t.send(wire.ACK, 0, t.peer.una, 0)
		}
	}
	if n != 9 {
		t.Errorf("over after %d probes, want 8", n-1)
	}
}

// timeKeepAlive lets the idle time pass.
func (t *trial) timeKeepAlive() {
	if t.has("busy") {
		// Retransmissions that go unanswered would end the connection first.
		t.write(10)
		t.setOptions(func(o *tcp.Options) { o.KeepIdle, o.KeepInterval = time.Second, time.Second })
	}
	if t.has("idle") && t.has("keep-alive") {
		t.until(tcp.RuleKeepAliveProbe)
		return
	}
	if t.conn != nil && !t.has("off") {
		t.setOptions(func(o *tcp.Options) { o.KeepAlive, o.KeepIdle = true, time.Second })
	}
	t.never(noTimer, tcp.RuleKeepAliveProbe)
}

// timeKeepAliveSpent lets all probes go unanswered.
func (t *trial) timeKeepAliveSpent() {
	if t.has("idle") {
		t.until(tcp.RuleKeepAliveDead)
		return
	}
	if t.conn != nil {
		t.setOptions(func(o *tcp.Options) { o.KeepAlive, o.KeepIdle, o.KeepInterval = true, time.Second, time.Second })
	}
	t.never(noTimer, tcp.RuleKeepAliveDead)
}

func (t *trial) timeTimeWait() {
	if !t.begins("TW") {
		t.never(tcp.TimerTimeWait, tcp.RuleTimeWaitExpired)
		return
	}
	t.until(tcp.RuleTimeWaitExpired)
	t.listener.Close(t.now)
	t.after = func() { // the port can be used again
		c, err := t.e.Dial(t.now, t.peer.tuple.Local(), t.peer.tuple.Remote(), tcp.Options{})
		if err != nil {
			t.Errorf("Dial from the same port: %v", err)
			return
		}
		c.Abort(t.now)
	}
}

func (t *trial) timeFinWait2() {
	if !t.has("orphan") {
		t.never(tcp.TimerFinWait2, tcp.RuleFinWait2Timeout)
		return
	}
	start := t.now
	t.until(tcp.RuleFinWait2Timeout)
	if d := t.now.Sub(start); d != time.Minute {
		t.Errorf("FIN-WAIT-2 ends after %v, want 1m", d)
	}
	t.after = func() { // what comes later meets CLOSED
		t.listener.Close(t.now)
		t.mark()
		t.text(0, 5)
		if got := t.segments(); got != "RST(a)" {
			t.Errorf("later text is answered by %s, want RST(a)", got)
		}
	}
}

// ICMP.

func (t *trial) icmpHard() {
	t.outstanding(10)
	code := wire.ICMPPortUnreachable
	if t.has("protocol") {
		code = wire.ICMPProtocolUnreachable
	}
	t.unreachable(code, t.peer.una)
}

func (t *trial) icmpSoft() {
	t.outstanding(10)
	code := wire.ICMPHostUnreachable
	if t.has("net") {
		code = wire.ICMPNetUnreachable
	}
	t.unreachable(code, t.peer.una)
}

func (t *trial) icmpTooBig() {
	t.outstanding(1400)
	t.icmp(3, 4, 1000, t.peer.una)
}

// outstanding has the user send n bytes, where he can.
func (t *trial) outstanding(n int) {
	if t.has("half") {
		t.syn()
	}
	if t.begins("ES", "CW") {
		t.write(n)
	}
	t.mark()
}

func (t *trial) unreachable(code int, seq seqnum.Value) { t.icmp(3, byte(code), 0, seq) }

// icmp lets the host have an ICMP error from a router about a segment of its
// own with the sequence number.
func (t *trial) icmp(typ, code byte, rest uint32, seq seqnum.Value) {
	if t.has("half") {
		defer t.away()
	}
	quote := ipHeader(hostAddr, peerAddr, wire.ProtoTCP, 40)
	quote = binary.BigEndian.AppendUint16(quote, t.peer.tuple.LocalPort)
	quote = binary.BigEndian.AppendUint16(quote, t.peer.tuple.RemotePort)
	quote = binary.BigEndian.AppendUint32(quote, uint32(seq))
	m := binary.BigEndian.AppendUint32([]byte{typ, code, 0, 0}, rest)
	m = append(m, quote...)
	binary.BigEndian.PutUint16(m[2:], checksum(m))
	t.packet(append(ipHeader(netip.MustParseAddr("10.0.0.9"), hostAddr, wire.ProtoICMP, 20+len(m)), m...))
}

func ipHeader(src, dst netip.Addr, protocol byte, size int) []byte {
	b := make([]byte, 20)
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return b
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// errName is an error as the table writes it.
func errName(err error) string {
	switch e := err.(type) {
	case nil:
		return "ok"
	case syscall.Errno:
		for name, errno := range errnos {
			if e == errno {
				return name
			}
		}
	}
	if err == io.EOF {
		return "EOF"
	}
	return err.Error()
}

var errnos = map[string]syscall.Errno{
	"EAGAIN": syscall.EAGAIN, "EPIPE": syscall.EPIPE, "ENOTCONN": syscall.ENOTCONN, "EINVAL": syscall.EINVAL,
	"ECONNRESET": syscall.ECONNRESET, "ECONNREFUSED": syscall.ECONNREFUSED, "ETIMEDOUT": syscall.ETIMEDOUT,
	"EADDRINUSE": syscall.EADDRINUSE, "EADDRNOTAVAIL": syscall.EADDRNOTAVAIL, "ENOPROTOOPT": syscall.ENOPROTOOPT,
	"ENETUNREACH": syscall.ENETUNREACH, "EHOSTUNREACH": syscall.EHOSTUNREACH,
}
