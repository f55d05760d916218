package drill

import (
	"fmt"
	"net/netip"
	"time"
)

// Pos is a place in a script; both count from 1.
type Pos struct{ Line, Col int }

// String returns "line:column".
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Col) }

// Script is a parsed script.
type Script struct {
	// Path is where the script came from; commands name files relative to it.
	Path    string
	Options []Option
	// Init and Cleanup are the commands before the first and after the last
	// event, nil if there is none.
	Init, Cleanup *Command
	Events        []Event

	lines []string // of the source, for messages
	opt   Options
}

// Line returns the text of line n of the source, counted from 1.
func (s *Script) Line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return s.lines[n-1]
}

// Option is one --name=value of the head of a script.
type Option struct {
	Pos
	Name, Value string
}

// TimeKind says how the time of an event is written.
type TimeKind uint8

// The kinds of times.
const (
	TimeAbsolute      TimeKind = iota // 1.5
	TimeRelative                      // +1.5
	TimeAbsoluteRange                 // 1~2
	TimeRelativeRange                 // +1~+2
	TimeAny                           // *
)

// When is the time of an event: From, or anything from From to To.
type When struct {
	Kind     TimeKind
	From, To time.Duration
}

// Event is one thing that a script does or expects. Exactly one of Packet,
// Call, Command and Code is set.
type Event struct {
	Pos
	When    When
	Packet  *Packet
	Call    *Call
	Command *Command
	Code    *Code
}

// Command is a command for the shell, without its back-ticks.
type Command struct {
	Pos
	Text string
}

// Code is the text between %{ and }%.
type Code struct {
	Pos
	Text string
}

// Packet is a packet in or out.
type Packet struct {
	Out bool
	// Unsupported names what the packet has that cannot be run: a tunnel or a
	// protocol. Nothing else is set then.
	Unsupported string

	IP   IPInfo
	TCP  *TCP
	UDP  *UDP
	ICMP *ICMP
	// Src and Dst are set where the script writes them, else invalid.
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16 // 0: those of the connection under test
}

// ECN is what a packet's two ECN bits must be, or are.
type ECN uint8

// The values of ECN; ECNAny, of an outbound packet, is not compared.
const (
	ECNAny ECN = iota
	ECNNone
	ECNECT0
	ECNECT1
	ECNCE
	ECNECT01 // ECT(0) or ECT(1)
)

// IPInfo is what a script says of the IP header.
type IPInfo struct {
	ECN          ECN
	HasTOS       bool // the whole byte is TOS
	HasDSCP      bool // the upper six bits are those of TOS
	TOS          uint8
	TTL          uint8 // 0: not said
	HasFlowLabel bool
	FlowLabel    uint32

	quoted  *TCP   // by the ICMP message that follows
	foreign string // the protocol of what the message quotes, if it is none of ours
}

// TCP is what a script says of a TCP segment.
type TCP struct {
	// Flags are the letters FSRPEWUA as wire.Flags has them.
	Flags uint16
	// HasACE: the three bits of the AccECN field are written as a number.
	HasACE bool
	ACE    uint8

	Seq       uint32
	SeqRaw    bool // written with "!": not relative to the ISN
	SeqAny    bool // written as "...(n)": not compared
	Len       int
	HasAck    bool
	Ack       uint32
	AckRaw    bool
	HasWindow bool
	Window    uint16
	Urgent    uint16

	Options    []TCPOption
	AnyOptions bool // written as <...>: not compared
	signed     bool // by an MD5 digest that is to be computed
}

// TCPOption is one TCP option: its bytes on the wire, numbers as the script
// has them.
type TCPOption struct {
	Kind  uint8
	Bytes []byte
	// ValAny and EcrRaw belong to a timestamps option: "val ..." is not
	// compared, "ecr N!" is not mapped.
	ValAny, EcrRaw bool
	signed         bool // an MD5 digest that is to be computed
}

// UDP is what a script says of a UDP datagram: the length of its payload.
type UDP struct{ Len int }

// ICMP is what a script says of an ICMP or ICMPv6 message. Type and Code are
// the words of the script; the quoted packet is one of Proto (6 or 17), at Seq
// with Len bytes.
type ICMP struct {
	Type, Code string
	HasMTU     bool
	MTU        int
	ID         int
	Quotes     bool
	Proto      uint8
	Seq        uint32
	Len        int
	overUDP    bool // what it quotes was carried in UDP
}

// Call is a system call and its result.
type Call struct {
	Name     string
	Blocking bool          // written with "...": it ends at End
	End      time.Duration // absolute or relative as the event's time is
	Args     []*Expr
	Result   *Expr
	Errno    string // "EAGAIN", or ""
	Note     string
}

// ExprKind says what an Expr is.
type ExprKind uint8

// The kinds of expressions.
const (
	ExprEllipsis ExprKind = iota // ...
	ExprInt                      // 12, 0x1f
	ExprWord                     // O_RDWR
	ExprString                   // "text"
	ExprPrefix                   // "text"...
	ExprOr                       // List[0]|List[1]
	ExprList                     // [a, b]
	ExprStruct                   // {a=1, b} : List, each perhaps with a Name
	ExprCall                     // htons(8080) : Text, List
)

// Expr is an argument or result of a system call.
type Expr struct {
	Pos
	Kind ExprKind
	Name string // of a field: the "fd" of {fd=3}
	Int  int64
	Text string
	List []*Expr
}

// Field returns the field of a struct with the name, nil when it has none.
func (e *Expr) Field(name string) *Expr {
	if e == nil || e.Kind != ExprStruct {
		return nil
	}
	for _, f := range e.List {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// String returns the expression as a script writes it.
func (e *Expr) String() string {
	s := e.text()
	if e.Name != "" {
		return e.Name + "=" + s
	}
	return s
}

func (e *Expr) text() string {
	switch e.Kind {
	case ExprEllipsis:
		return "..."
	case ExprInt:
		return fmt.Sprint(e.Int)
	case ExprString:
		return fmt.Sprintf("%q", e.Text)
	case ExprPrefix:
		return fmt.Sprintf("%q...", e.Text)
	case ExprOr:
		return joinExprs(e.List, "|")
	case ExprList:
		return "[" + joinExprs(e.List, ", ") + "]"
	case ExprStruct:
		return "{" + joinExprs(e.List, ", ") + "}"
	case ExprCall:
		return e.Text + "(" + joinExprs(e.List, ", ") + ")"
	}
	return e.Text
}

func joinExprs(list []*Expr, sep string) string {
	s := ""
	for i, e := range list {
		if i > 0 {
			s += sep
		}
		s += e.String()
	}
	return s
}
