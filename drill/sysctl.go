package drill

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// sysctls are the settings of Linux that have a counterpart here. nil: known,
// but about something that Trivet does not have or does not let be changed; a
// script that depends on it fails by itself.
var sysctls = map[string]func(*settings, []string) error{
	"tcp_timestamps":         flag(func(s *settings, on bool) { s.engine.TCP.NoTimestamps = !on }),
	"tcp_sack":               flag(func(s *settings, on bool) { s.engine.TCP.NoSACK = !on }),
	"tcp_window_scaling":     flag(func(s *settings, on bool) { s.engine.TCP.NoWindowScale = !on }),
	"tcp_rfc1337":            flag(func(s *settings, on bool) { s.engine.TimeWaitReset = !on }),
	"tcp_syn_retries":        number(func(s *settings, n int) { s.engine.TCP.SynRetries = n }),
	"tcp_synack_retries":     number(func(s *settings, n int) { s.engine.SynAckRetries = n }),
	"tcp_retries2":           number(func(s *settings, n int) { s.engine.TCP.Retries = n }),
	"tcp_orphan_retries":     number(func(s *settings, n int) { s.engine.TCP.OrphanRetries = n }),
	"tcp_fin_timeout":        number(func(s *settings, n int) { s.engine.TCP.FinWait2 = time.Duration(n) * time.Second }),
	"tcp_max_syn_backlog":    number(func(s *settings, n int) { s.engine.SynBacklog = n }),
	"tcp_keepalive_time":     number(func(s *settings, n int) { s.socket.KeepIdle = time.Duration(n) * time.Second }),
	"tcp_keepalive_intvl":    number(func(s *settings, n int) { s.socket.KeepInterval = time.Duration(n) * time.Second }),
	"tcp_keepalive_probes":   number(func(s *settings, n int) { s.socket.KeepCount = n }),
	"tcp_min_tso_segs":       number(func(s *settings, n int) { s.engine.TCP.MinSuper = n }),
	"tcp_notsent_lowat":      number(func(s *settings, n int) { s.socket.NotSentLowat = n }),
	"tcp_rto_max_ms":         number(func(s *settings, n int) { s.engine.TCP.MaxRTO = time.Duration(n) * time.Millisecond }),
	"tcp_rto_min_us":         number(func(s *settings, n int) { s.engine.TCP.MinRTO = time.Duration(n) * time.Microsecond }),
	"tcp_invalid_ratelimit":  number((*settings).setRateLimit),
	"tcp_rmem":               numbers((*settings).setReceiveMemory),
	"tcp_wmem":               numbers((*settings).setSendMemory),
	"tcp_mem":                numbers((*settings).setMemory),
	"ip_local_port_range":    numbers((*settings).setPorts),
	"tcp_syncookies":         numbers((*settings).setCookies),
	"tcp_congestion_control": (*settings).setCongestion,
	"tcp_mtu_probing":        numbers((*settings).setProbing),
	"tcp_ecn":                numbers((*settings).setECN),
	"tcp_shrink_window":      flag(func(s *settings, on bool) { s.engine.TCP.ShrinkWindow = on }),
	"tcp_fastopen":           number((*settings).setFastOpen),
	"tcp_fastopen_key":       (*settings).setFastOpenKey,

	"tcp_fastopen_blackhole_timeout_sec": number((*settings).setFastOpenPause),

	"somaxconn":                 number(func(s *settings, n int) { s.engine.MaxBacklog = n }),
	"tcp_ecn_fallback":          nil,
	"tcp_ecn_option":            nil,
	"tcp_frto":                  nil,
	"tcp_dsack":                 nil,
	"tcp_fack":                  nil,
	"tcp_reordering":            nil,
	"tcp_slow_start_after_idle": nil,
	"tcp_early_retrans":         nil,
	"tcp_recovery":              nil,
	"tcp_tso_win_divisor":       nil,
	"tcp_tso_rtt_log":           nil,
	"tcp_pacing_ss_ratio":       nil,
	"tcp_pacing_ca_ratio":       nil,
	"tcp_fastopen_cookies":      nil,
	"tcp_metrics_save":          nil,
	"tcp_no_metrics_save":       nil,
	"tcp_base_mss":              nil,
	"tcp_retries1":              nil,
	"tcp_autocorking":           nil,
	"tcp_limit_output_bytes":    nil,
	"tcp_challenge_ack_limit":   nil,
	"tcp_moderate_rcvbuf":       nil,
	"tcp_adv_win_scale":         nil,
	"tcp_app_win":               nil,
	"tcp_comp_sack_nr":          nil,
	"tcp_comp_sack_delay_ns":    nil,
}

// suiteDefaults are the settings that the public suites make before each
// script (their defaults.sh), as Trivet has them.
var suiteDefaults = []string{
	"tcp_timestamps=1", "tcp_sack=1", "tcp_ecn=0", "tcp_fastopen=0x70403", "tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", "tcp_syn_retries=5", "tcp_synack_retries=5",
	"tcp_rmem=4096 540000 15728640", "tcp_wmem=4096 262144 4194304",
}

// setDefaults makes the settings of the public suites. That of the Linux kernel,
// whose file is in the scripts' own folder, lets no listener use Fast Open that does
// not ask for it.
func (s *settings) setDefaults(common bool) error {
	s.engine.TCP.DelayFin = true
	for _, d := range suiteDefaults {
		if err := s.setSysctl(d); err != nil {
			return err
		}
	}
	if !common {
		s.fastOpen = fastOpenClient | fastOpenServer
	}
	return nil
}

// setSysctl sets "net.ipv4.name=value", "/proc/sys/net/ipv4/name=value" or
// FreeBSD's "net.inet.name=value".
func (s *settings) setSysctl(assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	if !ok {
		return &unsupported{"sysctl " + assignment}
	}
	name := path[strings.LastIndexAny(path, "./")+1:]
	set, ok := sysctls[name]
	if bsd, is := bsdSysctl(path); is {
		name, s.bsd = bsd, true
		set, ok = bsdSysctls[bsd]
	}
	if !ok {
		return &unsupported{"sysctl " + name}
	}
	if set == nil {
		return nil
	}
	if err := set(s, strings.Fields(text)); err != nil {
		return &unsupported{"sysctl " + name + "=" + text}
	}
	return nil
}

// number reads a setting of one number.
func number(set func(*settings, int)) func(*settings, []string) error {
	return func(s *settings, words []string) error {
		if len(words) != 1 {
			return strconv.ErrSyntax
		}
		n, err := strconv.ParseInt(words[0], 0, 32)
		if err == nil {
			set(s, int(n))
		}
		return err
	}
}

func flag(set func(*settings, bool)) func(*settings, []string) error {
	return number(func(s *settings, n int) { set(s, n != 0) })
}

// numbers reads a setting of several numbers; a word may be $((a*b*c)).
func numbers(set func(*settings, []int) error) func(*settings, []string) error {
	return func(s *settings, words []string) error {
		var list []int
		for _, w := range words {
			product := 1
			for _, f := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(w, "$(("), "))"), "*") {
				n, err := strconv.Atoi(f)
				if err != nil {
					return err
				}
				product *= n
			}
			list = append(list, product)
		}
		return set(s, list)
	}
}

// only accepts the value that is in force here anyway. Another one may matter to
// the script or not: if the script fails, the setting is what is missing.
func only(name string, value int) func(*settings, []string) error {
	return number(func(s *settings, n int) {
		if n != value && s.missing == "" {
			s.missing = "sysctl " + name + "=" + strconv.Itoa(n)
		}
	})
}

func (s *settings) setRateLimit(ms int) {
	s.engine.TCP.ChallengeAckInterval = time.Duration(ms) * time.Millisecond
	if ms == 0 {
		s.engine.TCP.ChallengeAckInterval = -1
	}
}

// setReceiveMemory takes what receive buffers are at first and at most. They
// bound memory then, as Linux's do.
func (s *settings) setReceiveMemory(n []int) error {
	if len(n) != 3 {
		return strconv.ErrSyntax
	}
	s.recvSpace, s.socket.RecvBuffer = n[1], 0
	t := &s.engine.TCP
	t.InitialRecvBuffer, t.MaxRecvBuffer, t.SegmentMemory = n[1], n[2], tunMemory
	return nil
}

func (s *settings) setSendMemory(n []int) error {
	if len(n) != 3 {
		return strconv.ErrSyntax
	}
	s.socket.SendBuffer = n[1]
	return nil
}

// setMemory takes the hard limit, in pages of 4 KiB.
func (s *settings) setMemory(n []int) error {
	if len(n) != 3 {
		return strconv.ErrSyntax
	}
	s.engine.TCP.MaxMemory = n[2] * 4096
	return nil
}

func (s *settings) setProbing(n []int) error {
	modes := [...]tcp.MTUProbing{tcp.MTUProbingOff, tcp.MTUProbingBlackHole, tcp.MTUProbingAlways}
	if len(n) != 1 || n[0] < 0 || n[0] >= len(modes) {
		return strconv.ErrRange
	}
	s.engine.TCP.MTUProbing = modes[n[0]]
	return nil
}

// setECN takes the numbers of Linux up to those for AccECN.
func (s *settings) setECN(n []int) error {
	modes := [...]tcp.ECN{tcp.ECNOff, tcp.ECNOn, tcp.ECNPassive}
	if len(n) != 1 || n[0] < 0 || n[0] >= len(modes) {
		return &unsupported{"AccECN"}
	}
	s.engine.TCP.ECN = modes[n[0]]
	return nil
}

// The bits of tcp_fastopen: clients and servers may use Fast Open, clients need no
// cookie, servers ask for none, and every listener lets it be used.
const (
	fastOpenClient     = 1
	fastOpenServer     = 2
	fastOpenNoCookie   = 4
	fastOpenAnyone     = 0x200
	fastOpenEverywhere = 0x400
)

// setFastOpenPause takes a number of seconds; 0: there is no pause.
func (s *settings) setFastOpenPause(secs int) {
	s.engine.FastOpenPause = time.Duration(secs) * time.Second
	if secs == 0 {
		s.engine.FastOpenPause = -1
	}
}

// setFastOpen takes the bits.
func (s *settings) setFastOpen(bits int) { s.fastOpen = bits }

// setFastOpenKey takes one or two keys, written as four numbers each.
func (s *settings) setFastOpenKey(words []string) error {
	s.fastOpenKeys = nil
	for _, text := range strings.Split(strings.Join(words, ""), ",") {
		b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		if err != nil || len(b) != 16 {
			return strconv.ErrSyntax
		}
		var k engine.FastOpenKey
		for i := 0; i < 16; i += 4 {
			binary.LittleEndian.PutUint32(k[i:], binary.BigEndian.Uint32(b[i:]))
		}
		s.fastOpenKeys = append(s.fastOpenKeys, k)
	}
	return nil
}

func (s *settings) setPorts(n []int) error {
	if len(n) != 2 {
		return strconv.ErrSyntax
	}
	s.engine.FirstPort, s.engine.LastPort = uint16(n[0]), uint16(n[1])
	return nil
}

// setCookies turns SYN cookies off (0), on when they are needed (1), or on for
// all (2): then there is no SYN queue.
func (s *settings) setCookies(n []int) error {
	if len(n) != 1 || n[0] < 0 || n[0] > 2 {
		return strconv.ErrRange
	}
	s.engine.SynCookies = [...]engine.SynCookies{engine.CookiesNever, engine.CookiesWhenFull, engine.CookiesAlways}[n[0]]
	return nil
}

// setCongestion takes the name of an algorithm.
func (s *settings) setCongestion(words []string) error {
	if len(words) != 1 || !tcp.KnownCongestion(words[0]) {
		return strconv.ErrSyntax
	}
	s.engine.TCP.Congestion = words[0]
	return nil
}
