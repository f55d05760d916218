package drill

import "testing"

// nstat tells how far a counter of the kernel went since it ran last: each is
// what a rule counts. Without -s, and with -n, counting begins anew.
func TestNstat(t *testing.T) {
	// Two segments that find the window closed, in a buffer of 4000 bytes.
	const closed = "`nstat -n`\n" + `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [4000], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 65535
+0 < . 1:4001(4000) ack 1 win 65535
+0 > . 1:1(0) ack 4001 win 0
+0 < . 4001:4002(1) ack 1 win 65535
+0 > . 1:1(0) ack 4001 win 0
+0 < . 4001:4002(1) ack 1 win 65535
+0 > . 1:1(0) ack 4001 win 0
`
	const counter = "| grep TcpExtTCPZeroWindowDrop | grep -q"
	for _, tt := range []struct {
		name, text string
		status     Status
		reason     string
	}{
		{"right", "+0 `nstat -s " + counter + ` " 2 "` + "`\n+0 `nstat" + counter + ` " 2 "` + "`", Pass, ""},
		{"wrong", "+0 `nstat " + counter + ` " 1 "` + "`", Fail, "TcpExtTCPZeroWindowDrop is 2, expected 1"},
		{"counted already", "+0 `nstat " + counter + ` " 2 "` + "`\n+0 `nstat " + counter + ` " 2 "` + "`", Fail, "TcpExtTCPZeroWindowDrop is 0, expected 2"},
		{"counting anew", "+0 `nstat -n`\n+0 `nstat " + counter + ` " 2 "` + "`", Fail, "TcpExtTCPZeroWindowDrop is 0, expected 2"},
		{"nothing is not shown", "+0 `nstat | grep TcpExtBeyondWindow | grep -q \" 0 \"`", Fail, "TcpExtBeyondWindow is 0, expected 0"},
		{"unknown counter", "+0 `nstat | grep TcpExtTCPTimeouts | grep -q \" 1 \"`", Unsupported, "counter TcpExtTCPTimeouts"},
		{"no number", "+0 `nstat " + counter + ` " x "` + "`", Unsupported, "command nstat " + counter + ` " x "`},
		{"another command", "+0 `nstat | wc -l`", Unsupported, "command nstat | wc -l"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := run(t, closed+tt.text, Options{}); r.Status != tt.status || r.Reason != tt.reason {
				t.Errorf("Run = %v: %s, want %v: %s", r.Status, r.Reason, tt.status, tt.reason)
			}
		})
	}
}

// What packets take up on Linux: a power of two, or whole pages, and a record.
func TestTunMemory(t *testing.T) {
	for _, tt := range []struct{ payload, want int }{
		{1, 512 + 256},
		{1000, 2048 + 256},
		{1460, 2048 + 256},
		{3672, 4096 + 256},
		{3673, 2*4096 + 256},
		{65000, 16*4096 + 256},
	} {
		if got := tunMemory(tt.payload, 1); got != tt.want {
			t.Errorf("tunMemory(%d) = %d, want %d", tt.payload, got, tt.want)
		}
	}
}
