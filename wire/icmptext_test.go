package wire

import "testing"

// Messages are named by their kind and, when something is unreachable, by the
// code, which means different things in the two versions (RFC 792; RFC 4443).
func TestICMPText(t *testing.T) {
	for _, tt := range []struct {
		m       ICMP
		version uint8
		want    string
	}{
		{ICMP{Kind: ICMPEcho}, 4, "echo"},
		{ICMP{Kind: ICMPEchoReply}, 6, "echo reply"},
		{ICMP{Kind: ICMPTooBig, Code: 4}, 4, "packet too big"},
		{ICMP{Kind: ICMPTimeExceeded}, 6, "time exceeded"},
		{ICMP{Kind: ICMPParameterProblem}, 4, "parameter problem"},
		{ICMP{Kind: ICMPUnreachable, Code: 3}, 4, "port unreachable"},
		{ICMP{Kind: ICMPUnreachable, Code: 3}, 6, "address unreachable"},
		{ICMP{Kind: ICMPUnreachable, Code: 200}, 6, "unreachable"},
	} {
		if got := tt.m.Text(tt.version); got != tt.want {
			t.Errorf("Text of %+v in IPv%d = %q, want %q", tt.m, tt.version, got, tt.want)
		}
	}
}
