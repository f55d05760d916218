package conformance

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/seqnum"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// segments describes what was sent since the mark in the words of the table.
//
//	SYN  SYN,ACK      with SEQ=ISS; "again" when it was sent before; "above" when
//	                  the ISS is a new one, above the old SND.NXT
//	ACK               <SEQ=SND.NXT><ACK=RCV.NXT>, RCV.NXT as before the event
//	ACK+5             the same, RCV.NXT having grown by 5
//	ACK:sack :dsack   with a SACK block, or with one of what came twice
//	ACK:shut          with a window of zero
//	data FIN data,FIN new, at SND.NXT; "again" when at SND.UNA
//	probe             <SEQ=SND.UNA-1><ACK=RCV.NXT> without text
//	RST(a) RST(s)     as the checklist writes them
//	RST(n)            with ACK=RCV.NXT
//
// What fits none of them is written out with its numbers.
func (t *trial) segments() string {
	if len(t.sent) == 0 {
		return "-"
	}
	var words []string
	nxt := t.before.nxt
	for i := range t.sent {
		s := &t.sent[i]
		words = append(words, t.word(s, nxt))
		if s.Len() > 0 && nxt.Less(s.End()) {
			nxt = s.End()
		}
	}
	return strings.Join(words, " ")
}

func (t *trial) word(s *wire.Segment, nxt seqnum.Value) string {
	f := s.Flags &^ wire.PSH
	switch {
	case f == wire.RST && t.in.Flags.Has(wire.ACK) && s.Seq == t.in.Ack:
		return "RST(a)"
	case f == wire.RST|wire.ACK && t.got && !t.in.Flags.Has(wire.ACK) && s.Seq == 0 && s.Ack == t.in.End():
		return "RST(s)"
	case f == wire.RST|wire.ACK && s.Seq == nxt && s.Ack == t.before.seq:
		return "RST(n)"
	case f == wire.SYN:
		return "SYN" + t.copyOfSyn(s, t.before.synSeen)
	case f == wire.SYN|wire.ACK && (s.Ack == t.before.seq || s.Ack == t.in.Seq.Add(1)):
		return "SYN,ACK" + t.copyOfSyn(s, t.before.synAckSeen)
	case f&^wire.FIN != wire.ACK:
		return numbers(s)
	}
	return t.afterSyn(s, nxt)
}

// copyOfSyn tells whether a SYN is the one that was seen before.
func (t *trial) copyOfSyn(s *wire.Segment, seen bool) string {
	switch {
	case t.before.synSeen && t.before.nxt.Less(s.Seq):
		return " above"
	case t.before.synSeen && s.Seq != t.before.iss:
		return " of " + numbers(s)
	case seen:
		return " again"
	}
	return ""
}

// afterSyn describes segments with ACK and perhaps text and FIN.
func (t *trial) afterSyn(s *wire.Segment, nxt seqnum.Value) string {
	word := "ACK"
	switch {
	case s.PayloadLen > 0 && s.Flags.Has(wire.FIN):
		word = "data,FIN"
	case s.PayloadLen > 0:
		word = "data"
	case s.Flags.Has(wire.FIN):
		word = "FIN"
	}
	switch {
	case s.Seq == nxt:
	case word == "ACK" && s.Seq.Add(1) == t.before.una:
		word = "probe"
	case word != "ACK" && (s.Seq == t.before.una || s.Retransmit):
		word += " again"
	case word != "ACK" && t.before.una.Less(s.Seq) && s.Seq.Less(nxt):
		word += " again"
	default:
		return numbers(s)
	}
	if n := s.Ack.Diff(t.before.seq); n > 0 {
		word += fmt.Sprintf("+%d", n)
	} else if n < 0 {
		return numbers(s)
	}
	for _, b := range s.Options.SACK[:s.Options.NumSACK] {
		if b.Left.Less(s.Ack) {
			word += ":dsack"
		} else {
			word += ":sack"
		}
	}
	if s.Window == 0 {
		word += ":shut"
	}
	return word
}

func numbers(s *wire.Segment) string {
	return fmt.Sprintf("[%v %d:%d ack %d]", s.Flags, s.Seq, s.End(), s.Ack)
}

// A look is a way to find out what the user sees. Each is taken in a run of its
// own: a call changes what the next one returns.
type look int

const (
	lookRead look = iota
	lookWrite
	lookError // SO_ERROR
	lookLater // what the event left to be seen
	looks
)

func (l look) String() string { return [...]string{"reads", "writes", "SO_ERROR", "later"}[l] }

// see returns what the user's calls return, until nothing new comes.
func (t *trial) see(l look) string {
	if t.conn == nil {
		return "none"
	}
	switch l {
	case lookRead:
		return t.reads()
	case lookWrite:
		return t.writes()
	}
	return errName(t.conn.TakeError()) + " " + errName(t.conn.TakeError())
}

// reads reads until the call would wait or the stream is over.
func (t *trial) reads() string {
	var calls []string
	for range 5 {
		n, err := t.read()
		if n > 0 {
			calls = append(calls, fmt.Sprintf("%dB", n))
		}
		if err != nil {
			calls = append(calls, errName(err))
		}
		if err == syscall.EAGAIN || err == io.EOF {
			break
		}
	}
	return strings.Join(calls, " ")
}

// read reads once. Text must be what the peer sent at its place.
func (t *trial) read() (int, error) {
	b := make([]byte, 1<<16)
	n, err := t.conn.Read(t.now, b)
	if want := text(t.unread, n); !bytes.Equal(b[:n], want) {
		t.Errorf("Read returns % x, want % x", b[:n], want)
	}
	t.unread = t.unread.Add(seqnum.Size(n))
	return n, err
}

func (t *trial) writes() string {
	var calls []string
	for range 2 {
		_, err := t.conn.Write(t.now, []byte("x"))
		calls = append(calls, errName(err))
	}
	return strings.Join(calls, " ")
}

// wantSee is what the user's calls return when he sees what the table says: "-"
// nothing but what the state itself brings, "5B" text, an errno an error that
// is told once.
func wantSee(l look, from, to, sees string) string {
	fields := strings.Fields(sees)
	fields = slices.DeleteFunc(fields, func(f string) bool { return f == "-" || f == "accept" })
	var err string
	if n := len(fields); n > 0 && errnos[fields[n-1]] != 0 {
		err = fields[n-1]
		fields = fields[:n-1]
	}
	switch l {
	case lookRead:
		return strings.Join(append(fields, wantRead(from, to, err)), " ")
	case lookWrite:
		then := wantWrite(to)
		if err != "" {
			return err + " " + then
		}
		return then + " " + then
	}
	if err == "" {
		err = "ok"
	}
	return err + " ok"
}

// wantRead is what Read returns when there is no text: after the peer's FIN the
// end of the stream, whatever happened since (SOCK-6); else an error once.
func wantRead(from, to, err string) string {
	ended := []string{"CW", "CG", "LA", "TW"}
	switch {
	case slices.Contains(ended, from) || slices.Contains(ended, to):
		return "EOF"
	case err != "":
		return err + " EOF"
	case to == "CL":
		return "EOF"
	}
	return "EAGAIN"
}

func wantWrite(to string) string {
	switch to {
	case "ES", "CW":
		return "ok"
	case "SS", "SR":
		return "EAGAIN"
	}
	return "EPIPE"
}

// fact is one of the things that an event changes besides.
func (t *trial) fact(name string) string {
	if r, ok := strings.CutPrefix(name, "rule:"); ok {
		return t.ruleCount(r)
	}
	switch name {
	case "path": // states gone through
		return strings.Join(t.path, ">")
	case "2msl": // until TIME-WAIT ends
		return t.expires(tcp.TimerTimeWait)
	case "rto": // until the next retransmission
		return t.expires(tcp.TimerRetransmit)
	case "ts": // whether TS.Recent is the TSval of the segment
		if t.sent[len(t.sent)-1].Options.TSEcr == t.in.Options.TSVal {
			return "new"
		}
		return "old"
	case "queue": // half-open connections
		return fmt.Sprint(t.e.Stats().HalfOpen)
	}
	i := t.conn.Info(t.now)
	switch name {
	case "dup": // ACKs counted as duplicates
		return fmt.Sprint(i.DupAcksIn)
	case "soft":
		if i.SoftError == nil {
			return "none"
		}
		return errName(i.SoftError)
	case "mtu":
		return fmt.Sprint(i.PMTU)
	case "cwnd":
		if i.SndCwnd == t.cwnd {
			return "kept"
		}
		return fmt.Sprintf("%.1fmss", float64(i.SndCwnd)/float64(i.SndMSS))
	case "ooo": // bytes waiting for a gap to be filled
		return fmt.Sprint(i.OutOfOrder)
	case "unacked":
		return fmt.Sprint(i.Unacked)
	case "wnd":
		return fmt.Sprint(i.SndWnd)
	}
	return "unknown fact " + name
}

// expires returns in how many milliseconds the timer fires, "none" if the next
// one is another.
func (t *trial) expires(timer tcp.Timer) string {
	in := "none"
	t.e.Sockets(t.now, func(s *engine.SocketInfo) {
		if s.Tuple == t.peer.tuple && s.Timer == timer && s.Expires != 0 {
			in = fmt.Sprint(s.Expires.Sub(t.now).Milliseconds())
		}
	})
	return in
}

// ruleCount returns how often the rule of that name decided something.
func (t *trial) ruleCount(name string) string {
	for r := range tcp.NumRules {
		if r.String() == name {
			return fmt.Sprint(t.rules[r])
		}
	}
	return "no such rule"
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
