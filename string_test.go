package trivet_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/trivet-net/trivet"
)

// A socket that is printed, into a log as a rule, tells its network and endpoints.
// What is inside is nobody's to read while it is in use: this runs with -race.
func TestPrintSockets(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	c, s := connect(t, client, server)
	l := listen(t, server, "tcp4", ":80")
	u, err := client.ListenUDP("udp4", &net.UDPAddr{Port: 53})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	d, err := client.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(serverIP4), Port: 53})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	var using sync.WaitGroup
	using.Go(func() {
		for range 100 {
			if _, err := io.WriteString(c, "x"); err != nil {
				t.Error(err)
			}
		}
		_ = c.CloseWrite()
	})
	using.Go(func() { _, _ = io.Copy(io.Discard, s) })
	using.Go(func() {
		if a, err := client.Dial("tcp", serverIP4+":80"); err == nil {
			_ = a.Close()
		}
	})
	using.Go(func() {
		if a, err := l.Accept(); err == nil {
			_ = a.Close()
		}
	})
	using.Go(func() { _, _ = d.Write([]byte("x")) })
	for range 100 {
		for _, tt := range []struct {
			socket any
			want   string
		}{
			{c, fmt.Sprintf("tcp %v->%v", c.LocalAddr(), c.RemoteAddr())},
			{s, fmt.Sprintf("tcp %v->%v", c.RemoteAddr(), c.LocalAddr())},
			{l, "tcp4 0.0.0.0:80"},
			{u, "udp4 0.0.0.0:53"},
			{d, fmt.Sprintf("udp %v->%s:53", d.LocalAddr(), serverIP4)},
			{(*trivet.Conn)(nil), "<nil>"},
		} {
			if got := fmt.Sprintf("%+v", tt.socket); got != tt.want {
				t.Fatalf("printed as %q, want %q", got, tt.want)
			}
		}
	}
	using.Wait()
}
