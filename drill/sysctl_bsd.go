package drill

import (
	"strconv"
	"strings"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// bsdSysctls are the settings of FreeBSD that have a counterpart here, by their
// names behind net.inet and kern.ipc. nil: as in sysctls. One that only takes
// what Trivet does anyway makes a script unsupported that wants otherwise.
var bsdSysctls = map[string]func(*settings, []string) error{
	"tcp.rfc1323":     number((*settings).setRFC1323),
	"tcp.sack.enable": flag(func(s *settings, on bool) { s.engine.TCP.NoSACK = !on }),
	"tcp.ecn.enable":  numbers((*settings).setECN),
	"tcp.recvspace":   number((*settings).setRecvSpace),
	"tcp.sendspace":   number(func(s *settings, n int) { s.socket.SendBuffer = n }),
	"ipc.maxsockbuf":  numbers((*settings).setMaxSockBuf),
	"tcp.delacktime":  number(func(s *settings, n int) { s.engine.TCP.DelayedAck = milli(n) }),
	"tcp.rexmit_slop": number(func(s *settings, n int) { s.engine.TCP.MinRTO = milli(n) }),
	"tcp.keepidle":    number(func(s *settings, n int) { s.socket.KeepIdle = milli(n) }),
	"tcp.keepintvl":   number(func(s *settings, n int) { s.socket.KeepInterval = milli(n) }),
	"tcp.keepcnt":     number(func(s *settings, n int) { s.socket.KeepCount = n }),
	"tcp.syncookies":  flag((*settings).setBSDCookies),
	"tcp.tolerate_missing_ts": flag(func(s *settings, on bool) {
		s.engine.TCP.RequireTimestamps = !on
	}),
	"tcp.pmtud_blackhole_detection": flag((*settings).setBlackHole),
	"tcp.fastopen.client_enable":    flag(func(s *settings, on bool) { s.setFastOpenBit(fastOpenClient, on) }),
	"tcp.fastopen.server_enable":    flag(func(s *settings, on bool) { s.setFastOpenBit(fastOpenServer, on) }),

	"tcp.syncookies_only":        flag((*settings).setBSDCookiesOnly),
	"tcp.blackhole":              only("tcp.blackhole", 0),
	"tcp.insecure_rst":           only("tcp.insecure_rst", 0), // RFC 5961, Section 3
	"tcp.insecure_syn":           only("tcp.insecure_syn", 0), // RFC 5961, Section 4
	"tcp.drop_synfin":            only("tcp.drop_synfin", 1),
	"tcp.icmp_may_rst":           only("tcp.icmp_may_rst", 1),
	"tcp.path_mtu_discovery":     only("tcp.path_mtu_discovery", 1),
	"tcp.mssdflt":                only("tcp.mssdflt", 536),
	"tcp.v6mssdflt":              only("tcp.v6mssdflt", 1220),
	"tcp.rexmit_drop_options":    only("tcp.rexmit_drop_options", 0),
	"tcp.udp_tunneling_port":     only("tcp.udp_tunneling_port", 0),
	"tcp.hostcache.purgenow":     nil,
	"tcp.rexmit_initial":         only("tcp.rexmit_initial", 1000), // RFC 6298, Section 2.1
	"tcp.keepinit":               nil,
	"tcp.ecn.maxretries":         nil,
	"tcp.pmtud_blackhole_mss":    nil,
	"tcp.v6pmtud_blackhole_mss":  nil,
	"tcp.udp_tunneling_overhead": nil,
}

// bsdSysctl returns the name of a setting of FreeBSD's as bsdSysctls has it.
func bsdSysctl(path string) (string, bool) {
	if name, ok := strings.CutPrefix(path, "net.inet."); ok {
		return name, true
	}
	return strings.CutPrefix(path, "kern.")
}

func milli(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// setRFC1323 takes 0 for neither of RFC 7323's options, 1 for both, 2 for the
// window scale and 3 for timestamps.
func (s *settings) setRFC1323(n int) {
	s.engine.TCP.NoTimestamps = n == 0 || n == 2
	s.engine.TCP.NoWindowScale = n == 0 || n == 3
}

// setRecvSpace takes what receive buffers are at first.
func (s *settings) setRecvSpace(n int) {
	s.recvSpace, s.socket.RecvBuffer, s.engine.TCP.InitialRecvBuffer = n, 0, n
}

// setMaxSockBuf takes the largest receive buffer, for which the shift of the
// window is chosen.
func (s *settings) setMaxSockBuf(n []int) error {
	if len(n) != 1 || n[0] < 0 {
		return strconv.ErrRange
	}
	s.engine.TCP.MaxRecvBuffer = n[0]
	return nil
}

func (s *settings) setBSDCookies(on bool) {
	s.engine.SynCookies = engine.CookiesNever
	if on {
		s.engine.SynCookies = engine.CookiesWhenFull
	}
}

func (s *settings) setBSDCookiesOnly(on bool) {
	if on {
		s.engine.SynCookies = engine.CookiesAlways
	} else if s.engine.SynCookies == engine.CookiesAlways {
		s.engine.SynCookies = engine.CookiesWhenFull
	}
}

func (s *settings) setBlackHole(on bool) {
	s.engine.TCP.MTUProbing = tcp.MTUProbingOff
	if on {
		s.engine.TCP.MTUProbing = tcp.MTUProbingBlackHole
	}
}

// setFastOpenBit sets one bit of what Linux has in tcp_fastopen.
func (s *settings) setFastOpenBit(bit int, on bool) {
	bits := s.fastOpen &^ bit
	if on {
		bits |= bit
	}
	s.setFastOpen(bits)
}
