package drill

import (
	"strings"
	"testing"
)

// FreeBSD makes the receive buffer of a connection whole segments, without what
// options take of them; one that the user chose it leaves alone. The shift is for
// the largest size.
func TestBSDReceiveBuffer(t *testing.T) {
	const settings = "0 `sysctl -w kern.ipc.maxsockbuf=2097152`\n+0 `sysctl -w net.inet.tcp.recvspace=65536`\n"
	dial := func(synack, window, choose, size string) string {
		return settings + `+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
` + choose + `+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6>
+.01 < S. 0:0(0) ack 1 win 65535 <` + synack + `>
+0 > . 1:1(0) ack 1 win ` + window + ` <...>
+0 getsockopt(3, SOL_SOCKET, SO_RCVBUF, [` + size + `], [4]) = 0
`
	}
	const before = "+0 getsockopt(3, SOL_SOCKET, SO_RCVBUF, [65536], [4]) = 0\n"
	for _, tt := range []struct{ name, text string }{
		{"plain", dial("mss 1460,wscale 6,nop", "1024", before, "65700")},
		{"timestamps", dial("mss 1460,nop,wscale 6,nop,nop,TS val 1 ecr 100", "1024", before, "65700")},
		{"smaller segments", dial("mss 1000,wscale 6,nop", "1024", before, "66000")},
		{
			"chosen", strings.Replace(dial("mss 1460,wscale 6,nop", "30000", "+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [30000], 4) = 0\n", "60000"),
				"win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6>", "win 30000 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 0>", 1),
		},
		{"accepted", settings + "+" + opened + "+0 getsockopt(4, SOL_SOCKET, SO_RCVBUF, [66000], [4]) = 0\n+0 getsockopt(3, SOL_SOCKET, SO_RCVBUF, [65536], [4]) = 0\n"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantPass(t, tt.text, Options{}) })
	}
}

func wantPass(t *testing.T, text string, opt Options) {
	t.Helper()
	if r := run(t, text, opt); r.Status != Pass {
		t.Errorf("Run = %v", r)
	}
}

// On FreeBSD sendto connects, and its text goes as soon as it may: after the
// handshake or, with TCP_FASTOPEN and a cookie, with the SYN. Elsewhere it fails.
func TestBSDSendtoConnects(t *testing.T) {
	const settings = "0 `sysctl -w net.inet.tcp.fastopen.client_enable=1`\n"
	const socket = "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
	const fast = "+0 setsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [1], 4) = 0\n"
	const send = "+0 sendto(3, ..., 100, 0, ..., ...) = 100\n"
	const text = "+0 > P. 1:101(100) ack 1 <...>\n"
	const asked = settings + socket + fast + send + "+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6,FO,nop,nop>\n" +
		"+.01 < S. 0:0(0) ack 1 win 65535 <mss 1000,FO 01234567,nop,nop>\n" + text
	for _, tt := range []struct{ name, text string }{
		{"plain", settings + socket + send + "+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6>\n+.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>\n" + text},
		{"refused", settings + socket + send + "+0 > S 0:0(0) <...>\n+.01 < R. 0:0(0) ack 1 win 0\n+0 write(3, ..., 1) = -1 ECONNREFUSED (Refused)"},
		{"first", asked},
		{"cookie", asked + socket + fast + send + "+0 > S 0:100(100) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6,FO 01234567,nop,nop>\n"},
		{"disabled", asked + "+0 `sysctl -w net.inet.tcp.fastopen.client_enable=0`\n" + socket + fast + send + "+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 6>\n"},
		{"no address", settings + socket + "+0 send(3, ..., 100, 0) = -1 EPIPE (Broken pipe)"},
		{"Linux", strings.Replace(socket, "+0", "0", 1) + "+0 sendto(3, ..., 100, 0, ..., ...) = -1 EPIPE (Broken pipe)"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantPass(t, tt.text, Options{}) })
	}
}

// A setting that Trivet does not have is what is missing when a script fails, and
// no more than a word when it does not.
func TestMissingSetting(t *testing.T) {
	const reset = "`sysctl -w net.inet.tcp.insecure_rst=1`\n" + opened + "+.1 < R 1:1(0) win 0\n+0 read(4, ..., 1) = -1 ECONNRESET (Reset)\n"
	wantPass(t, reset, Options{})
	const anywhere = "`sysctl -w net.inet.tcp.insecure_rst=1`\n" + opened + "+.1 < R 2:2(0) win 0\n+0 read(4, ..., 1) = -1 ECONNRESET (Reset)\n"
	const want = "sysctl tcp.insecure_rst=1: read would block"
	if r := run(t, anywhere, Options{}); r.Status != Unsupported || r.Reason != want || r.Line != 10 || len(r.Conversation) == 0 {
		t.Errorf("Run = %v line %d: %s, %d packets, want unsupported line 10: %s, and packets", r.Status, r.Line, r.Reason, len(r.Conversation), want)
	}
	const none = "`sysctl -w net.inet.tcp.insecure_rst=0`\n" + opened + "+.1 < R 2:2(0) win 0\n+0 read(4, ..., 1) = -1 ECONNRESET (Reset)\n"
	if r := run(t, none, Options{}); r.Status != Fail {
		t.Errorf("Run = %v, want fail", r.Status)
	}
}
