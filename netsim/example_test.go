package netsim_test

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/trivet-net/trivet/netsim"
)

// Two hosts on a link with a delay. An example has no bubble of
// testing/synctest, so this one runs in real time; a test would be
//
//	synctest.Test(t, func(t *testing.T) { ... })
func Example() {
	n := netsim.New(netsim.Config{Seed: 1})
	defer n.Close()
	client, server := n.Host("client"), n.Host("server")
	n.Link(client, server, netsim.Delay(time.Millisecond), netsim.Rate(10e6))

	l, err := server.Listen("tcp", ":7")
	if err != nil {
		fmt.Println(err)
		return
	}
	go echo(l)

	c, err := client.Dial("tcp", "server:7")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(c, "hello")
	buf := make([]byte, 5)
	_, err = io.ReadFull(c, buf)
	fmt.Printf("%s %v\n", buf, err)
	_ = c.Close()
	// Output: hello <nil>
}

// echo serves one connection.
func echo(l net.Listener) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = io.Copy(c, c) // it ends when the client does
}
