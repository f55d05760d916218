package drill

import (
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// getsockopt is getsockopt(2): it compares the value with the script's.
func (r *runner) getsockopt(c *Call, _ *pendingCall) (attempt, error) {
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
	if f := optionFeatures[name]; f != "" {
		return nil, &unsupported{f}
	}
	if e.Kind == ExprEllipsis {
		return done(outcome{}), nil
	}
	switch name {
	case "TCP_INFO", "TCP_CC_INFO":
		return nil, &unsupported{"getsockopt " + name + " with a value: %{ }% compares it"}
	case "SO_LINGER":
		return s.getLinger(e)
	case "TCP_CONGESTION":
		return r.getCongestion(s, e)
	}
	want, err := e.number()
	if err != nil {
		return nil, err
	}
	got, ok := r.getOption(s, name)
	if !ok {
		return nil, &unsupported{"socket option " + name}
	}
	o := outcome{}
	if got != want {
		o.check = failf("%s is %d, expected %d", name, got, want)
	}
	return done(o), nil
}

// getOption returns the value of an option.
func (r *runner) getOption(s *socket, name string) (int64, bool) {
	o := s.opt.WithDefaults()
	switch name {
	case "SO_ERROR":
		return int64(s.takeError()), true
	case "SO_ACCEPTCONN":
		return int64(truthInt(s.listener != nil)), true
	case "SO_TYPE":
		return constants["SOCK_STREAM"], true
	case "SO_PROTOCOL":
		return constants["IPPROTO_TCP"], true
	case "SO_DOMAIN":
		if r.set.ip6 {
			return constants["AF_INET6"], true
		}
		return constants["AF_INET"], true
	case "IP_MTU", "IPV6_MTU":
		if s.conn == nil {
			return 0, false
		}
		return int64(s.conn.Info(r.now).PMTU), true
	case "TCP_MAXSEG":
		return r.maxSeg(s), true
	case "SO_SNDBUF":
		return int64(o.SendBuffer), true
	case "SO_RCVBUF":
		if v, ok := s.values[name]; ok {
			return v, true
		}
		if r.set.recvSpace != 0 {
			return int64(r.set.recvSpace), true
		}
		return int64(o.RecvBuffer), true
	case "TCP_KEEPIDLE":
		return int64(o.KeepIdle / time.Second), true
	case "TCP_KEEPINTVL":
		return int64(o.KeepInterval / time.Second), true
	case "TCP_KEEPCNT":
		return int64(o.KeepCount), true
	case "IP_TTL":
		if o.TTL == 0 {
			return 64, true
		}
	case "TCP_SYNCNT":
		if o.SynRetries == 0 {
			return int64(max(r.set.engine.TCP.SynRetries, 6)), true
		}
	case "SO_RCVLOWAT":
		return max(int64(o.RecvLowat), 1), true
	case "TCP_DEFER_ACCEPT":
		return deferSeconds(s.values[name]), true
	case "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER", "TCP_QUICKACK", "TCP_LINGER2":
		if v, ok := s.values[name]; ok {
			return v, true
		}
		return optionDefaults[name], true
	case "SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE", "TCP_NODELAY", "TCP_CORK", "TCP_INQ", "TCP_USER_TIMEOUT", "IP_TOS",
		"TCP_NOTSENT_LOWAT", "TCP_FASTOPEN", "TCP_FASTOPEN_CONNECT", "TCP_FASTOPEN_NO_COOKIE", "TCP_WINDOW_CLAMP", "SO_OOBINLINE",
		"IPV6_TCLASS", "IP_FREEBIND", "IPV6_FREEBIND", "IPV6_V6ONLY", "IP_TRANSPARENT", "IP_BIND_ADDRESS_NO_PORT", "SO_BROADCAST", "SO_DONTROUTE",
		"TCP_THIN_LINEAR_TIMEOUTS", "TCP_THIN_DUPACK", "SO_MAX_PACING_RATE", "SO_ZEROCOPY", "SO_TIMESTAMPING", "SO_MARK", "SO_PRIORITY", "SO_BUSY_POLL":
	default:
		return 0, false
	}
	return s.values[name], true
}

// optionDefaults are what options are that are not 0 and were not set.
var optionDefaults = map[string]int64{
	"IP_MTU_DISCOVER": constants["IP_PMTUDISC_WANT"], "IPV6_MTU_DISCOVER": constants["IP_PMTUDISC_WANT"], "TCP_QUICKACK": 1, "TCP_LINGER2": 60,
}

// deferSeconds is what TCP_DEFER_ACCEPT returns: how long the SYN,ACKs take that
// cover the time that was set.
func deferSeconds(set int64) int64 {
	total, wait := int64(0), int64(1)
	for total < set {
		total += wait
		wait = min(2*wait, 120)
	}
	return total
}

func truthInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// maxSeg is what TCP_MAXSEG returns: the segment size in force, or before that
// the one asked for or RFC 9293's default.
func (r *runner) maxSeg(s *socket) int64 {
	if s.conn != nil && s.conn.State() != tcp.StateClosed && s.conn.State() != tcp.StateSynSent {
		return int64(s.conn.Info(r.now).SndMSS)
	}
	if v := s.values["TCP_MAXSEG"]; v != 0 {
		return v
	}
	return 536
}

// getLinger compares SO_LINGER with {onoff=, linger=}. A time that was set stays
// when it is turned off, as on Linux.
func (s *socket) getLinger(e *Expr) (attempt, error) {
	if e.Kind == ExprList && len(e.List) == 1 {
		e = e.List[0]
	}
	o := outcome{}
	for _, f := range []struct {
		name string
		got  int64
	}{{"onoff", int64(truthInt(s.linger >= 0))}, {"linger", s.values["SO_LINGER"]}} {
		field := e.Field(f.name)
		if field == nil {
			return nil, failf("expected {onoff=, linger=}, found %v", e)
		}
		if field.Kind == ExprEllipsis {
			continue
		}
		want, err := field.number()
		if err != nil {
			return nil, err
		}
		if want != f.got && o.check == nil {
			o.check = failf("%s of SO_LINGER is %d, expected %d", f.name, f.got, want)
		}
	}
	return done(o), nil
}

// getCongestion compares TCP_CONGESTION with a name.
func (r *runner) getCongestion(s *socket, e *Expr) (attempt, error) {
	got := s.opt.Congestion
	if got == "" {
		got = r.set.engine.TCP.Congestion
	}
	if got == "" {
		got = tcp.CongestionCubic
	}
	o := outcome{}
	if want := congestionName(e); want != got {
		o.check = failf("TCP_CONGESTION is %q, expected %q", got, want)
	}
	return done(o), nil
}
