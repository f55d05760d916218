package sim

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// RFC 9293, Section 3.5.1: a host that crashed is silent while it is down; when
// it is back it resets the half-open connection that the other still has.
func TestCrashAndBoot(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	p.server.Crash()
	var err error
	Receive(client, func([]byte) {}, func(e error) { err = e })
	Send(client, []byte("are you there?"), nil)
	p.RunFor(time.Minute)
	if client.State() != tcp.StateEstablished || err != nil {
		t.Fatalf("while the server is down the client is in %v, %v", client.State(), err)
	}
	if _, e := p.server.Listen(webPort, func(*Conn) {}); !errors.Is(e, syscall.ENETDOWN) {
		t.Errorf("Listen on a host that is down = %v, want %v", e, syscall.ENETDOWN)
	}
	if _, e := server.Write([]byte("x")); !errors.Is(e, syscall.ENOTCONN) {
		t.Errorf("Write on a forgotten connection = %v, want %v", e, syscall.ENOTCONN)
	}
	p.server.Boot()
	p.RunFor(5 * time.Minute)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the boot the client ended with %v, want %v", err, syscall.ECONNRESET)
	}
	p.open(tcp.Options{})
}

// A partition of one way: what the client says is not heard, what the server
// says is.
func TestUnplugOneWay(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	client, server := p.open(tcp.Options{})
	got := [2]int{}
	Receive(client, func(b []byte) { got[0] += len(b) }, nil)
	Receive(server, func(b []byte) { got[1] += len(b) }, nil)
	p.link.UnplugFrom(p.client)
	Send(client, []byte("hello"), nil)
	Send(server, []byte("hello"), nil)
	p.RunFor(10 * time.Second)
	if got != [2]int{5, 0} {
		t.Errorf("the ends received %v bytes, want 5 and 0", got)
	}
	p.link.PlugFrom(p.client)
	p.RunFor(time.Minute)
	if got != [2]int{5, 5} {
		t.Errorf("after the mending the ends received %v bytes, want 5 each", got)
	}
}

// Injected packets are as if a host had sent them.
func TestInject(t *testing.T) {
	p := newPair(t, 1, engine.Config{}, Symmetric(rtt20))
	p.Drop() // rules do not see it
	tuple := netip.AddrPortFrom(p.client.Addr(), 9)
	p.link.Inject(p.client, oldPacket(tuple, netip.AddrPortFrom(p.server.Addr(), webPort), 0, 1))
	p.RunFor(time.Second)
	if n := p.server.Engine().Stats().PacketsIn; n != 1 {
		t.Errorf("%d packets came to the server, want 1", n)
	}
}
