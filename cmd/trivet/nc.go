package main

import (
	"context"
	"io"
	"net"
	"strconv"

	"github.com/spf13/cobra"
)

func newNCCommand() *cobra.Command {
	var flags hostFlags
	var udp bool
	cmd := &cobra.Command{
		Use:   "nc HOST PORT --tun NAME --addr ADDRESS/BITS --peer ADDRESS/BITS",
		Short: "Connect standard input and output through the stack",
		Long: `Nc creates a TUN device as serve does, connects from the Trivet host to a TCP
port, sends what it reads from standard input and prints what it receives. At
the end of the input it closes its half of the connection and goes on receiving
until the other side has closed too. When the other side closes first it goes on
sending, unless the input is a terminal.

With --udp each piece that is read from standard input, a line of a terminal, is
a datagram. Since UDP has no end, it goes on after the end of the input until
nothing has come for a second.`,
		Example: `  printf 'GET / HTTP/1.0\r\n\r\n' |
      sudo trivet nc 10.1.0.1 8000 --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("want a host and a port, got %d arguments", len(args))
			}
			if port, err := strconv.ParseUint(args[1], 10, 16); err != nil || port == 0 {
				return usagef("%q is not a port number from 1 to 65535", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			network, join := "tcp", netcat
			if udp {
				network, join = "udp", netcatUDP
			}
			return flags.join(ctx, network, net.JoinHostPort(args[0], args[1]), func(ctx context.Context, c net.Conn) error {
				return join(ctx, c, cmd.InOrStdin(), cmd.OutOrStdout())
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVarP(&udp, "udp", "u", false, "send and receive datagrams of UDP")
	return cmd
}

// join opens a host, connects it to the address, and closes both when f returns.
// When ctx is over, or the device fails, so is f's, and the connection is closed.
func (flags *hostFlags) join(ctx context.Context, network, address string, f func(context.Context, net.Conn) error) error {
	h, err := flags.open()
	if err != nil {
		return err
	}
	ctx, stop := h.whileUp(ctx)
	defer stop()
	defer h.close(ctx)
	c, err := h.stack.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	return f(ctx, c)
}

// netcat joins in and out to a connection until both directions have ended.
func netcat(ctx context.Context, c net.Conn, in io.Reader, out io.Writer) error {
	sent := make(chan error, 1)
	go func() { // ends with the input, or, stuck in a read of it, with the program
		_, err := copyBuffer(c, in)
		if err == nil {
			err = c.(interface{ CloseWrite() error }).CloseWrite()
		}
		sent <- err
	}()
	if _, err := copyBuffer(out, c); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	if isTerminal(in) {
		return nil // who types has seen the answer
	}
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
