package drill

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// settings are what options and commands say of the host and of the run.
type settings struct {
	engine engine.Config
	socket tcp.Options // of a new socket

	ip6           bool
	local, remote netip.Prefix
	mtu           int
	mss           int // payload of the segments of a super-segment that comes in
	bindPort      uint16
	connectPort   uint16

	recvSpace int  // what SO_RCVBUF says of a new socket; 0: its buffer
	bsd       bool // the script has settings of FreeBSD: its sockets are as there

	tolerance        time.Duration
	tolerancePercent float64
	tick             time.Duration // of the timestamps clock; 0: TSval is not compared
	strictSegments   bool
	fastOpen         int // the bits of tcp_fastopen
	fastOpenKeys     []engine.FastOpenKey
	missing          string         // a setting that Trivet does not have, of which a script may not notice
	forget           bool           // what was learnt of other hosts
	full             bool           // the queue of the link takes nothing
	files            map[string]int // files that commands made: sizes in bytes
}

// unsupported is an error that names what a script needs and Trivet, or this
// package, does not have.
type unsupported struct{ feature string }

func (e *unsupported) Error() string { return e.feature }

func newSettings() *settings {
	s := &settings{
		local:       netip.MustParsePrefix("192.168.0.1/16"),
		remote:      netip.MustParsePrefix("192.0.2.1/32"),
		mtu:         1500,
		bindPort:    8080,
		connectPort: 8080,
		fastOpen:    fastOpenClient,
		files:       map[string]int{},
	}
	// A script's own times say how often resets and challenge ACKs come.
	s.engine.ResetRate, s.engine.ICMPRate = -1, -1
	// Scripts know the size of the buffers: it does not change with the path.
	s.socket.SendBuffer, s.socket.RecvBuffer = 1<<20, 3<<20
	s.engine.TCP.PatientProbes = true // scripts have Linux's times
	s.engine.Secret = [32]byte{1, 2, 3, 4}
	return s
}

// optionSetters are packetdrill's options. nil: known, and without effect on a
// run in virtual time.
var optionSetters = map[string]func(*settings, string) error{
	"ip_version":        (*settings).setIPVersion,
	"local_ip":          func(s *settings, v string) error { return setAddr(&s.local, v, 16) },
	"remote_ip":         func(s *settings, v string) error { return setAddr(&s.remote, v, 32) },
	"mtu":               func(s *settings, v string) error { return setInt(&s.mtu, v) },
	"mss":               func(s *settings, v string) error { return setInt(&s.mss, v) },
	"bind_port":         func(s *settings, v string) error { return setPort(&s.bindPort, v) },
	"connect_port":      func(s *settings, v string) error { return setPort(&s.connectPort, v) },
	"tolerance_usecs":   func(s *settings, v string) error { return setUnits(&s.tolerance, v, time.Microsecond) },
	"tolerance_percent": (*settings).setPercent,
	"tcp_ts_tick_usecs": func(s *settings, v string) error { return setUnits(&s.tick, v, time.Microsecond) },
	"strict_segments":   func(s *settings, _ string) error { s.strictSegments = true; return nil },

	"gateway_ip": nil, "netmask_ip": nil, "local_linux_ip": nil, "remote_linux_ip": nil, "speed": nil,
	"define": nil, "dry_run": nil, "verbose": nil, "non_fatal": nil, "init_scripts": nil, "wire_server_port": nil,
	"send_omit_free": nil, "tcp_ts_ecr_scaled": nil, "code_format": nil, "code_command": nil, "code_sockopt": nil,
	"no_cleanup": nil, "debug": nil,
}

// apply sets what an option says.
func (s *settings) apply(o Option) error {
	set, ok := optionSetters[o.Name]
	if !ok {
		return &unsupported{"option --" + o.Name}
	}
	if set == nil {
		return nil
	}
	if err := set(s, strings.Trim(o.Value, `"`)); err != nil {
		if _, ok := err.(*unsupported); ok {
			return err
		}
		return &unsupported{"option --" + o.Name + "=" + o.Value}
	}
	return nil
}

// setIPVersion switches to IPv6 and its default addresses.
func (s *settings) setIPVersion(v string) error {
	switch v {
	case "ipv4", "ipv4-mapped-ipv6": // sockets of IPv6 that talk IPv4
		s.ip6 = false
	case "ipv6":
		s.ip6 = true
	default:
		return &unsupported{"--ip_version=" + v}
	}
	return nil
}

// largestSegment is the most text of a segment that the host announces.
func (s *settings) largestSegment() int {
	if s.ip6 {
		return s.mtu - 60
	}
	return s.mtu - 40
}

// finish puts IPv6 addresses in the place of the default ones where needed.
func (s *settings) finish() {
	if !s.ip6 {
		return
	}
	if s.local.Addr().Is4() {
		s.local = netip.MustParsePrefix("fd3d:fa7b:d17d::1/48")
	}
	if s.remote.Addr().Is4() {
		s.remote = netip.MustParsePrefix("fd3d:fa7b:d17d:8888::1/128")
	}
}

func (s *settings) setPercent(v string) (err error) {
	s.tolerancePercent, err = strconv.ParseFloat(v, 64)
	return err
}

func setAddr(p *netip.Prefix, v string, bits int) error {
	v, length, found := strings.Cut(v, "/")
	a, err := netip.ParseAddr(v)
	if err != nil {
		return err
	}
	if a.Is6() {
		bits = 64
	}
	if found {
		if bits, err = strconv.Atoi(length); err != nil {
			return err
		}
	}
	*p = netip.PrefixFrom(a, bits)
	if !p.IsValid() {
		return strconv.ErrRange
	}
	return nil
}

func setInt(p *int, v string) error {
	n, err := strconv.Atoi(v)
	*p = n
	return err
}

func setPort(p *uint16, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	*p = uint16(n)
	return err
}

func setUnits(p *time.Duration, v string, unit time.Duration) error {
	n, err := strconv.ParseInt(v, 0, 32)
	*p = time.Duration(n) * unit
	return err
}
