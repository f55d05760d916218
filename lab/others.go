package lab

import (
	"fmt"

	"github.com/trivet-net/trivet/wire"
)

// other is what can be said of a packet that is no segment of TCP.
type other struct {
	kind  string // "udp", "icmp", "igmp" or "ip"
	words string // "UDP 40000 > 9000 (100)"
	text  Text
	len   int // bytes of data
}

// describeOther describes a packet that is no segment of TCP.
func describeOther(data []byte) other {
	var packet wire.Packet
	var ip wire.IP
	packet.SetBytes(data)
	packet.Checksum = wire.ChecksumValid
	if packet.ParseIP(&ip) != wire.DropNone {
		return other{kind: "ip", words: "IP ?", text: Text{"a packet that cannot be read", "无法解读的包"}}
	}
	switch ip.Protocol {
	case wire.ProtoUDP:
		var u wire.UDP
		if packet.ParseUDP(&ip, &u) == wire.DropNone {
			return other{"udp", fmt.Sprintf("UDP %d > %d (%d)", u.SrcPort, u.DstPort, u.PayloadLen), Text{
				fmt.Sprintf("a datagram of %d bytes to port %d", u.PayloadLen, u.DstPort),
				fmt.Sprintf("发往端口 %[2]d 的数据报，%[1]d 字节", u.PayloadLen, u.DstPort),
			}, u.PayloadLen}
		}
	case wire.ProtoIGMP, wire.ProtoICMP, wire.ProtoICMPv6:
		return describeControl(&packet, &ip)
	}
	return other{
		kind: "ip", words: fmt.Sprintf("IP protocol %d", ip.Protocol),
		text: Text{fmt.Sprintf("a packet of protocol %d", ip.Protocol), fmt.Sprintf("协议号 %d 的包", ip.Protocol)},
	}
}

var membershipTexts = map[wire.MembershipKind]struct {
	words string
	text  Text
}{
	wire.MembershipQuery:  {"query", Text{"asks who listens to a group", "询问谁在收听组播组"}},
	wire.MembershipReport: {"report", Text{"reports which groups it listens to", "报告自己收听的组播组"}},
	wire.MembershipLeave:  {"leave", Text{"listens to the group no more", "不再收听这个组播组"}},
}

var icmpTexts = map[wire.ICMPKind]struct {
	words string
	text  Text
}{
	wire.ICMPEcho:             {"echo", Text{"asks whether anybody is there", "询问对方是否在"}},
	wire.ICMPEchoReply:        {"echo reply", Text{"says that it is there", "回答自己在"}},
	wire.ICMPUnreachable:      {"unreachable", Text{"says that the destination cannot be reached", "报告目的地不可达"}},
	wire.ICMPTooBig:           {"too big", Text{"says that the packet is too big for the path", "报告包对这条路径来说太大"}},
	wire.ICMPTimeExceeded:     {"time exceeded", Text{"says that the packet took too many hops", "报告包经过的跳数太多"}},
	wire.ICMPParameterProblem: {"parameter problem", Text{"says that a header cannot be understood", "报告首部无法理解"}},
}

// describeControl describes a message of ICMP, ICMPv6, IGMP or MLD.
func describeControl(packet *wire.Packet, ip *wire.IP) other {
	o := other{kind: "icmp", words: "ICMP", text: Text{"a control message", "控制消息"}}
	var m wire.Membership
	var c wire.ICMP
	switch {
	case ip.Protocol == wire.ProtoIGMP || packet.IsMLD(ip):
		o.kind, o.words = "igmp", "IGMP"
		if ip.Version == 6 {
			o.words = "MLD"
		}
		if packet.ParseMembership(ip, &m) == wire.DropNone {
			known := membershipTexts[m.Kind]
			o.words, o.text = o.words+" "+known.words, known.text
		}
	case packet.ParseICMP(ip, &c) == wire.DropNone:
		known := icmpTexts[c.Kind]
		o.words, o.text = "ICMP "+known.words, known.text
	}
	return o
}

// dropTexts say why a host did not take a packet that is no business of TCP's
// rules.
var dropTexts = map[wire.Drop]Text{
	wire.DropNotLocal:     {"the packet is for an address that this host does not have: dropped", "目的地址不是本机的：丢弃"},
	wire.DropProtocol:     {"nobody here speaks this protocol: dropped", "本机不支持该协议：丢弃"},
	wire.DropAddress:      {"an address that cannot be: dropped", "地址不合法：丢弃"},
	wire.DropIPChecksum:   {"the checksum of the IP header is wrong: dropped", "IP 首部校验和有误：丢弃"},
	wire.DropTCPChecksum:  {"the TCP checksum is wrong: dropped", "TCP 校验和有误：丢弃"},
	wire.DropUDPChecksum:  {"the UDP checksum is wrong: dropped", "UDP 校验和有误：丢弃"},
	wire.DropICMPChecksum: {"the ICMP checksum is wrong: dropped", "ICMP 校验和有误：丢弃"},
	wire.DropICMPType:     {"a control message that this host has no use for: dropped", "本机用不到的控制消息：丢弃"},
	wire.DropNoPort:       {"nobody has the UDP port: dropped", "没有程序使用这个 UDP 端口：丢弃"},
	wire.DropOption:       {"an unknown IPv6 option: dropped, and its sender told", "未知的IPv6选项：丢弃并告知发送方"},
	wire.DropQueueFull:    {"the receive queue of the socket is full: dropped", "套接字的接收队列已满：丢弃"},
}

// dropText says why a host dropped a packet.
func dropText(d wire.Drop) Text {
	if t, ok := dropTexts[d]; ok {
		return t
	}
	return Text{"the packet cannot be read: dropped", "包无法解读：丢弃"}
}
