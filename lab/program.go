package lab

import (
	"errors"
	"io"
	"syscall"

	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
)

// program is what uses one connection.
type program struct {
	*stage
	host string
	conn *sim.Conn // nil when it could not even begin

	got    int   // bytes read
	ended  bool  // the peer's FIN was read
	err    error // what a call returned in the end
	closed bool
	chunk  int // most that one read takes; 0: 16 KiB

	onData  func(n int)
	onBytes func([]byte) // borrowed
	onEnd   func()       // after the FIN was read
}

// read reads all that comes, until the end or an error.
func (p *program) read() {
	if p.conn == nil || p.closed || p.deaf[p.host] {
		return
	}
	size := p.chunk
	if size == 0 {
		size = 16 << 10
	}
	buf := make([]byte, size)
	for !p.closed && !p.deaf[p.host] {
		n, err := p.conn.Read(buf)
		p.got += n
		if n > 0 && p.onBytes != nil {
			p.onBytes(buf[:n])
		}
		if n > 0 && p.onData != nil {
			p.onData(n)
		}
		switch {
		case errors.Is(err, syscall.EAGAIN):
			p.conn.Await(tcp.Readable, p.read)
			return
		case errors.Is(err, io.EOF):
			p.ended = true
			if p.onEnd != nil {
				p.onEnd()
			}
			return
		case err != nil:
			p.err = err
			return
		}
	}
}

// write sends n bytes, as fast as the connection takes them, and then calls
// done, which may be nil.
func (p *program) write(n int, done func()) { p.send(pattern(n), done) }

// send sends data, as write does.
func (p *program) send(data []byte, done func()) {
	if p.conn == nil {
		return
	}
	sim.Send(p.conn, data, func(err error) {
		if err != nil {
			p.err = err
		} else if done != nil {
			done()
		}
	})
}

// pattern is n bytes that can be told from others: lines of text.
func pattern(n int) []byte {
	const line = "the quick brown fox jumps over the lazy dog 0123456789\r\n"
	b := make([]byte, 0, n+len(line))
	for len(b) < n {
		b = append(b, line...)
	}
	return b[:n]
}

// close closes the connection for both directions.
func (p *program) close() {
	if p.conn == nil || p.closed {
		return
	}
	p.closed = true
	p.conn.Close()
}

// shut ends sending, and goes on reading.
func (p *program) shut() {
	if p.conn == nil || p.closed {
		return
	}
	if err := p.conn.CloseWrite(); err != nil {
		p.err = err
	}
}

// abort breaks the connection off.
func (p *program) abort() {
	if p.conn == nil || p.closed {
		return
	}
	p.closed = true
	p.conn.Abort()
}

// readSome reads once, and reports whether there may be more.
func (p *program) readSome(buf []byte) bool {
	if p.conn == nil || p.closed {
		return false
	}
	n, err := p.conn.Read(buf)
	p.got += n
	return n > 0 || errors.Is(err, syscall.EAGAIN)
}

// state is the state of the connection, CLOSED when there is none.
func (p *program) state() tcp.State {
	if p == nil || p.conn == nil {
		return tcp.StateClosed
	}
	if p.stage.host(p.host).Engine().StateOf(p.conn.Tuple()) == tcp.StateClosed {
		return tcp.StateClosed // a host that crashed knows nothing of it
	}
	return p.conn.State()
}

// failure is the error that ended the connection, nil if there is none so far.
func (p *program) failure() error {
	if p.err == nil && p.conn != nil {
		p.err = p.conn.TakeError()
	}
	return p.err
}
