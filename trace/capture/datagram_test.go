package capture_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/trivet-net/trivet/trace"
)

// build serializes the layers of a packet, with lengths and checksums.
func build(t *testing.T, list ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(b, options, list...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func ipv4(from, to string, protocol layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{
		Version: 4, TTL: 64, Protocol: protocol, SrcIP: netip.MustParseAddr(from).AsSlice(), DstIP: netip.MustParseAddr(to).AsSlice(),
	}
}

func udp(t *testing.T, from, to netip.AddrPort, data string) []byte {
	t.Helper()
	ip := ipv4(from.Addr().String(), to.Addr().String(), layers.IPProtocolUDP)
	u := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
	if err := u.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	return build(t, ip, u, gopacket.Payload(data))
}

func icmp(t *testing.T, from, to string, code layers.ICMPv4TypeCode, quote []byte) []byte {
	t.Helper()
	return build(t, ipv4(from, to, layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: code}, gopacket.Payload(quote[:28]))
}

// pcapng is a capture of packets, a millisecond apart.
func pcapng(packets [][]byte) []byte {
	file := section()
	for i, p := range packets {
		at, length := uint32(1000*i), uint32(len(p))
		file = append(file, block(6, append(words(0, 0, at, length, length), p...), 0)...)
	}
	return file
}

// UDP datagrams are flows of their own, with the ICMP messages about them; an
// ICMP message about a connection stands where it arrives in its ladder.
func TestDatagrams(t *testing.T) {
	client, dns, closed := netip.MustParseAddrPort("10.0.0.1:5000"), netip.MustParseAddrPort("10.0.0.2:53"), netip.MustParseAddrPort("10.0.0.2:99")
	question := udp(t, client, dns, "who is it?")
	refused := udp(t, client, closed, "hello?")
	ip := ipv4("10.0.0.1", "10.0.0.9", layers.IPProtocolTCP)
	syn := &layers.TCP{SrcPort: 4000, DstPort: 80, Seq: 100, SYN: true, Window: 65535}
	if err := syn.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	segment := build(t, ip, syn)
	unreachable := layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodeHost)
	port := layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort)
	echo := layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0)

	file := pcapng([][]byte{
		question, udp(t, dns, client, "nobody"), refused, icmp(t, "10.0.0.2", "10.0.0.1", port, refused),
		segment, icmp(t, "10.0.0.254", "10.0.0.1", unreachable, segment),
		icmp(t, "10.0.0.7", "10.0.0.8", port, udp(t, dns, closed, "not here")), icmp(t, "10.0.0.7", "10.0.0.8", echo, make([]byte, 28)),
	})
	c, a := read(t, file)
	if c.Segments != 1 || c.Datagrams != 3 || c.Errors != 3 || c.Other["ICMP"] != 1 {
		t.Errorf("%d segments, %d datagrams, %d errors, %v, want 1, 3, 3, and an echo", c.Segments, c.Datagrams, c.Errors, c.Other)
	}
	flows := a.Flows()
	if len(flows) != 2 || flows[0].Datagrams != [2]int{1, 1} || flows[0].Bytes != [2]int{10, 6} || flows[1].Errors != 1 || flows[1].Addrs[1] != closed {
		t.Fatalf("flows %+v, want a question with its answer, and one with an error", flows)
	}
	for i, want := range []string{"<- #2 UDP (6)", "<- #4 ICMP port unreachable"} {
		var b strings.Builder
		if err := a.WriteFlow(&b, i, trace.Style{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("flow %d lacks %q:\n%s", i, want, &b)
		}
	}
	if text := ladder(t, file); !strings.Contains(text, "(ICMP)") || !strings.Contains(text, "ICMP tells of trouble") {
		t.Errorf("the ladder lacks the ICMP message:\n%s", text)
	}
}

// Both ends of what passes over a loopback interface have one address: the ports
// tell them apart, also in what is said of them.
func TestLoopback(t *testing.T) {
	client, server := netip.MustParseAddrPort("127.0.0.1:43972"), netip.MustParseAddrPort("127.0.0.1:8000")
	segment := func(from, to netip.AddrPort, s layers.TCP) []byte {
		ip := ipv4("127.0.0.1", "127.0.0.1", layers.IPProtocolTCP)
		s.SrcPort, s.DstPort, s.Window = layers.TCPPort(from.Port()), layers.TCPPort(to.Port()), 1000
		if err := s.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		return build(t, ip, &s)
	}
	_, a := read(t, pcapng([][]byte{
		segment(client, server, layers.TCP{Seq: 100, SYN: true}),
		segment(server, client, layers.TCP{Ack: 101, RST: true, ACK: true}),
		udp(t, client, server, "hello"),
	}))
	if got, want := a.Connections()[0].Hosts, [2]string{client.String(), server.String()}; got != want {
		t.Errorf("hosts %v, want %v", got, want)
	}
	if got, want := a.Flows()[0].Hosts, [2]string{client.String(), server.String()}; got != want {
		t.Errorf("hosts of the datagrams %v, want %v", got, want)
	}
	findings := strings.Join(a.Findings(0, trace.English), "\n")
	if want := "#2 from 127.0.0.1:8000 refused the connection."; !strings.Contains(findings, want) {
		t.Errorf("findings:\n%s\nwant %q", findings, want)
	}
	var b strings.Builder
	if _, err := a.Ladder(trace.Style{}).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(b.String(), "\n")
	if got := strings.Fields(head); strings.Join(got, " ") != "time 127.0.0.1:43972 127.0.0.1:8000 time what happens" {
		t.Errorf("the head is %q", head)
	}
}
