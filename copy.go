package trivet

import (
	"io"
	"net"
	"os"

	"github.com/trivet-net/trivet/internal/block"
	"github.com/trivet-net/trivet/tcp"
)

// ReadFrom implements io.ReaderFrom: it writes what it reads from r until
// io.EOF.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	b := block.Get(block.Large)
	defer b.Release()
	n, err := io.CopyBuffer(writeOnly{c}, r, b.Bytes())
	return n, c.opError("readfrom", err)
}

// writeOnly hides ReadFrom from io.Copy.
type writeOnly struct{ io.Writer }

// WriteTo implements io.WriterTo: it writes to w what it reads until io.EOF.
// While it waits it holds no buffer.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	for err == nil {
		var k int
		if err = c.waitReadable(); err == nil {
			k, err = c.copyOnce(w)
			n += int64(k)
		}
	}
	if err == io.EOF {
		return n, nil
	}
	return n, c.opError("writeto", err)
}

// copyOnce writes to w what there is to read.
func (c *Conn) copyOnce(w io.Writer) (int, error) {
	b := block.Get(block.Large)
	defer b.Release()
	k, err := c.Read(b.Bytes())
	if k == 0 {
		return 0, err
	}
	n, werr := w.Write(b.Bytes()[:k])
	switch {
	case werr != nil:
		return n, werr
	case n != k:
		return n, io.ErrShortWrite
	}
	return n, err
}

// waitReadable waits until Read would not wait.
func (c *Conn) waitReadable() error {
	now := c.shard.lock()
	defer c.shard.mu.Unlock()
	for {
		var err error
		switch {
		case c.closed:
			err = net.ErrClosed
		case c.read.at.Due(now):
			err = os.ErrDeadlineExceeded
		case c.e.Await(tcp.Readable):
			c.e.SendSyn(now, synPatience) // nobody writes first
			now = c.shard.park(now, &c.readers)
			continue
		}
		c.passReadable()
		return c.opError("read", err)
	}
}
