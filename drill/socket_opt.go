package drill

import (
	"strings"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// optionName returns the word that names the option of a call.
func optionName(c *Call) (string, error) {
	e, err := c.arg(2)
	if err != nil {
		return "", err
	}
	if e.Kind != ExprWord {
		return "", &unsupported{"socket option " + e.String()}
	}
	return e.Text, nil
}

// optionFeatures are options that need a feature that there is not.
var optionFeatures = map[string]string{
	"TCP_ZEROCOPY_RECEIVE": "TCP_ZEROCOPY_RECEIVE",
	"TCP_MD5SIG":           "TCP MD5 signatures", "TCP_REPAIR": "TCP_REPAIR",
	"IP_RECVERR": "the error queue", "IPV6_RECVERR": "the error queue",
	"TCP_ULP": "TCP_ULP", "TCP_SAVE_SYN": "TCP_SAVE_SYN",
	"TCP_RTO_MAX_MS": "TCP_RTO_MAX_MS", "TCP_DELACK_MAX_US": "TCP_DELACK_MAX_US", "TCP_RTO_MIN_US": "TCP_RTO_MIN_US",
}

// setsockopt is setsockopt(2).
func (r *runner) setsockopt(c *Call, _ *pendingCall) (attempt, error) {
	s, errno, err := r.sock(c, 0)
	if s == nil {
		return done(failed(errno)), err
	}
	name, err := optionName(c)
	if err != nil {
		return nil, err
	}
	e, err := c.arg(3)
	if err != nil {
		return nil, err
	}
	if name == "SO_LINGER" {
		return r.setLinger(s, e)
	}
	if name == "TCP_FASTOPEN_KEY" {
		return r.setFastOpenKeys(c, s, e)
	}
	if name == "TCP_CONGESTION" {
		name := congestionName(e)
		if name == "" || !tcp.KnownCongestion(name) {
			return nil, &unsupported{"congestion control " + e.String()}
		}
		s.opt.Congestion = name
		r.applyOptions(s)
		return done(outcome{}), nil
	}
	if f := optionFeatures[name]; f != "" {
		return nil, &unsupported{f}
	}
	v, err := e.number()
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(name, "TCP_FASTOPEN"):
		return done(r.setFastOpen(s, name, v)), nil
	case name == "SO_TIMESTAMPING":
		o, err := r.setTimestamping(s, v)
		return done(o), err
	}
	errno, err = s.setOption(r.now, name, v)
	if err != nil {
		return nil, err
	}
	if errno != 0 {
		return done(failed(errno)), nil
	}
	r.applyOptions(s)
	return done(outcome{}), nil
}

// applyOptions gives the options to the connection or the listener, if there
// is one already.
func (r *runner) applyOptions(s *socket) {
	switch {
	case s.conn != nil:
		s.conn.SetOptions(r.now, s.opt)
	case s.listener != nil:
		s.listener.SetOptions(s.opt)
	}
}

// congestionName returns the text of "reno" or ["reno"].
func congestionName(e *Expr) string {
	if e.Kind == ExprList && len(e.List) == 1 {
		e = e.List[0]
	}
	return e.Text
}

// setLinger sets SO_LINGER from {onoff=1, linger=5}.
func (r *runner) setLinger(s *socket, e *Expr) (attempt, error) {
	if e.Kind == ExprList && len(e.List) == 1 {
		e = e.List[0]
	}
	on, secs := e.Field("onoff"), e.Field("linger")
	if on == nil || secs == nil {
		return nil, failf("expected {onoff=, linger=}, found %v", e)
	}
	n, err := on.number()
	if err != nil {
		return nil, err
	}
	t, err := secs.number()
	s.linger, s.values["SO_LINGER"] = -1, t
	if n != 0 {
		s.linger = time.Duration(t) * time.Second
	}
	return done(outcome{}), err
}

// seconds checks a number of seconds of TCP_KEEPIDLE and TCP_KEEPINTVL.
func seconds(v int64, d *time.Duration) syscall.Errno {
	if v < 1 || v > 32767 {
		return syscall.EINVAL
	}
	*d = time.Duration(v) * time.Second
	return 0
}

// setOption sets an option to a number.
func (s *socket) setOption(now tcp.Time, name string, v int64) (syscall.Errno, error) {
	o := &s.opt
	switch name {
	case "SO_ZEROCOPY":
		if v < 0 || v > 1 {
			return syscall.EINVAL, nil
		}
	case "SO_MARK", "SO_PRIORITY", "SO_BUSY_POLL": // about routes, queues and drivers that are not there
	case "SO_REUSEADDR", "SO_REUSEPORT", "IP_FREEBIND", "IPV6_FREEBIND", "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER", "SO_DEBUG",
		"SO_OOBINLINE", "IPV6_V6ONLY", "TCP_THIN_LINEAR_TIMEOUTS", "TCP_THIN_DUPACK", "SO_BROADCAST", "SO_DONTROUTE",
		"IP_TRANSPARENT", "IPV6_TRANSPARENT", "IP_BIND_ADDRESS_NO_PORT":
	case "SO_SNDBUF", "SO_SNDBUFFORCE":
		o.SendBuffer = int(2 * v)
		s.values["SO_SNDBUF"] = int64(o.WithDefaults().SendBuffer)
		return 0, nil
	case "SO_RCVBUF", "SO_RCVBUFFORCE":
		// Linux doubles the value to pay for its overhead. Where no memory is
		// counted, the half that is left for data is what counts.
		s.values["SO_RCVBUF"] = max(2*v, 2304)
		o.RecvBuffer = int(v)
		if s.memory {
			o.RecvBuffer = int(s.values["SO_RCVBUF"])
		}
		return 0, nil
	case "SO_KEEPALIVE":
		o.KeepAlive = v != 0
	case "TCP_NODELAY":
		o.NoDelay = v != 0
		if s.conn != nil {
			s.conn.SetNoDelay(now, o.NoDelay)
		}
	case "TCP_CORK":
		o.Cork = v != 0
	case "TCP_INQ":
		if v < 0 || v > 1 {
			return syscall.EINVAL, nil
		}
		s.inq = v != 0
	case "TCP_KEEPIDLE":
		return seconds(v, &o.KeepIdle), nil
	case "TCP_KEEPINTVL":
		return seconds(v, &o.KeepInterval), nil
	case "TCP_KEEPCNT":
		if v < 1 || v > 127 {
			return syscall.EINVAL, nil
		}
		o.KeepCount = int(v)
	case "TCP_SYNCNT":
		if v < 1 || v > 127 {
			return syscall.EINVAL, nil
		}
		o.SynRetries = int(v)
	case "TCP_LINGER2":
		o.FinWait2 = time.Duration(min(v, 120)) * time.Second
	case "TCP_WINDOW_CLAMP":
		o.WindowClamp = int(v)
		s.values[name] = int64(o.WithDefaults().WindowClamp)
		return 0, nil
	case "TCP_DEFER_ACCEPT":
		o.DeferAccept = time.Duration(max(v, 0)) * time.Second
	case "TCP_NOTSENT_LOWAT":
		o.NotSentLowat = int(v & 0xffffffff)
	case "SO_RCVLOWAT":
		o.RecvLowat = int(v)
	case "SO_MAX_PACING_RATE":
		o.MaxPacingRate = max(v, 0)
	case "TCP_QUICKACK":
		if s.conn != nil {
			s.conn.SetQuickAck(now, v != 0)
		}
	case "TCP_USER_TIMEOUT":
		if v < 0 {
			return syscall.EINVAL, nil
		}
		o.UserTimeout = time.Duration(v) * time.Millisecond
	case "TCP_MAXSEG":
		if v != 0 && (v < 88 || v > 32767) {
			return syscall.EINVAL, nil
		}
		o.MaxSeg = int(v)
	case "IP_TOS", "IPV6_TCLASS":
		o.TOS = uint8(v)
	case "IP_TTL", "IPV6_UNICAST_HOPS":
		if v < 1 || v > 255 {
			return syscall.EINVAL, nil
		}
		o.TTL = uint8(v)
	default:
		return 0, &unsupported{"socket option " + name}
	}
	s.values[name] = v
	return 0, nil
}
