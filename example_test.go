package trivet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// newExampleHosts returns two hosts joined in memory, 10.0.0.1 and 10.0.0.2.
func newExampleHosts() (a, b *trivet.Stack) {
	linkA, linkB := link.Pair(1500, link.PairOptions{})
	return exampleHost(linkA, "10.0.0.1/24"), exampleHost(linkB, "10.0.0.2/24")
}

func exampleHost(l link.Link, address string) *trivet.Stack {
	s, err := trivet.New(trivet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.AddLink(l, netip.MustParsePrefix(address)); err != nil {
		log.Fatal(err)
	}
	return s
}

// Two hosts in one process, joined by a link in memory: one listens, the other
// connects.
func Example() {
	a, b := link.Pair(1500, link.PairOptions{})
	client, err := trivet.New(trivet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server, err := trivet.New(trivet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.AddLink(a, netip.MustParsePrefix("10.0.0.1/24")); err != nil {
		log.Fatal(err)
	}
	if err := server.AddLink(b, netip.MustParsePrefix("10.0.0.2/24")); err != nil {
		log.Fatal(err)
	}

	ln, err := server.Listen("tcp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(c, "hello from %v", c.LocalAddr())
		c.Close()
	}()

	c, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		log.Fatal(err)
	}
	greeting, err := io.ReadAll(c)
	fmt.Println(string(greeting), err)
	c.Close()

	client.Close(context.Background())
	server.Close(context.Background())
	// Output: hello from 10.0.0.2:7 <nil>
}

// net/http runs unmodified: a server takes the listener, a client the
// DialContext method.
func Example_http() {
	client, server := newExampleHosts()
	ln, err := server.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you asked for %s", r.URL.Path)
	}))

	transport := &http.Transport{DialContext: client.DialContext}
	resp, err := (&http.Client{Transport: transport}).Get("http://10.0.0.2/index.html")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Println(resp.Status, string(body))

	transport.CloseIdleConnections()
	client.Close(context.Background())
	server.Close(context.Background())
	// Output: 200 OK you asked for /index.html
}

// CloseWrite ends one direction: the server reads to the end of the request
// and then answers on the same connection.
func ExampleConn_CloseWrite() {
	client, server := newExampleHosts()
	ln, err := server.Listen("tcp", "10.0.0.2:7")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		request, _ := io.ReadAll(c) // until the client's FIN
		fmt.Fprintf(c, "%d bytes", len(request))
		c.Close()
	}()

	c, err := client.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		log.Fatal(err)
	}
	io.WriteString(c, "a request of unknown length")
	c.CloseWrite()
	answer, _ := io.ReadAll(c)
	fmt.Println(string(answer))
	c.Close()

	client.Close(context.Background())
	server.Close(context.Background())
	// Output: 27 bytes
}

// Info tells what Linux's TCP_INFO tells.
func ExampleConn_Info() {
	client, server := newExampleHosts()
	ln, err := server.Listen("tcp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		log.Fatal(err)
	}
	info := c.(*trivet.Conn).Info()
	fmt.Println(info.State, info.SndMSS, info.Timestamps, info.SACK)

	c.Close()
	ln.Close()
	client.Close(context.Background())
	server.Close(context.Background())
	// Output: ESTABLISHED 1448 true true
}

// A host without links talks to itself.
func ExampleStack_Listen() {
	s, err := trivet.New(trivet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := s.Listen("tcp", "localhost:1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr())
	c, err := s.Dial("tcp", ":1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.RemoteAddr())
	c.Close()
	ln.Close()
	s.Close(context.Background())
	// Output:
	// 127.0.0.1:1234
	// 127.0.0.1:1234
}

// UDP sockets are as those of package net. Here a host asks itself.
func ExampleStack_ListenPacket() {
	host, err := trivet.New(trivet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer host.Close(context.Background())
	server, err := host.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		log.Fatal(err)
	}
	client, err := host.Dial("udp", "127.0.0.1:53")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(client, "question")

	buf := make([]byte, 1500)
	n, from, err := server.ReadFrom(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", buf[:n])
	server.WriteTo([]byte("answer"), from)

	if n, err = client.Read(buf); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", buf[:n])
	// Output:
	// question
	// answer
}

// tunnel is a link of one's own: each packet goes in a datagram of a real UDP
// socket. A VPN would encrypt in Write and decrypt in Read.
type tunnel struct {
	socket *net.UDPConn
	peer   netip.AddrPort
	buf    [1500]byte
}

func newTunnel() *tunnel {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	return &tunnel{socket: socket}
}

func (t *tunnel) address() netip.AddrPort { return t.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Read fills one packet; it may fill several. The buffer is good until the next
// Read. An error would end the link: a datagram from a stranger is none.
func (t *tunnel) Read(pkts []wire.Packet) (int, error) {
	for {
		n, from, err := t.socket.ReadFromUDPAddrPort(t.buf[:])
		if err != nil {
			return 0, err // after Close it wraps net.ErrClosed
		}
		if from == t.peer {
			pkts[0].SetBytes(t.buf[:n])
			return 1, nil
		}
	}
}

// Write is called by several goroutines at once.
func (t *tunnel) Write(pkts []wire.Packet) (int, error) {
	buf := make([]byte, 0, t.MTU())
	for i := range pkts {
		if _, err := t.socket.WriteToUDPAddrPort(pkts[i].AppendTo(buf), t.peer); err != nil {
			return i, err
		}
	}
	return len(pkts), nil
}

func (t *tunnel) MTU() int                { return 1420 }
func (t *tunnel) Offloads() link.Offloads { return 0 }

func (t *tunnel) Close() error {
	_ = t.socket.Close() // the second time it is closed already
	return nil
}

// A link of one's own has five methods. This one carries packets between two hosts
// in the datagrams of real UDP sockets.
func ExampleStack_AddLink() {
	a, b := newTunnel(), newTunnel()
	a.peer, b.peer = b.address(), a.address()
	client, server := exampleHost(a, "10.0.0.1/24"), exampleHost(b, "10.0.0.2/24")

	ln, err := server.Listen("tcp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(c, "through the tunnel")
		c.Close()
	}()
	c, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		log.Fatal(err)
	}
	greeting, err := io.ReadAll(c)
	fmt.Println(string(greeting), err)
	c.Close()

	client.Close(context.Background())
	server.Close(context.Background())
	// Output: through the tunnel <nil>
}
