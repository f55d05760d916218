package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

const (
	// udpSilence is how long nc waits for answers after the end of its input.
	udpSilence = time.Second
	// udpPiece is how much of the input goes into a datagram: what fits an
	// Ethernet frame over IPv4 or IPv6.
	udpPiece = 1400
)

// netcatUDP sends in to the other end in datagrams and writes what comes from
// there to out, until in has ended and nothing has come for a while.
func netcatUDP(ctx context.Context, c net.Conn, in io.Reader, out io.Writer) error {
	sent := make(chan error, 1)
	go func() { // ends with the input, or, stuck in a read of it, with the program
		sent <- sendPieces(c, in)
	}()
	err := receiveDatagrams(c, out, sent)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// sendPieces sends what it reads, each piece in a datagram.
func sendPieces(c net.Conn, in io.Reader) error {
	b := make([]byte, udpPiece)
	for {
		n, err := in.Read(b)
		if n > 0 {
			if _, err := c.Write(b[:n]); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// receiveDatagrams writes what comes to out, until nothing has come for a while
// after sent has told of the end of the input.
func receiveDatagrams(c net.Conn, out io.Writer, sent <-chan error) error {
	b := make([]byte, 1<<16)
	ended := false
	for {
		c.SetReadDeadline(time.Now().Add(udpSilence)) // an error comes from Read too
		n, err := c.Read(b)
		switch {
		case err == nil:
			if _, err := out.Write(b[:n]); err != nil {
				return err
			}
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case ended:
			return nil
		}
		select {
		case err := <-sent:
			if err != nil {
				return err
			}
			ended = true
		default:
		}
	}
}
