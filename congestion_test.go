package trivet_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/tcp"
)

// SOCK-76, MAY-18: the congestion control is chosen per host, listener, dial and
// connection; the connection's choice goes before the host's. An unknown name
// is ENOENT, as on Linux.
func TestCongestion(t *testing.T) {
	client, server := newPair(t, pairConfig{host: trivet.Config{TCP: tcp.Config{Congestion: "reno"}}})
	lc := trivet.ListenConfig{Stack: server, Options: tcp.Options{Congestion: "cubic"}}
	l, err := lc.Listen(context.Background(), "tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := client.Dial("tcp", serverIP4+":7")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ns, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	c := nc.(*trivet.Conn)
	want := func(what string, c *trivet.Conn, name string) {
		t.Helper()
		if got := c.Info().Congestion; got != name {
			t.Errorf("%s: %q, want %q", what, got, name)
		}
	}
	want("of the host", c, "reno")
	want("of the listener", ns.(*trivet.Conn), "cubic")
	for _, name := range tcp.Congestions() {
		if err := c.SetCongestion(name); err != nil {
			t.Errorf("SetCongestion(%q): %v", name, err)
		}
		want("set", c, name)
	}
	if err := c.SetCongestion(""); err != nil {
		t.Errorf("SetCongestion(\"\"): %v", err)
	}
	want("of the host again", c, "reno")

	enoent := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOENT) {
			t.Errorf("%s: %v, want ENOENT", what, err)
		}
	}
	enoent("SetCongestion", c.SetCongestion("vegas"))
	o := c.Options()
	o.Congestion, o.Cork = "vegas", true
	enoent("SetOptions", c.SetOptions(o))
	if c.Options().Cork {
		t.Error("SetOptions failed, and yet set something")
	}
	lc.Options = o
	_, err = lc.Listen(context.Background(), "tcp", ":8")
	enoent("Listen", err)
	d := trivet.Dialer{Stack: client, Options: o}
	_, err = d.Dial("tcp", serverIP4+":7")
	enoent("Dial", err)
}
