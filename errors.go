package trivet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Errors are those of package net, in its form: *net.OpError around
// *os.SyscallError around syscall.Errno, or around net.ErrClosed or
// os.ErrDeadlineExceeded; io.EOF comes bare.

// timeoutError is what package net returns when a dial runs out of time. It is
// not os.ErrDeadlineExceeded, which is for deadlines of connections.
type timeoutError struct{}

func (timeoutError) Error() string        { return "i/o timeout" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// canceledError is what package net returns when a dial's context is canceled.
type canceledError struct{}

func (canceledError) Error() string        { return "operation was canceled" }
func (canceledError) Is(target error) bool { return target == context.Canceled }

// errNoSuitableAddress and errMissingAddress have the texts of package net.
const errNoSuitableAddress = "no suitable address found"

var errMissingAddress = errors.New("missing address")

// contextError returns a context's error in the form of package net.
func contextError(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return timeoutError{}
	case errors.Is(err, context.Canceled):
		return canceledError{}
	}
	return err
}

// sysError wraps an errno with the name of the system call that would have
// returned it; other errors stay as they are.
func sysError(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// opError returns err as an operation on the connection returns it.
func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{
		Op: op, Net: c.network.String(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err,
	}
}

// localError returns err as an operation that concerns the local end only
// returns it.
func (c *Conn) localError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.network.String(), Addr: c.LocalAddr(), Err: err}
}

// opError returns err as an operation on the listener returns it.
func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.network.String(), Addr: l.Addr(), Err: err}
}
