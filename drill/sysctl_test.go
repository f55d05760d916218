package drill

import (
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// FreeBSD's settings mean the same fields as those of Linux.
func TestBSDSysctls(t *testing.T) {
	for _, tt := range []struct {
		text string
		got  func(*settings) any
		want any
	}{
		{"net.inet.tcp.rfc1323=0", func(s *settings) any { return s.engine.TCP.NoTimestamps && s.engine.TCP.NoWindowScale }, true},
		{"net.inet.tcp.rfc1323=2", func(s *settings) any { return s.engine.TCP.NoTimestamps && !s.engine.TCP.NoWindowScale }, true},
		{"net.inet.tcp.sack.enable=0", func(s *settings) any { return s.engine.TCP.NoSACK }, true},
		{"net.inet.tcp.ecn.enable=1", func(s *settings) any { return s.engine.TCP.ECN }, tcp.ECNOn},
		{"kern.ipc.maxsockbuf=73728", func(s *settings) any { return s.engine.TCP.MaxRecvBuffer }, 73728},
		{"net.inet.tcp.recvspace=65536", func(s *settings) any { return s.engine.TCP.InitialRecvBuffer }, 65536},
		{"net.inet.tcp.sendspace=32768", func(s *settings) any { return s.socket.SendBuffer }, 32768},
		{"net.inet.tcp.delacktime=50", func(s *settings) any { return s.engine.TCP.DelayedAck }, 50 * time.Millisecond},
		{"net.inet.tcp.keepidle=15000", func(s *settings) any { return s.socket.KeepIdle }, 15 * time.Second},
		{"net.inet.tcp.syncookies=0", func(s *settings) any { return s.engine.SynCookies }, engine.CookiesNever},
		{"net.inet.tcp.syncookies_only=1", func(s *settings) any { return s.engine.SynCookies }, engine.CookiesAlways},
		{"net.inet.tcp.fastopen.client_enable=0", func(s *settings) any { return s.fastOpen & fastOpenClient }, 0},
		{"net.inet.tcp.pmtud_blackhole_detection=0", func(s *settings) any { return s.engine.TCP.MTUProbing }, tcp.MTUProbingOff},
		{"net.inet.tcp.tolerate_missing_ts=0", func(s *settings) any { return s.engine.TCP.RequireTimestamps }, true},
	} {
		s := newSettings()
		if err := s.setSysctl(tt.text); err != nil || tt.got(s) != tt.want {
			t.Errorf("sysctl %s = %v, and the field is %v, want %v", tt.text, err, tt.got(s), tt.want)
		}
	}
	if err := newSettings().setSysctl("kern.ipc.maxsockbuf=-1"); err == nil {
		t.Error("sysctl kern.ipc.maxsockbuf=-1 = no error")
	}
}

// ICMP messages have names, of which some are two, or numbers.
func TestICMPNames(t *testing.T) {
	for _, tt := range []struct {
		ip6        bool
		kind, code string
		want       icmpValue
		text       string
	}{
		{false, "unreachable", "host_unreachable", icmpValue{3, 1}, "unreachable host_unreachable"},
		{false, "unreachable", "", icmpValue{3, 0}, "unreachable net_unreachable"},
		{false, "time_exceeded", "ttl_exceeded_in_transit", icmpValue{11, 0}, "time_exceeded exc_ttl"},
		{false, "parameter_problem", "code_1", icmpValue{12, 1}, "parameter_problem code_1"},
		{false, "type_255", "code_3", icmpValue{255, 3}, "type_255 code_3"},
		{true, "packet_too_big", "", icmpValue{2, 0}, "packet_too_big"},
		{true, "parameter_problem", "unknown_next_header", icmpValue{4, 1}, "parameter_problem unknown_next_header"},
	} {
		got, ok := icmpLookup(tt.ip6, &ICMP{Type: tt.kind, Code: tt.code})
		if !ok || got != tt.want {
			t.Errorf("icmpLookup(%s %s) = %v, %v, want %v", tt.kind, tt.code, got, ok, tt.want)
		}
		if text := icmpText(tt.ip6, got); text != tt.text {
			t.Errorf("icmpText(%v) = %q, want %q", got, text, tt.text)
		}
	}
	for _, m := range []ICMP{{Type: "no_such"}, {Type: "type_256"}, {Type: "unreachable", Code: "no_such"}, {Type: "redirect", Code: "code_"}} {
		if v, ok := icmpLookup(false, &m); ok {
			t.Errorf("icmpLookup(%v) = %v, want none", m, v)
		}
	}
}
