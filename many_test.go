package trivet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/trivet-net/trivet"
)

// echo accepts connections until the listener is closed and sends back what
// they send. The returned function waits for all of it to end.
func echo(l net.Listener) (wait func()) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	return running.Wait
}

// exchange sends a byte, gets it back, and waits for the end of the echo.
func exchange(c net.Conn) error {
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	got, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if string(got) != "x" {
		return errors.New("echo of x is " + string(got))
	}
	return nil
}

// 10,000 connections in a row to one port, each used and closed. TIME-WAIT
// records pile up and do not stand in the way.
func TestManyInARow(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	l := listen(t, server, "tcp", ":7")
	wait := echo(l)
	for i := range 10_000 {
		c, err := client.Dial("tcp", serverIP4+":7")
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if err := exchange(c); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		c.Close()
	}
	l.Close()
	wait()
	closeGracefully(t, server, client)
}

// 2,000 connections at once.
func TestManyAtOnce(t *testing.T) {
	client, server := newPair(t, pairConfig{})
	l := listen(t, server, "tcp", ":7")
	wait := echo(l)
	var dialling, using sync.WaitGroup
	open := make(chan struct{})
	for i := range 2000 {
		dialling.Add(1)
		using.Go(func() {
			c, err := client.Dial("tcp", serverIP4+":7")
			dialling.Done()
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			defer c.Close()
			<-open
			if err := exchange(c); err != nil {
				t.Errorf("connection %d: %v", i, err)
			}
		})
	}
	dialling.Wait()
	if got := client.Stats().Conns; got != 2000 {
		t.Errorf("%d connections at once, want 2000", got)
	}
	close(open)
	using.Wait()
	l.Close()
	wait()
	closeGracefully(t, server, client)
}

// closeGracefully closes hosts whose connections are all closed: nothing need
// be reset. The host that closed its connections second comes first: the other
// one acknowledges its FINs, from TIME-WAIT, only while it is there.
func closeGracefully(t *testing.T, stacks ...*trivet.Stack) {
	t.Helper()
	for _, s := range stacks {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("%v: Close: %v", s, err)
		}
	}
}
