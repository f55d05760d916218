package drill

import (
	"syscall"

	"github.com/trivet-net/trivet/tcp"
)

// notice is one message of a socket's error queue: a sock_extended_err and, if
// it tells a time, that (ip(7), IP_RECVERR).
type notice struct {
	errno        syscall.Errno
	origin, code int64
	info, data   uint32
	at           tcp.Time // 0: none
	text         bool     // what was sent comes with it, for which there is no room
}

// errorQueue is a socket's error queue (MSG_ERRQUEUE).
type errorQueue struct {
	list []notice
	told uint64 // how often something was put into it, for edges
}

func (q *errorQueue) put(n notice) {
	q.list = append(q.list, n)
	q.told++
}

// last returns the notice that was put last, nil if that is gone.
func (q *errorQueue) last() *notice {
	if len(q.list) == 0 {
		return nil
	}
	return &q.list[len(q.list)-1]
}

// controls returns the control messages that come with a notice.
func (r *runner) controls(n *notice) []control {
	var list []control
	if n.at != 0 {
		list = append(list, timestampControl(n.at))
	}
	level, kind := "SOL_IP", "IP_RECVERR"
	if r.set.ip6 {
		level, kind = "SOL_IPV6", "IPV6_RECVERR"
	}
	return append(list, control{level: level, kind: kind, fields: []controlField{
		{"ee_errno", int64(n.errno)},
		{"ee_origin", n.origin},
		{"ee_type", 0},
		{"ee_code", n.code},
		{"ee_info", int64(n.info)},
		{"ee_data", int64(n.data)},
	}})
}

// receiveError is a reading call with MSG_ERRQUEUE, which never waits: it takes
// the first notice. m is the msghdr that the script expects, nil if the call has
// none.
func (r *runner) receiveError(t transfer, m *Expr) (attempt, error) {
	if t.errno != 0 {
		return done(failed(t.errno)), nil
	}
	q := &t.socket.errors
	if len(q.list) == 0 {
		return done(failed(syscall.EAGAIN)), nil
	}
	n := q.list[0]
	if n.text && t.n > 0 {
		return nil, &unsupported{"the text of what a timestamp is about"}
	}
	q.list = q.list[1:]
	flags := constants["MSG_ERRQUEUE"]
	if n.text {
		flags |= constants["MSG_TRUNC"]
	}
	return done(outcome{check: r.compareMessage(m, flags, r.controls(&n))}), nil
}
