package drill

import (
	"strings"
	"testing"
)

// opened is the beginning of the scripts below: an accepted connection, of
// which the next line is line 8.
const opened = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
`

// run plays a script that must be well formed.
func run(t *testing.T, text string, opt Options) *Result {
	t.Helper()
	s, err := Parse("x.pkt", text, opt)
	if err != nil {
		t.Fatal(err)
	}
	return Run(s)
}

// Whatever comes otherwise than the script says fails it, with the line and
// what differs.
func TestRunFails(t *testing.T) {
	const write = "+0 write(4, ..., 100) = 100\n"
	for _, tt := range []struct {
		name, text string
		line       int
		reason     string
	}{
		{"flags", write + "+0 > . 1:101(100) ack 1", 9, "the segment differs in flags (expected ., got P.)"},
		{"length", write + "+0 > P. 1:51(50) ack 1", 9, "the segment differs in length (expected 50, got 100)"},
		{"too short", write + "+0 > P. 1:201(200) ack 1", 9, "the segment differs in length (expected 200, got 100)"},
		{"seq", write + "+0 > P. 2:102(100) ack 1", 9, "the segment differs in seq (expected 2, got 1)"},
		{"ack", write + "+0 > P. 1:101(100) ack 2", 9, "the segment differs in ack (expected 2, got 1)"},
		{"window", write + "+0 > P. 1:101(100) ack 1 win 1", 9, "the segment differs in win (expected 1, got 65535)"},
		{
			"option too few", write + "+0 > P. 1:101(100) ack 1 <nop,nop,TS val 1 ecr 1>", 9,
			"the segment differs in an option too few: nop, an option too few: nop, an option too few: TS val 1 ecr 1",
		},
		{"TTL", write + "+0 > [ttl 63] P. 1:101(100) ack 1", 9, "the segment differs in TTL (expected 63, got 64)"},
		{"ECN", write + "+0 > [ect0] P. 1:101(100) ack 1", 9, "the segment differs in ECN (expected 2, got 0)"},
		{"late", write + "+.1 > P. 1:101(100) ack 1", 9, "sent at 0.010000, expected at 0.110000"},
		{"early", write + "+0 > P. 1:101(100) ack 1\n+.1 > P. 1:101(100) ack 1", 10, "sent at 0.220000, expected at 0.110000"},
		{"outside a range", write + "+.1~+.2 > P. 1:101(100) ack 1", 9, "sent at 0.010000, expected at 0.110000~0.210000"},
		{"nothing", "+0 > P. 1:101(100) ack 1", 8, "nothing was sent"},
		{
			"unexpected", "+0 < P. 1:101(100) ack 1 win 9\n" + write + "+0 > P. 1:101(100) ack 101", 10,
			"the segment differs in flags (expected P., got .), length (expected 100, got 0)",
		},
		{"result", "+0 write(4, ..., 100) = 99", 8, "write returned 100, expected 99 "},
		{"errno", "+0 connect(3, ..., ...) = -1 EBADF (Bad)", 8, "connect failed with -1 EISCONN (transport endpoint is already connected), expected EBADF"},
		{"would block", "+0 read(4, ..., 1) = 1", 8, "read would block"},
		{"blocks too long", "+0...1 read(4, ..., 1) = 1\n+3 close(3) = 0", 8, "read still waits at 1.010000"},
		{"blocks too short", "+0...1 read(4, ..., 1) = 1\n+.5 < . 1:2(1) ack 1 win 1", 8, "read ended at 0.510000, expected at 1.010000"},
		{"blocks to the end", "+0...1 read(4, ..., 1) = 1", 8, "read still waits at 1.010000"},
		{"option value", "+0 getsockopt(4, SOL_TCP, TCP_KEEPCNT, [3], [4]) = 0", 8, "TCP_KEEPCNT is 9, expected 3"},
		{"revents", "+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 1", 8, "revents of 4 is 0x4, expected 0x0"},
		{"assertion", "+0 %{ assert tcpi_snd_cwnd == 11, 'cwnd %d' % tcpi_snd_cwnd }%", 8, "assertion failed: tcpi_snd_cwnd == 11: cwnd 10"},
		{"linger", "+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=0, linger=3}, [8]) = 0", 8, "linger of SO_LINGER is 0, expected 3"},
		{"congestion", "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", [16]) = 0", 8, "TCP_CONGESTION is \"cubic\", expected \"reno\""},
		{
			"nothing to tell of", "+0 < 9 > 8080 S 0:0(0) win 9\n+0 %{ assert tcpi_rto == 1 }%", 9,
			"no connection to tell tcpi_rto of: it was not accepted yet",
		},
		{"sockstat", "+0 `sockstat -4 -P tcp -s | grep -c SYN_RCVD | grep 1`", 8, "0 sockets are in SYN_RCVD, expected 1"},
		{"ss", "+0 `ss -4 -n state SYN-RECV | grep 192.168.0.1:8080 > /dev/null`", 8, "no socket is found by ss -4 -n state SYN-RECV | grep 192.168.0.1:8080 > /dev/null"},
		{"time goes back", "0 close(4) = 0", 8, "the script's time goes back by 10ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, opened+tt.text, Options{})
			if r.Status != Fail || r.Line != tt.line || r.Reason != tt.reason {
				t.Errorf("Run = %v line %d: %s, want fail line %d: %s", r.Status, r.Line, r.Reason, tt.line, tt.reason)
			}
		})
	}
}

// What is forgiven has bounds, and an ACK that was passed over is named when
// nothing better comes.
func TestRunFailsLenient(t *testing.T) {
	const small = "0 `sysctl -w net.inet.tcp.recvspace=10000`\n+" + opened + "+0 < P. 1:5001(5000) ack 1 win 9\n"
	window := Options{LenientWindow: true}
	for _, tt := range []struct {
		name, text, reason string
		opt                Options
	}{
		{"window within a segment", small + "+0 > . 1:1(0) ack 5001 win 6459", "", window},
		{"window smaller by a segment", small + "+0 > . 1:1(0) ack 5001 win 6460", "the segment differs in win (expected 6460, got 5000)", window},
		{"window larger", small + "+0 > . 1:1(0) ack 5001 win 4999", "the segment differs in win (expected 4999, got 5000)", window},
		{
			"window of a SYN", "+0 < 9 > 8080 S 0:0(0) win 9 <mss 1000>\n+0 > 8080 > 9 S. 0:0(0) ack 1 win 65534 <mss 1460>",
			"the segment differs in win (expected 65534, got 65535)", window,
		},
		{"another ACK", opened + "+0 < P. 1:2(1) ack 1 win 9\n+0 > . 1:1(0) ack 3", "the segment differs in ack (expected 3, got 2)", Options{SkipExtraAcks: true}},
		{
			"another ACK and data", opened + "+0 < P. 1:2(1) ack 1 win 9\n+.1 write(4, ..., 1) = 1\n+0 > P. 1:3(2) ack 2",
			"the segment differs in length (expected 2, got 1)",
			Options{SkipExtraAcks: true},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.text
			if text[0] == '+' {
				text = opened + text
			}
			if r := run(t, text, tt.opt); r.Reason != tt.reason {
				t.Errorf("Run = %v: %s, want %q", r.Status, r.Reason, tt.reason)
			}
		})
	}
}

// What recvmsg gives besides the text is compared: flags, and control messages
// one by one.
func TestRunFailsControl(t *testing.T) {
	const sent = "+0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0\n+0 setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING," +
		" [SOF_TIMESTAMPING_TX_SOFTWARE|SOF_TIMESTAMPING_SOFTWARE], 4) = 0\n+.01 send(4, ..., 100, 0) = 100\n+0 > P. 1:101(100) ack 1\n"
	const stamp = "{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0, scm_nsec=20000000}}"
	for _, tt := range []struct{ name, flags, control, reason string }{
		{"flags", "MSG_ERRQUEUE", "...", "msg_flags is 0x2020, expected 0x2000"},
		{"too few", "MSG_ERRQUEUE|MSG_TRUNC", "[]", "a control message came that is not expected: " +
			"{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0,scm_nsec=20000000}}"},
		{
			"time", "MSG_ERRQUEUE|MSG_TRUNC", "[{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=1, scm_nsec=0}}]",
			"the timestamp is 0.020000, expected 1.000000",
		},
		{
			"type", "MSG_ERRQUEUE|MSG_TRUNC", "[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_info=0}}]",
			"a control message is {cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0,scm_nsec=20000000}}, " +
				"expected {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_info=0}}",
		},
		{
			"field", "MSG_ERRQUEUE|MSG_TRUNC", "[" + stamp + ", {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_info=1}}]",
			"ee_info is 0, expected ee_info=1",
		},
		{
			"too many", "MSG_ERRQUEUE|MSG_TRUNC", "[" + stamp + ", {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={}}, {cmsg_level=0}]",
			"2 control messages came, expected {cmsg_level=0} too",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			call := "+0 recvmsg(4, {msg_iov=[{..., 0}], msg_flags=" + tt.flags + ", msg_control=" + tt.control + "}, MSG_ERRQUEUE) = 0"
			r := run(t, opened+sent+call, Options{})
			if r.Status != Fail || r.Line != 12 || r.Reason != tt.reason {
				t.Errorf("Run = %v line %d: %s, want fail line 12: %s", r.Status, r.Line, r.Reason, tt.reason)
			}
		})
	}
}

// What Trivet or this package does not have is named, and is no failure.
func TestRunUnsupported(t *testing.T) {
	for _, tt := range []struct{ text, reason string }{
		{"0 socket(..., SOCK_RAW, IPPROTO_UDP) = 3", "sockets of another type than SOCK_STREAM and SOCK_DGRAM"},
		{"0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 setsockopt(3, SOL_IP, IP_RECVERR, [1], 4) = 0", "socket option IP_RECVERR of UDP sockets"},
		{"0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0", "poll of UDP sockets"},
		{"0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 listen(3, 1) = 0", "listen of UDP sockets"},
		{"0 mmap(1) = 0", "system call mmap"},
		{"--no_such\n0 close(3) = 0", "option --no_such"},
		{"`sysctl -q net.ipv4.tcp_no_such=1`\n0 close(3) = 0", "sysctl tcp_no_such"},
		{"`sysctl -w net.inet.tcp.insecure_rst=all`\n0 close(3) = 0", "sysctl tcp.insecure_rst=all"},
		{"`sysctl -w net.inet.tcp.no_such=1`\n0 close(3) = 0", "sysctl tcp.no_such"},
		{"0 > S 0:0(0)/udp(1 > 2)", "TCP over UDP packets"},
		{opened + "+0 getsockopt(4, SOL_TCP, TCP_CC_INFO, [1], [4]) = 0", "getsockopt TCP_CC_INFO with a value: %{ }% compares it"},
		{"`reboot now`\n0 close(3) = 0", "command reboot now"},
		{"`ip route change 192.0.2.1 dev tun0 advmss 1400 mtu lock 1500`\n0 close(3) = 0", "a route with another segment size than that of its MTU"},
		{opened + "+0 `ss state NO-SUCH | grep x`", "command ss state NO-SUCH | grep x ss state NO-SUCH"},
		{"`nstat | grep x`\n0 close(3) = 0", "command nstat | grep x nstat"},
		{"0 < gre: ipv4 1.1.1.1 > 2.2.2.2: S 0:0(0)", "gre packets"},
		{opened + "+0 recv(4, ..., 10, MSG_OOB) = 0", "urgent data"},
		{opened + "+0 setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING, [SOF_TIMESTAMPING_OPT_STATS|SOF_TIMESTAMPING_OPT_TSONLY], 4) = 0", "SOF_TIMESTAMPING_OPT_STATS"},
		{opened + "+0 sendmsg(4, {msg_iov=[{..., 1}], msg_control=[{cmsg_type=IP_TTL, cmsg_data=1}]}, 0) = 1", "control message {cmsg_type=IP_TTL, cmsg_data=1}"},
		{opened + "+0 setsockopt(4, SOL_TCP, TCP_NO_SUCH, [1], 4) = 0", "socket option TCP_NO_SUCH"},
		{opened + "+0 %{ assert tcpi_no_such == 1 }%", "code: unknown name tcpi_no_such"},
		{opened + "+0 `ip link set dev tun0 mtu 1400`", "an MTU that changes while connections are open"},
	} {
		r := run(t, tt.text, Options{})
		if r.Status != Unsupported || r.Reason != tt.reason {
			t.Errorf("Run(%q) = %v: %s, want unsupported: %s", tt.text, r.Status, r.Reason, tt.reason)
		}
	}
}

func TestRunPasses(t *testing.T) {
	const write = "+0 write(4, ..., 2500) = 2500\n"
	for _, tt := range []struct {
		name, text string
		opt        Options
	}{
		{"one line for three segments", write + "+0 > P. 1:2501(2500) ack 1", Options{}},
		{
			"strict segments", write + "+0 > . 1:1001(1000) ack 1\n+0 > . 1001:2001(1000) ack 1\n+0 > P. 2001:2501(500) ack 1",
			Options{Set: []Option{{Name: "strict_segments"}}, LenientPSH: true},
		},
		{"lenient PSH", write + "+0 > . 1:2501(2500) ack 1", Options{LenientPSH: true}},
		{"extra ACK", "+0 < P. 1:101(100) ack 1 win 9999\n" + write + "+0 > P. 1:2501(2500) ack 101", Options{SkipExtraAcks: true}},
		{"tolerance", write + "+.003 > P. 1:2501(2500) ack 1", Options{Set: []Option{{Name: "tolerance_usecs", Value: "4000"}}}},
		{
			"extra ACK of the same, early", "+0 < P. 1:101(100) ack 1 win 9999\n+.1 < P. 1:101(100) ack 1 win 9999\n+0 > . 1:1(0) ack 101\n", Options{SkipExtraAcks: true},
		},
		{"lenient window", "+0 < P. 1:1001(1000) ack 1 win 9999\n+0 > . 1:1(0) ack 1001 win 65534", Options{LenientWindow: true}},
		{
			"lenient options", "+0 < 9 > 8080 S 0:0(0) win 9 <mss 1000,sackOK,nop,wscale 2>\n+0 > 8080 > 9 S. 0:0(0) ack 1 <mss 1460,nop,wscale 6,sackOK,eol,eol>",
			Options{LenientOptions: true},
		},
		{"linger", "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=30}, 8) = 0\n+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=..., linger=30}, [8]) = 0", Options{}},
		{"congestion", "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"cubic\", [16]) = 0\n+0 getsockopt(4, SOL_TCP, TCP_CC_INFO, ..., ...) = 0", Options{}},
		{"states", "+0 %{ assert tcpi_state == TCPI_ESTABLISHED }%\n+0 close(3) = 0", Options{}},
		{"any time", write + "* > P. 1:2501(2500) ack 1\n* > . 1:1001(1000) ack 1", Options{}},
		{"raw number", "+0 < . 1:1(0) ack 77! win 9\n+0 > . 1:1(0) ack 1", Options{}},
		{"any number", write + "+0 > P. ...(2500) ack 1", Options{}},
		{"what is left is ignored", write, Options{}},
		{"commands", "+0 `true`\n+0 `sysctl -q net.ipv4.tcp_sack=1 # the default`", Options{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := run(t, opened+tt.text, tt.opt); r.Status != Pass {
				t.Errorf("%v", r)
			}
		})
	}
}

// --strict_segments does not put segments together.
func TestStrictSegments(t *testing.T) {
	r := run(t, opened+"+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1", Options{Set: []Option{{Name: "strict_segments"}}})
	if want := "the segment differs in flags (expected P., got .), length (expected 2500, got 1000)"; r.Reason != want {
		t.Errorf("Run = %s, want %s", r.Reason, want)
	}
}

// A failure shows the line, what came, and the conversation in the script's
// numbers.
func TestFailureText(t *testing.T) {
	r := run(t, opened+"+0 write(4, ..., 10) = 10\n+0 > P. 1:21(20) ack 1", Options{})
	want := `x.pkt:9: fail: the segment differs in length (expected 20, got 10)
  expected: +0 > P. 1:21(20) ack 1
  got:      0.010000 > P. 1:11(10) ack 1 win 65535
  so far:
    0.000000 < S 0:0(0) win 65535 <mss 1000>
    0.000000 > S. 0:0(0) ack 1 win 65535 <mss 1460>
    0.010000 < . 1:1(0) ack 1 win 65535
    0.010000 > P. 1:11(10) ack 1 win 65535`
	if r.String() != want {
		t.Errorf("String() =\n%v\nwant\n%s", r, want)
	}
}

// A script that never ends is stopped: by its clock, and by a count of steps.
func TestLimits(t *testing.T) {
	text := opened + "+0 setsockopt(4, SOL_TCP, TCP_KEEPINTVL, [1], 4) = 0\n+0 setsockopt(4, SOL_TCP, TCP_KEEPIDLE, [1], 4) = 0\n" +
		"+0 setsockopt(4, SOL_TCP, TCP_KEEPCNT, [127], 4) = 0\n+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0\n"
	r := run(t, text+strings.Repeat("+80000 < . 1:1(0) ack 1 win 65535\n", 3), Options{})
	if r.Status != Fail || r.Elapsed > maxScriptTime {
		t.Errorf("Run = %v after %v, want a failure within %v", r.Status, r.Elapsed, maxScriptTime)
	}
	text = opened
	for range 3 {
		text += "+80000 < . 1:1(0) ack 1 win 65535\n"
	}
	if r := run(t, text, Options{}); r.Status != Fail || r.Reason != "the script does not end: 24h0m0s are the most" {
		t.Errorf("Run = %v: %s, want the end of its time", r.Status, r.Reason)
	}
}

// Shell commands are split as a shell does, as far as scripts go.
func TestShellCommands(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"sysctl -q a=1 b=2", "sysctl,-q,a=1,b=2"},
		{"a; b && c\nd", "a|b|c|d"},
		{`x "p q" 'r s' k="v w"`, "x,p q,r s,k=v w"},
		{"ip tcp_metrics flush all > /dev/null 2>&1", "ip,tcp_metrics,flush,all"},
		{"a &> /dev/null # comment\n# more\nb", "a|b"},
	} {
		var list []string
		for _, c := range shellCommands(tt.text) {
			list = append(list, strings.Join(c, ","))
		}
		if got := strings.Join(list, "|"); got != tt.want {
			t.Errorf("shellCommands(%q) = %s, want %s", tt.text, got, tt.want)
		}
	}
}

// Datagrams are compared by their ports, length and bytes.
func TestRunFailsUDP(t *testing.T) {
	const bound = "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 bind(3, ..., ...) = 0\n"
	for _, tt := range []struct{ text, reason string }{
		{"+0 > udp (1)", "nothing was sent"},
		{"+0 sendto(3, ..., 9, 0, ..., ...) = 9\n+0 > udp (10)", "the datagram differs in length (expected 10, got 9)"},
		{
			"+0 sendto(3, ..., 9, 0, ..., ...) = 9\n+0 > udp 1 > 2 (9)",
			"the datagram differs in source port (expected 1, got 8080), destination port (expected 2, got 8080)",
		},
		{"+0 sendto(3, ..., 9, 0, ..., ...) = 9\n+0 > [ttl 9] udp (9)", "the datagram differs in TTL (expected 9, got 64)"},
		{"+0 sendto(3, ..., 9, 0, ..., ...) = 9\n+1 > udp (9)", "sent at 0.000000, expected at 1.000000"},
		{"+0 < udp (5)\n+0 recv(3, ..., 9, 0) = 4", "recv returned 5, expected 4 "},
	} {
		if r := run(t, bound+tt.text, Options{}); r.Status != Fail || r.Reason != tt.reason {
			t.Errorf("Run(%q) = %v: %s, want fail: %s", tt.text, r.Status, r.Reason, tt.reason)
		}
	}
}
