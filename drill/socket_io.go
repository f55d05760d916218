package drill

import (
	"syscall"

	"github.com/trivet-net/trivet/tcp"
)

// ioFlags are the MSG_ flags that are known: MSG_FASTOPEN, MSG_NOSIGNAL,
// MSG_DONTWAIT, MSG_WAITALL, MSG_MORE, MSG_PEEK, MSG_EOR, MSG_ZEROCOPY,
// MSG_ERRQUEUE, and MSG_TRUNC, which throws away what is read.
const ioFlags = 0x20000000 | 0x4000 | 0x40 | 0x100 | 0x8000 | 2 | 0x80 | 0x4000000 | 0x2000 | 0x20

// flagFeatures are the flags that need a feature that there is not.
var flagFeatures = []struct {
	name    string
	feature string
}{
	{"MSG_OOB", "urgent data"},
}

// checkFlags refuses flags that need what there is not.
func checkFlags(flags int64) error {
	for _, f := range flagFeatures {
		if flags&constants[f.name] != 0 {
			return &unsupported{f.feature}
		}
	}
	if flags&^ioFlags != 0 {
		return &unsupported{"MSG_ flags"}
	}
	return nil
}

// transfer is what a reading or writing call says.
type transfer struct {
	socket *socket
	errno  syscall.Errno // instead of a transfer
	n      int64         // bytes
	flags  int64

	hasStamps bool // a control message says which times of it are wanted
	stamps    int64
}

// sendFlags are the flags as the stack has them.
func (t *transfer) sendFlags() tcp.SendFlags {
	var f tcp.SendFlags
	if t.flags&constants["MSG_MORE"] != 0 {
		f |= tcp.More
	}
	if t.flags&constants["MSG_EOR"] != 0 {
		f |= tcp.EndOfRecord
	}
	return f
}

// transferOf reads the arguments fd, buffer, length and flags.
func (r *runner) transferOf(c *Call) (t transfer, err error) {
	if t.socket, t.errno, err = r.sock(c, 0); err != nil {
		return t, err
	}
	if t.n, err = c.intArg(2); err != nil {
		return t, err
	}
	if len(c.Args) > 3 && c.Name != "read" && c.Name != "write" {
		if t.flags, err = c.intArg(3); err != nil {
			return t, err
		}
	}
	if t.n < 0 || t.n > 1<<26 {
		return t, failf("a length of %d", t.n)
	}
	if t.errno == 0 && c.Args[1].Text == "NULL" && t.n > 0 {
		t.errno = syscall.EFAULT
	}
	return t, checkFlags(t.flags)
}

// vectors adds up the lengths of a list of {..., n} or the text of strings.
func vectors(e *Expr) (int64, error) {
	if e == nil || e.Kind != ExprList {
		return 0, failf("expected a list of vectors")
	}
	total := int64(0)
	for _, v := range e.List {
		if v.Kind != ExprStruct || len(v.List) != 2 {
			return 0, failf("expected {..., length}, found %v", v)
		}
		n, err := v.List[1].number()
		if err != nil {
			return 0, err
		}
		total += n
	}
	if total < 0 || total > 1<<26 {
		return 0, failf("a length of %d", total)
	}
	return total, nil
}

// transferOfVectors reads the arguments fd, vectors.
func (r *runner) transferOfVectors(c *Call) (t transfer, err error) {
	if t.socket, t.errno, err = r.sock(c, 0); err != nil {
		return t, err
	}
	e, err := c.arg(1)
	if err == nil {
		t.n, err = vectors(e)
	}
	return t, err
}

// transferOfMessage reads the arguments fd, msghdr, flags.
func (r *runner) transferOfMessage(c *Call) (t transfer, m *Expr, err error) {
	if t.socket, t.errno, err = r.sock(c, 0); err != nil {
		return t, nil, err
	}
	if m, err = c.arg(1); err != nil {
		return t, nil, err
	}
	if t.n, err = vectors(m.Field("msg_iov")); err != nil {
		return t, nil, err
	}
	if t.flags, err = c.intArg(2); err != nil {
		return t, nil, err
	}
	return t, m, checkFlags(t.flags)
}

// read is read(2), recv(2) and recvfrom(2).
func (r *runner) read(c *Call, _ *pendingCall) (attempt, error) {
	if d, err := r.fd(c, 0); err == nil && d != nil && d.socket == nil {
		return r.readFile(c, d)
	}
	t, err := r.transferOf(c)
	if err != nil {
		return nil, err
	}
	if t.flags&constants["MSG_ERRQUEUE"] != 0 {
		return r.receiveError(t, nil)
	}
	return r.receive(t), nil
}

func (r *runner) readv(c *Call, _ *pendingCall) (attempt, error) {
	t, err := r.transferOfVectors(c)
	if err != nil {
		return nil, err
	}
	return r.receive(t), nil
}

// recvmsg is recvmsg(2): what comes with the text is compared, too.
func (r *runner) recvmsg(c *Call, _ *pendingCall) (attempt, error) {
	t, m, err := r.transferOfMessage(c)
	if err != nil {
		return nil, err
	}
	if t.flags&constants["MSG_ERRQUEUE"] != 0 {
		return r.receiveError(t, m)
	}
	try := r.receive(t)
	return func() (outcome, bool) {
		o, over := try()
		if over && o.errno == 0 && o.check == nil {
			o.check = r.compareMessage(m, 0, r.readControls(t.socket, o.n))
		}
		return o, over
	}, nil
}

// inQueue is what TCP_CM_INQ says: the bytes to be read, and 1 for the end
// when there are none.
func (r *runner) inQueue(s *socket) int64 {
	i := s.conn.Info(r.now)
	if i.Unread == 0 && s.finReceived() {
		return 1
	}
	return int64(i.Unread)
}

// receive is the attempt of all reading calls.
func (r *runner) receive(t transfer) attempt {
	s := t.socket
	if t.errno != 0 {
		return done(failed(t.errno))
	}
	if s.conn == nil {
		return done(failed(syscall.ENOTCONN))
	}
	b := make([]byte, t.n)
	got := 0
	// A call that may wait does so for SO_RCVLOWAT bytes, if it wants as many.
	least := min(int(t.n), max(s.opt.RecvLowat, 1))
	if t.flags&constants["MSG_WAITALL"] != 0 {
		least = int(t.n)
	}
	nonblock := s.nonblock || t.flags&constants["MSG_DONTWAIT"] != 0
	return func() (outcome, bool) {
		if t.flags&constants["MSG_PEEK"] != 0 && s.conn.Info(r.now).Unread > 0 {
			n, err := s.conn.Peek(r.now, b)
			return outcome{n: int64(n), errno: errnoOf(err), check: s.verify(b[:n])}, true
		}
		n, errno, err := s.readSome(r.now, b[got:s.urgentMark(r.now, got, len(b))])
		got += n
		if n > 0 && s.conn.Info(r.now).Urgent == 1 && s.values["SO_OOBINLINE"] == 0 {
			return outcome{n: int64(got), check: err}, true // the mark: the next read goes on behind it
		}
		switch {
		case err != nil:
			return outcome{n: int64(got), check: err}, true
		case errno == syscall.EAGAIN && got == 0:
			return failed(errno), nonblock
		case errno != 0 && errno != syscall.EAGAIN && got == 0:
			return failed(errno), true
		case (n > 0 || errno == syscall.EAGAIN) && got < least && !nonblock:
			return outcome{}, false
		}
		return outcome{n: int64(got)}, true
	}
}

// urgentMark returns how far a read of got to want bytes may go: without
// SO_OOBINLINE to the last byte of urgent data, which is taken out of the stream
// (tcp(7)).
func (s *socket) urgentMark(now tcp.Time, got, want int) int {
	if s.values["SO_OOBINLINE"] != 0 {
		return want
	}
	switch urgent := s.conn.Info(now).Urgent; urgent {
	case 0:
		return want
	case 1:
		if n, _ := s.conn.Read(now, make([]byte, 1)); n > 0 {
			s.readAt++
		}
		return want
	default:
		return min(want, got+urgent-1)
	}
}

// write is write(2), send(2) and sendto(2).
func (r *runner) write(c *Call, _ *pendingCall) (attempt, error) {
	if d, err := r.fd(c, 0); err == nil && d != nil && d.socket == nil {
		return r.writeFile(c, d)
	}
	t, err := r.transferOf(c)
	if err != nil {
		return nil, err
	}
	if t.flags&constants["MSG_FASTOPEN"] != 0 {
		return r.transmitFast(c, 4, t)
	}
	if t.errno == 0 && r.connectsBySending(c, t.socket) {
		return r.transmitConnecting(c, t)
	}
	if t.errno == 0 && t.socket.waitsForText() {
		return r.transmitFirst(t, t.socket.nonblock || t.flags&constants["MSG_DONTWAIT"] != 0), nil
	}
	return r.transmit(t), nil
}

func (r *runner) writev(c *Call, _ *pendingCall) (attempt, error) {
	t, err := r.transferOfVectors(c)
	if err != nil {
		return nil, err
	}
	return r.transmit(t), nil
}

func (r *runner) sendmsg(c *Call, _ *pendingCall) (attempt, error) {
	t, m, err := r.transferOfMessage(c)
	if err == nil {
		err = t.sendControls(m)
	}
	if err != nil {
		return nil, err
	}
	if t.flags&constants["MSG_FASTOPEN"] != 0 {
		return r.transmitFast(c, len(c.Args), t) // to where msg_name says, as all do
	}
	return r.transmit(t), nil
}

// transmit is the attempt of all writing calls.
func (r *runner) transmit(t transfer) attempt {
	try := r.transmitText(t)
	return func() (outcome, bool) {
		o, over := try()
		if over && o.n > 0 {
			t.socket.noteWrite(&t)
		}
		return o, over
	}
}

// transmitText is the attempt to write the stripes of the connection's stream.
func (r *runner) transmitText(t transfer) attempt {
	s := t.socket
	if t.errno != 0 {
		return done(failed(t.errno))
	}
	if s.conn == nil {
		return done(failed(syscall.EPIPE))
	}
	sent, waits := 0, false
	return func() (outcome, bool) {
		if waits && s.conn.Ready()&tcp.Writable == 0 {
			return outcome{}, false
		}
		if e := s.failed; e != 0 {
			s.failed = 0
			return failed(e), true
		}
		n, errno, check := r.writeSome(s, int(t.n)-sent, t.sendFlags())
		sent += n
		nonblock := s.nonblock || t.flags&constants["MSG_DONTWAIT"] != 0
		switch {
		case errno == 0 || check != nil:
			return outcome{n: int64(sent), check: check}, true
		case errno != syscall.EAGAIN && sent == 0:
			return failed(errno), true
		case errno != syscall.EAGAIN:
			return outcome{n: int64(sent)}, true
		case !nonblock:
			waits = true
			return outcome{}, false
		case sent == 0:
			return failed(errno), true
		}
		return outcome{n: int64(sent)}, true
	}
}

// writeSome writes up to n bytes. When not all fit, they go as with Linux: what
// fills one of its buffers at a time, of which as much is sent as can be before
// the next.
func (r *runner) writeSome(s *socket, n int, flags tcp.SendFlags) (sent int, errno syscall.Errno, err error) {
	for {
		i := s.conn.Info(r.now)
		mss := max(i.SndMSS, 1)
		unit := max(min(maxSuper, i.SndWnd/2)/mss*mss, mss)
		if s.opt.NotSentLowat == 0 && n-sent <= i.SendBuffer-i.Unacked-i.NotSent {
			unit = n - sent
		}
		part := flags
		if n-sent > unit {
			part = 0
		}
		m, err := s.conn.Send(r.now, stripes(s.written(), min(n-sent, unit)), part)
		s.note(m)
		sent += m
		if err != nil && (m == 0 || err != syscall.EAGAIN) {
			return sent, errnoOf(err), nil
		}
		if sent == n {
			return sent, 0, nil
		}
		if err := r.drain(); err != nil {
			return sent, 0, err
		}
	}
}

// written returns how much was written so far.
func (s *socket) written() uint32 {
	if s.flow == nil {
		return 0
	}
	return uint32(len(s.flow.written))
}

// note keeps what was written, to compare it with what is sent.
func (s *socket) note(n int) {
	if s.flow != nil {
		s.flow.written = append(s.flow.written, stripes(s.written(), n)...)
	}
}

// ioctl is ioctl(2) with FIONBIO, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD and SIOCATMARK.
func (r *runner) ioctl(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	want, err := c.intArg(2)
	if err != nil {
		return nil, err
	}
	name := c.Args[1].Text
	if name == "FIONBIO" {
		s.nonblock = want != 0
		return done(outcome{}), nil
	}
	if s.conn == nil {
		return done(failed(syscall.EINVAL)), nil
	}
	return func() (outcome, bool) {
		i := s.conn.Info(r.now)
		got := int64(0)
		switch name {
		case "SIOCINQ", "FIONREAD":
			got = int64(i.Unread)
		case "SIOCOUTQ", "TIOCOUTQ":
			got = int64(i.Unacked + i.NotSent)
		case "SIOCOUTQNSD":
			got = int64(i.NotSent)
		case "SIOCATMARK":
			got = int64(truthInt(i.Urgent == 1)) // the next byte is urgent
		default:
			return outcome{check: &unsupported{"ioctl " + name}}, true
		}
		o := outcome{}
		if got != want {
			o.check = failf("%s is %d, expected %d", name, got, want)
		}
		return o, true
	}, nil
}
