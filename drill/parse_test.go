package drill

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// parseEvents parses a script that must be good.
func parseEvents(t *testing.T, text string) []Event {
	t.Helper()
	s, err := Parse("x.pkt", text, Options{})
	if err != nil {
		t.Fatalf("Parse(%q) = %v, want no error", text, err)
	}
	return s.Events
}

func TestParseTimes(t *testing.T) {
	const packet = " > . 1:1(0) ack 1"
	for _, tt := range []struct {
		text string
		want When
	}{
		{"0", When{TimeAbsolute, 0, 0}},
		{"1.5", When{TimeAbsolute, 1500 * time.Millisecond, 1500 * time.Millisecond}},
		{"+.01", When{TimeRelative, 10 * time.Millisecond, 10 * time.Millisecond}},
		{"+0", When{TimeRelative, 0, 0}},
		{"1~2", When{TimeAbsoluteRange, time.Second, 2 * time.Second}},
		{"+.1~+.2", When{TimeRelativeRange, 100 * time.Millisecond, 200 * time.Millisecond}},
		{"+ 1 ~ + 2", When{TimeRelativeRange, time.Second, 2 * time.Second}},
		{"*", When{Kind: TimeAny}},
	} {
		if got := parseEvents(t, tt.text+packet)[0].When; got != tt.want {
			t.Errorf("time %q = %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

func TestParseSegments(t *testing.T) {
	for _, tt := range []struct {
		text string
		want TCP
	}{
		{"S 0:0(0)", TCP{Flags: 2}},
		{". 1:1(0) ack 1", TCP{Flags: 16, Seq: 1, HasAck: true, Ack: 1}},
		{"FP. 1:1001(1000) ack 2 win 257 urg 3", TCP{
			Flags: 1 | 8 | 16, Seq: 1, Len: 1000, HasAck: true, Ack: 2, HasWindow: true, Window: 257, Urgent: 3,
		}},
		{"F  . 1:1(0) ack 1", TCP{Flags: 1 | 16, Seq: 1, HasAck: true, Ack: 1}},
		{"- 1:2(1)", TCP{Seq: 1, Len: 1}},
		{"SEWA 0:0(0)", TCP{Flags: 2 | 64 | 128 | 256}},
		{"P.5 1:2(1) ack 1", TCP{Flags: 8 | 16, HasACE: true, ACE: 5, Seq: 1, Len: 1, HasAck: true, Ack: 1}},
		{".5 1:2(1) ack 1", TCP{Flags: 16, HasACE: true, ACE: 5, Seq: 1, Len: 1, HasAck: true, Ack: 1}},
		{". 5:6(1)! ack 7!", TCP{Flags: 16, Seq: 5, Len: 1, SeqRaw: true, HasAck: true, Ack: 7, AckRaw: true}},
		{". ...(10) ack 1", TCP{Flags: 16, SeqAny: true, Len: 10, HasAck: true, Ack: 1}},
		{". 1:1(0) ack 1 <...>", TCP{Flags: 16, Seq: 1, HasAck: true, Ack: 1, AnyOptions: true}},
		{"R 4294967295:0(1)", TCP{Flags: 4, Seq: 1<<32 - 1, Len: 1}},
	} {
		got := parseEvents(t, "0 > "+tt.text)[0].Packet.TCP
		if !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("segment %q = %+v, want %+v", tt.text, *got, tt.want)
		}
	}
}

func TestParseOptions(t *testing.T) {
	for _, tt := range []struct{ text, bytes string }{
		{"mss 1460", "020405b4"},
		{"mss 1000,sackOK,nop,nop", "020403e8 0402 01 01"},
		{"wscale 7,eol", "030307 00"},
		{"nop,nop,TS val 1 ecr 2", "01 01 080a0000000100000002"},
		{"sack 1:2 3:4", "051200000001000000020000000300000004"},
		{"FO a1b2", "2204a1b2"},
		{"FO", "2202"},
		{"FOEXP 0102", "fe06f9890102"},
		{"EXP-FO 0102", "fe06f9890102"},
		{"md5 00112233", "130600112233"},
		{"gen-200 0a", "c8030a"},
		{"ECN e0b 1 ceb 2 e1b 3", "ac0b000001000002000003"},
		{"ECN e1b 1", "ae05000001"},
	} {
		var got []string
		for _, o := range parseEvents(t, "0 < S 0:0(0) win 1 <"+tt.text+">")[0].Packet.TCP.Options {
			got = append(got, fmt.Sprintf("%x", o.Bytes))
		}
		if text := strings.Join(got, " "); strings.ReplaceAll(text, " ", "") != strings.ReplaceAll(tt.bytes, " ", "") {
			t.Errorf("options %q = %s, want %s", tt.text, text, tt.bytes)
		}
	}
}

func TestParseIPInfo(t *testing.T) {
	for _, tt := range []struct {
		text string
		want IPInfo
	}{
		{"[ect0]", IPInfo{ECN: ECNECT0}},
		{"(ce)", IPInfo{ECN: ECNCE}},
		{"[tos 0x10, ttl 3]", IPInfo{HasTOS: true, TOS: 16, TTL: 3}},
		{"[dscp af11, ecn noecn]", IPInfo{HasDSCP: true, TOS: 40, ECN: ECNNone}},
		{"[class 0xff,hlim 255,flowlabel 0x5]", IPInfo{HasTOS: true, TOS: 255, TTL: 255, HasFlowLabel: true, FlowLabel: 5}},
	} {
		if got := parseEvents(t, "0 > "+tt.text+" . 1:1(0) ack 1")[0].Packet.IP; got != tt.want {
			t.Errorf("IP info %q = %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

func TestParseICMP(t *testing.T) {
	for _, tt := range []struct {
		text string
		want ICMP
	}{
		{"icmp unreachable frag_needed mtu 1200 [1:1001(1000)]", ICMP{
			Type: "unreachable", Code: "frag_needed", HasMTU: true, MTU: 1200, Quotes: true, Proto: 6, Seq: 1, Len: 1000,
		}},
		{"icmp packet_too_big mtu 1300", ICMP{Type: "packet_too_big", HasMTU: true, MTU: 1300, Proto: 6}},
		{"icmp unreachable port_unreachable [udp (100)]", ICMP{
			Type: "unreachable", Code: "port_unreachable", Quotes: true, Proto: 17, Len: 100,
		}},
		{"[1:1001(1000)] icmp unreachable frag_needed mtu 1200", ICMP{
			Type: "unreachable", Code: "frag_needed", HasMTU: true, MTU: 1200, Quotes: true, Proto: 6, Seq: 1, Len: 1000,
		}},
		{"icmp unreachable port_unreachable [udplite(100, 8)]", ICMP{
			Type: "unreachable", Code: "port_unreachable", Quotes: true, Proto: 136, Len: 100,
		}},
		{"icmp echo_request id 7", ICMP{Type: "echo_request", ID: 7, Proto: 6}},
	} {
		if got := parseEvents(t, "0 < "+tt.text)[0].Packet.ICMP; *got != tt.want {
			t.Errorf("message %q = %+v, want %+v", tt.text, *got, tt.want)
		}
	}
}

func TestParsePorts(t *testing.T) {
	p := parseEvents(t, "0 < ipv4 [ect0] 10.0.0.1 > 10.0.0.2: 5000 > 80 S 0:0(0) win 1")[0].Packet
	if p.Src.String() != "10.0.0.1" || p.Dst.String() != "10.0.0.2" || p.SrcPort != 5000 || p.DstPort != 80 {
		t.Errorf("packet = %v %v %d %d, want its addresses and ports", p.Src, p.Dst, p.SrcPort, p.DstPort)
	}
	p = parseEvents(t, "0 < udp 1 > 2 (100)")[0].Packet
	if p.UDP == nil || p.UDP.Len != 100 || p.DstPort != 2 {
		t.Errorf("datagram = %+v, want 100 bytes to port 2", p)
	}
}

// What cannot be run is read all the same, and the next line is not lost.
func TestParseUnsupported(t *testing.T) {
	events := parseEvents(t, "0 < gre: ipv4 1.1.1.1 > 2.2.2.2: S 0:0(0)\n+0 > sctp: INIT[flgs=0,\n tag=1]\n+0 > . 1:1(0)")
	if len(events) != 3 || events[0].Packet.Unsupported != "gre" || events[1].Packet.Unsupported != "sctp" {
		t.Errorf("events = %+v, want a gre, an sctp and a plain packet", events)
	}
}

// So are an encapsulation in UDP, MD5 digests that are to be computed, and the
// lines of a packet of another protocol.
func TestParseUnsupportedTails(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"0 > S 0:0(0) <mss 1452>/udp(9811 > 1)", "TCP over UDP"},
		{"0 < icmp unreachable [0:0(0)/udp(9811 > 1)]", "TCP over UDP"},
		{"0 < S 0:0(0) win 9 <mss 1460,md5 valid>", "MD5-signed"},
		{"0 < [sctp(2)] icmp unreachable protocol_unreachable", "sctp"},
		{"0 > sctp: DATA[len=5];\nPAD[flgs=0]", "sctp"},
	} {
		events := parseEvents(t, tt.text+"\n+0 > . 1:1(0)")
		if len(events) != 2 || events[0].Packet.Unsupported != tt.want || events[1].Packet.TCP == nil {
			t.Errorf("Parse(%q) = %+v, want one that is unsupported for %s, and a plain one", tt.text, events, tt.want)
		}
	}
}

func TestParseCalls(t *testing.T) {
	for _, text := range []string{
		"read(4, ..., 1000) = 1000",
		"bind(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"1.2.3.4\")}, ...) = 0",
		"poll([{fd=4, events=POLLIN|POLLOUT, revents=0}], 1, -1) = 0",
		"writev(4, [{..., 100}, {\"ab\", 2}], 2) = 102",
		"recvmsg(3, {msg_name=..., msg_iov=[{..., 1000}], msg_flags=0, msg_control=[]}, 0) = 1000",
		"write(3, \"ab\"..., 100) = 100",
	} {
		c := parseEvents(t, "0 "+text)[0].Call
		got := c.Name + "(" + joinExprs(c.Args, ", ") + ") = " + c.Result.String()
		if got != text {
			t.Errorf("call = %s, want %s", got, text)
		}
	}
	c := parseEvents(t, "+1...2.5 connect(3, ..., ...) = -1 EAGAIN (try again)")[0].Call
	if !c.Blocking || c.End != 2500*time.Millisecond || c.Errno != "EAGAIN" || c.Note != "try again" {
		t.Errorf("call = %+v, want one that ends at 2.5 with EAGAIN", c)
	}
	if c := parseEvents(t, "0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)")[0].Call; c.Result.Int != 2 || c.Note != "flags O_RDWR" {
		t.Errorf("call = %+v, want 2 with a note", c)
	}
}

// Definitions replace words, those of the command line first; #ifdef leaves
// out what is not defined.
func TestParseDefines(t *testing.T) {
	const text = `--define=PORT=80
--define=CMD=` + "`true`" + `
#ifdef LINUX
0 read(PORT, ..., 1) = 1
#else
0 read(9, ..., 1) = 1
#endif
#ifndef LINUX
+0 read(8, ..., 1) = 1
#endif
+0 CMD
`
	for _, tt := range []struct {
		define map[string]string
		want   string
	}{
		{nil, "[9 8]"},
		{map[string]string{"LINUX": "1"}, "[80]"},
		{map[string]string{"LINUX": "1", "PORT": "0x10"}, "[16]"},
	} {
		s, err := Parse("x.pkt", text, Options{Define: tt.define})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range s.Events {
			if e.Call != nil {
				got = append(got, e.Call.Args[0].Int)
			} else if e.Command.Text != "true" {
				t.Errorf("command = %q, want true", e.Command.Text)
			}
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("with %v the script reads %v, want %s", tt.define, got, tt.want)
		}
	}
}

func TestParseParts(t *testing.T) {
	s, err := Parse("x.pkt", "--mtu=1400\n--strict_segments\n`init`\n// comment\n0 %{ a }%\n/* more */ +0 `mid`\n`end`\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Options) != 2 || s.Options[0].Name != "mtu" || s.Options[0].Value != "1400" || s.Options[1].Name != "strict_segments" {
		t.Errorf("options = %+v, want mtu and strict_segments", s.Options)
	}
	if s.Init.Text != "init" || s.Cleanup.Text != "end" || len(s.Events) != 2 {
		t.Errorf("script = %+v, want init, two events and cleanup", s)
	}
}

// A malformed script names the line, the column and what was expected.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "1:1: expected an event, found the end of the script"},
		{"0 > S 0:1(0)", "1:7: expected seq:end(length) to add up, found 0:1(0)"},
		{"0 > S 0:0(0\n", `2:1: expected ')', found the end of the script`},
		{"0 > Q 0:0(0)", `1:5: expected TCP flags out of FSRP.UEWA, found "Q"`},
		{"0 > . 1:1(0) ack x", `1:18: expected an acknowledgement number, found "x"`},
		{"0 > . 1:1(0) win 70000", `1:18: expected a window from 0 to 65535, found "70000"`},
		{"0 > . 1:1(0) <mss>", `1:18: expected a segment size, found ">"`},
		{"0 > . 1:1(0) <foo>", `1:15: expected a TCP option: mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5, ECN or gen-N, found "foo"`},
		{"0 < . 1:1(0) <...>", "1:15: expected TCP options: <...> is for packets out"},
		{"0~1 < S 0:0(0)", "1:1: expected a single time: ranges and '*' are for packets out"},
		{"2~1 > S 0:0(0)", "1:1: expected a time range that runs forward"},
		{"+x read(1) = 1", `1:2: expected a time in seconds, found "x"`},
		{"0 read(1 = 1", "1:8: expected a name before '='"},
		{"0 read(1", "1:9: expected ')', found the end of the script"},
		{"0 read(1)", "1:10: expected '=', found the end of the script"},
		{"0 read(1) = -1 EAGAIN", "1:22: expected '(' and the text of the error, found the end of the script"},
		{"0 %{ x", "1:3: expected }% after this %{"},
		{"0 `x", "1:3: expected ` after this `"},
		{"#ifdef A\n0 read(1) = 1\n", "1:1: no #endif for this #ifdef"},
		{"#endif\n", "1:1: #endif without #ifdef"},
		{"#if x\n", `1:1: expected #ifdef, #ifndef, #else or #endif, found "#if"`},
		{"--define=x\n0 read(1) = 1", `1:1: expected --define=NAME=value, found "--define=x"`},
		{"0 > [foo] . 1:1(0)", `1:6: expected ect0, ect1, ect01, ce, noecn, tos, class, dscp, ttl, hlim or flowlabel, found "foo"`},
		{"0 < [1:1(0)] S 0:0(0)", `1:14: expected icmp after what it quotes, found "S"`},
		{"0 > . 1:1(0)/tcp(1 > 2)", `1:14: expected udp, found "tcp"`},
		{"0 > . 1:1(0) <md5 x>", `1:19: expected at most 38 bytes in hexadecimal, two digits each, found "x"`},
		{"0 ?", `1:3: expected '<', '>', a system call, a command in back-ticks or %{ code }%, found "?"`},
		{"0 read(" + strings.Repeat("[", 60) + ") = 1", "1:58: expected less nesting: brackets go deeper than 50"},
		{"0 > . 1:1(0) <sack 1:2 3:4 5:6 7:8 9:10,nop>", "1:15: expected at most 40 bytes of TCP options"},
		{"100000 read(1) = 1", `1:1: expected a time from 0 to 86400 seconds, found "100000"`},
	} {
		_, err := Parse("x.pkt", tt.text, Options{})
		if got := fmt.Sprint(err); got != "x.pkt:"+tt.want {
			t.Errorf("Parse(%q) = %v, want x.pkt:%s", tt.text, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range load(f) {
		if len(s.lines) < 30 {
			f.Add(strings.Join(s.lines, "\n"))
		}
	}
	f.Add("--define=A=1\n`x`\n#ifdef A\n0...1 poll([{fd=A, events=POLLIN|4}], 1, -1) = 0 EX (a b)\n#endif\n* > [ect0,ttl 3] icmp unreachable x mtu 1 [udp (1)]\n`y`")
	f.Add("0 < ipv6 ::1 > fd00::2: 1 > 2 SEWA.7 ...(1) ack 1! win 1 urg 2 <FO 01,TS val ... ecr 1!,gen-7 00,sack 1:2 3:4>\n+.1~+.2 > udp (3)")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("x.pkt", text, Options{})
		if err != nil {
			if e, ok := err.(*SyntaxError); !ok || e.Line < 1 || e.Col < 1 || e.Message == "" {
				t.Fatalf("Parse(%q) = %v, want a place and a message", text, err)
			}
			return
		}
		// What can be read can be run to some end, and to the same each time.
		a, b := Run(s), Run(s)
		if a.Status != b.Status || a.Reason != b.Reason || a.Line != b.Line {
			t.Errorf("Run = %v, then %v", a, b)
		}
	})
}
