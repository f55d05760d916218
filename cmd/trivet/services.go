package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// service is one of the small TCP services of the early Internet.
type service struct {
	name   string
	port   int
	handle func(net.Conn) // closes nothing
}

// services are what trivet serve offers besides the web.
var services = []service{
	{"echo", 7, echo},
	{"discard", 9, discard},
	{"daytime", 13, daytime},
	{"chargen", 19, chargen},
}

// serve accepts connections until the listener is closed.
func (s service) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { // ends when the peer does, or by Stack.Close
			defer c.Close()
			s.handle(c)
		}()
	}
}

// RFC 862: what is received is sent back, until the peer closes.
func echo(c net.Conn) {
	copyBuffer(c, c)
}

// echoUDP sends each datagram back to where it came from, until the socket is
// closed (RFC 862). One from the port of such a service is not answered, or two of
// them would send it to each other for ever.
func echoUDP(c net.PacketConn) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if a, ok := from.(*net.UDPAddr); ok && a.Port > 19 {
			c.WriteTo(b[:n], from) // what cannot be sent is lost, as ever with UDP
		}
	}
}

// RFC 863: what is received is thrown away, and nothing is sent.
func discard(c net.Conn) {
	copyBuffer(io.Discard, c)
}

// RFC 867: the date and time as a line of text, then the connection closes.
// What is received is thrown away.
func daytime(c net.Conn) {
	fmt.Fprintf(c, "%s\r\n", time.Now().UTC().Format("Monday, January 2, 2006 15:04:05-MST"))
}

// RFC 864: a stream of characters without regard to what is received, until
// the peer closes.
func chargen(c net.Conn) {
	go discard(c) // ends with the connection
	for {
		if _, err := io.WriteString(c, chargenPattern); err != nil {
			return
		}
	}
}

// chargenPattern is the popular pattern of RFC 864: lines of 72 of the 95
// printing characters, each line beginning one character later, until the
// first line would come again.
var chargenPattern = func() string {
	var ring, all strings.Builder
	for ch := byte(' '); ch <= '~'; ch++ {
		ring.WriteByte(ch)
	}
	n := ring.Len()
	twice := ring.String() + ring.String()
	for i := range n {
		all.WriteString(twice[i : i+72])
		all.WriteString("\r\n")
	}
	return all.String()
}()
