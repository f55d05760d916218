package trivet_test

import (
	"errors"
	"net"
	"reflect"
	"syscall"
	"testing"

	"github.com/trivet-net/trivet"
)

// An address that cannot be is refused, with the kind of error that package net
// has, and not taken for another: port 70000 is not 4464, and an IP of two bytes
// does not mean all addresses.
func TestBadAddresses(t *testing.T) {
	s := newHost(t, trivet.Config{}, nil, nil)
	defer closeHost(t, s)
	c, err := s.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()

	host := net.IPv4(127, 0, 0, 1)
	remote := "127.0.0.1:9"
	for _, a := range []net.UDPAddr{
		{Port: 70000}, {Port: -1}, {IP: host, Port: 70000}, {IP: net.IP{1, 2}, Port: 4464},
	} {
		tcpAddr := net.TCPAddr(a)
		for _, call := range []struct {
			name         string
			trivet, host func() error
		}{
			{
				"ListenUDP",
				func() error { _, err := s.ListenUDP("udp4", &a); return err },
				func() error { _, err := net.ListenUDP("udp4", &a); return err },
			},
			{
				"ListenTCP",
				func() error { _, err := s.ListenTCP("tcp4", &tcpAddr); return err },
				func() error { _, err := net.ListenTCP("tcp4", &tcpAddr); return err },
			},
			{
				"WriteToUDP",
				func() error { _, err := c.WriteToUDP([]byte("x"), &a); return err },
				func() error { _, err := k.WriteToUDP([]byte("x"), &a); return err },
			},
			{
				"Dial from it on udp4",
				func() error {
					d := trivet.Dialer{Stack: s, LocalAddr: &a}
					_, err := d.Dial("udp4", remote)
					return err
				},
				func() error { d := net.Dialer{LocalAddr: &a}; _, err := d.Dial("udp4", remote); return err },
			},
			{
				"Dial from it on tcp4",
				func() error {
					d := trivet.Dialer{Stack: s, LocalAddr: &tcpAddr}
					_, err := d.Dial("tcp4", remote)
					return err
				},
				func() error { d := net.Dialer{LocalAddr: &tcpAddr}; _, err := d.Dial("tcp4", remote); return err },
			},
		} {
			got, want := call.trivet(), call.host()
			if g, w := refusal(got), refusal(want); g != w {
				t.Errorf("%s, %v: %v (%s), package net says %v (%s)", call.name, &a, got, g, want, w)
			}
		}
	}
}

// refusal is what kind of error refuses an address.
func refusal(err error) string {
	var errno syscall.Errno
	var op *net.OpError
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &op):
		return reflect.TypeOf(op.Err).String()
	}
	return "none"
}
