package trivet_test

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// closeCases are those of checklist section 5.2: the ways to end a
// connection.
var closeCases = []socketCase{
	{name: "close with unread data", rows: []int{31, 50}, run: func(r *run) {
		c, p := r.pair()
		r.write(p, "two bytes and more")
		r.read(c, 2)
		r.must(c.Close())
		r.read(p, 10)
		r.read(p, 10)
	}},
	{name: "close with unread data and a queue", rows: []int{31}, run: func(r *run) {
		c, p := r.pair()
		r.fillUp(c, p)
		r.write(p, "unread")
		r.arrived(c, 6)
		r.must(c.Close())
		_, err := io.Copy(io.Discard, p) // the queue is dropped, unless it was sent
		r.saw("copy", err)
		r.read(p, 10)
	}},
	{name: "close with a full queue", rows: []int{32, 36}, run: func(r *run) {
		c, p := r.pair()
		n := r.fillUp(c, p)
		r.saw("close", c.Close())
		k, err := io.Copy(io.Discard, p)
		r.saw("all of it", k == int64(n), err)
	}},
	{name: "data after Close", rows: []int{33}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.Close())
		r.read(p, 10)
		r.write(p, "too late")
		r.state(p, "CLOSED")
		r.write(p, "x")
		r.read(p, 10)
	}},
	{name: "linger 0", rows: []int{34}, run: func(r *run) {
		c, p := r.pair()
		r.reset(c)
		r.read(p, 10)
		r.read(p, 10)
	}},
	{name: "linger 0 with a queue", rows: []int{34}, run: func(r *run) {
		c, p := r.pair()
		r.fillUp(c, p)
		r.reset(c)
		_, err := io.Copy(io.Discard, p)
		r.saw("copy", err)
	}},
	{name: "linger 1 s", rows: []int{35}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.SetLinger(1))
		r.write(c, "all of it")
		r.saw("close", c.Close())
		r.read(p, 20)
		r.read(p, 20)
	}},
	{name: "linger 1 s, the peer does not read", rows: []int{35, 37}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.SetLinger(1))
		n := r.fillUp(c, p)
		start := time.Now()
		r.saw("close", c.Close())
		r.saw("waited", time.Since(start) >= time.Second)
		k, err := io.Copy(io.Discard, p)
		r.saw("all of it", k == int64(n), err)
	}},
	{name: "CloseWrite with a queue", rows: []int{38}, run: func(r *run) {
		c, p := r.pair()
		n := r.fillUp(c, p)
		r.saw("close write", c.CloseWrite())
		r.state(c, "FIN-WAIT-1")
		r.write(p, "still heard")
		r.read(c, 20)
		k, err := io.Copy(io.Discard, p)
		r.saw("all of it", k == int64(n), err)
		r.state(c, "FIN-WAIT-2")
		r.must(p.Close())
		r.read(c, 10)
	}},
	{name: "CloseRead", rows: []int{39}, run: func(r *run) {
		c, p := r.pair()
		r.saw("close read", c.CloseRead())
		r.read(c, 10)
		r.write(p, "late")
		r.arrived(c, 4)
		r.read(c, 10)
		r.read(c, 10)
		r.write(c, "out")
		r.read(p, 10)
		r.saw("close read", c.CloseRead())
	}},
	{name: "CloseRead while Read waits", rows: []int{39}, run: func(r *run) {
		c, _ := r.pair()
		done := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 10))
			done <- err
		}()
		r.saw("close read", c.CloseRead())
		r.saw("read", <-done)
	}},
	{name: "CloseRead, data, Close", rows: []int{40}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.CloseRead())
		r.write(p, "unread")
		r.arrived(c, 6)
		r.must(c.Close())
		r.read(p, 10)
		r.read(p, 10)
	}},
	{name: "both directions shut, then data", rows: []int{41}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.CloseRead())
		r.must(c.CloseWrite())
		r.state(c, "FIN-WAIT-2")
		r.read(p, 10)
		r.write(p, "unwanted")
		r.state(p, "CLOSED")
		r.write(p, "x")
		r.read(p, 10)
		r.state(c, "CLOSED")
		r.read(c, 10)
		r.read(c, 10)
		r.write(c, "x")
	}},
	{name: "CloseWrite while Write waits", rows: []int{38, 55}, run: func(r *run) {
		c, p := r.pair()
		n := r.fillUp(c, p)
		done := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 64<<20))
			done <- err
		}()
		r.blocked(r, "Write")
		r.saw("close write", c.CloseWrite())
		r.saw("write", <-done)
		k, err := io.Copy(io.Discard, p)
		r.saw("all that was taken", k == int64(n), err)
		r.write(p, "answer")
		r.read(c, 10)
	}},
	{name: "CloseWrite with unread data", rows: []int{38}, run: func(r *run) {
		c, p := r.pair()
		r.write(p, "unread")
		r.arrived(c, 6)
		r.saw("close write", c.CloseWrite())
		r.read(p, 10) // the end, and no reset
		r.write(p, "more")
		r.arrived(c, 10)
		r.read(c, 20)
	}},
	{name: "peer closes with unread data while Write waits", rows: []int{31}, run: func(r *run) {
		c, p := r.pair()
		r.fillUp(c, p)
		done := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 64<<20))
			done <- err
		}()
		r.blocked(r, "Write")
		r.must(p.Close())
		r.saw("write", <-done)
		r.write(c, "x")
		r.read(c, 10)
	}},
	{name: "linger 0 after FIN", rows: []int{34}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.CloseWrite())
		r.read(p, 10)
		r.reset(c)
		r.state(p, "CLOSED")
		r.read(p, 10)
		r.write(p, "x")
		r.read(p, 10)
	}},
	{name: "linger 0 once both are closed", rows: []int{34}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.CloseWrite())
		r.read(p, 10)
		r.must(p.CloseWrite())
		r.read(c, 10)
		r.reset(c)
		r.read(p, 10)
		r.write(p, "x")
		r.saw("close", p.Close())
	}},
	{name: "Close while Close lingers", rows: []int{35}, run: func(r *run) {
		c, p := r.pair()
		r.must(c.SetLinger(30))
		r.fillUp(c, p)
		done := make(chan error)
		go func() { done <- c.Close() }()
		r.until("the first Close has begun", func() bool {
			_, err := c.Write(nil)
			return err != nil
		})
		r.saw("close again", c.Close())
		r.write(c, "x")
		_, err := io.Copy(io.Discard, p)
		r.saw("copy", err)
		r.saw("close", <-done)
	}},
	{name: "shut twice", rows: []int{42}, run: func(r *run) {
		c, p := r.pair()
		for range 2 {
			r.saw("close read", c.CloseRead())
			r.saw("close write", c.CloseWrite())
		}
		r.state(p, "CLOSE-WAIT")
		r.must(p.CloseWrite())
		r.state(p, "CLOSED")
		r.state(c, "CLOSED")
		r.saw("close write", c.CloseWrite())
		r.saw("close read", c.CloseRead())
		r.saw("peer's close write", p.CloseWrite())
		r.saw("close", c.Close())
	}},
	{name: "a dial that was given up", rows: []int{43}, run: func(r *run) {
		l := r.full()
		_, err := r.dial(context.Background(), config{Timeout: 20 * time.Millisecond}, "tcp", l.Addr().String())
		r.sawTimeout("dial", err)
		r.accept(l)
		r.accept(l)
		r.must(l.SetDeadline(time.Now().Add(20 * time.Millisecond)))
		_, err = l.Accept()
		r.saw("accept", errors.Is(err, os.ErrDeadlineExceeded))
	}},
	{name: "listener closed before Accept", rows: []int{45}, run: func(r *run) {
		l := r.listener()
		c := r.connect(l)
		r.until("it waits", func() bool { return r.waiting(l) == 1 })
		r.must(l.Close())
		r.read(c, 10)
		r.read(c, 10)
		_, err := r.dial(context.Background(), config{}, "tcp", l.Addr().String())
		r.saw("dial", err)
	}},
	{name: "listener closed after Accept", rows: []int{45}, run: func(r *run) {
		c, p := r.pair() // closes its listener
		r.write(c, "x")
		r.read(p, 10)
	}},
	{name: "Close while others write", rows: []int{55}, run: func(r *run) {
		c, p := r.pair()
		type result struct {
			n   int
			err error
		}
		results := make(chan result, 2)
		for range 2 {
			go func() {
				n, err := c.Write(make([]byte, 32<<20))
				results <- result{n, err}
			}()
		}
		_, err := io.CopyN(io.Discard, p, 1<<20)
		r.must(err)
		r.must(c.Close())
		a, b := <-results, <-results
		r.saw("write", a.err)
		r.saw("write", b.err)
		k, err := io.Copy(io.Discard, p)
		r.saw("all that was taken", k+1<<20 == int64(a.n+b.n), err)
	}},
}
