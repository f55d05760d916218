package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const webPort = 80

func newServeCommand() *cobra.Command {
	var flags hostFlags
	cmd := &cobra.Command{
		Use:   "serve --tun NAME --addr ADDRESS/BITS --peer ADDRESS/BITS",
		Short: "Serve HTTP, echo, discard, daytime and chargen on a TUN device",
		Long: `Serve creates a TUN device, gives the kernel the --peer addresses on it, and
puts a Trivet host behind it with the --addr addresses. The host serves:

  80  HTTP: /         a small page
            /stats    counters and connections, as JSON
            /bytes/N  N bytes of a fixed pseudo-random stream: the key stream of
                      AES-128-CTR with a key and a counter of zeros
            /sink     answers a PUT or POST with its length and SHA-256
   7  echo     (RFC 862)      13  daytime  (RFC 867)
   9  discard  (RFC 863)      19  chargen  (RFC 864)

Ctrl-C or SIGTERM closes every connection, waits up to --drain for the other
ends to agree, resets those that remain, and removes the device. A second
signal ends the program at once.

It needs root or CAP_NET_ADMIN, or a network namespace of its own, or a device
that root has made and configured for the user beforehand:

  ip tuntap add dev trivet0 mode tun user $USER
  ip addr add 10.1.0.1/24 dev trivet0
  ip link set trivet0 up`,
		Example: `  sudo trivet serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24

  # IPv4 and IPv6
  sudo trivet serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24 \
      --addr fd00:1::2/64 --peer fd00:1::1/64

  # Without root; "nsenter" into the same namespace to try it
  unshare -Urn trivet serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return serve(ctx, &flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.control, "control", "", "unix socket at which trivet ss may ask, or none (default trivet-TUN.sock in $XDG_RUNTIME_DIR, or the temporary folder)")
	return cmd
}

// serve runs the servers until ctx is done.
func serve(ctx context.Context, flags *hostFlags, stdout, stderr io.Writer) error {
	h, err := flags.open()
	if err != nil {
		return err
	}
	defer h.close(context.Background())

	web, err := h.startServices(stderr)
	if err != nil {
		return err
	}
	c, err := h.answerSS(flags, stderr)
	if err != nil {
		return err
	}
	defer c.close()
	h.printWelcome(stdout, flags)
	select {
	case <-ctx.Done():
		fmt.Fprintf(stdout, "Closing %d connections.\n", h.stack.Stats().Conns)
	case err = <-h.down:
		h.drain = 0 // nobody can be told
	}
	h.shutdown(web)
	return err
}

// answerSS opens the socket at which trivet ss asks. That another host has the
// name already, perhaps one in another network namespace, is no reason not to
// serve, unless the user chose the name.
func (h *host) answerSS(flags *hostFlags, stderr io.Writer) (*control, error) {
	if flags.control == "none" {
		return nil, nil
	}
	path := flags.control
	if path == "" {
		path = controlPath(h.device.Name())
	}
	c, err := openControl(path, func() socketTable { return tableOf(h.stack, h.device.Name()) })
	switch {
	case err == nil:
		return c, nil
	case flags.control == "":
		fmt.Fprintf(stderr, "trivet: trivet ss cannot ask this host: %v (choose another name with --control)\n", err)
		return nil, nil
	}
	return nil, fmt.Errorf("cannot open the socket for trivet ss: %w", err)
}

// startServices starts the web server, which it returns, and the small
// services. They end with the stack.
func (h *host) startServices(stderr io.Writer) (*http.Server, error) {
	for _, s := range services {
		l, err := h.stack.Listen("tcp", ":"+strconv.Itoa(s.port))
		if err != nil {
			return nil, err
		}
		go s.serve(l)
	}
	c, err := h.stack.ListenPacket("udp", ":7")
	if err != nil {
		return nil, err
	}
	go echoUDP(c)
	l, err := h.stack.Listen("tcp", ":"+strconv.Itoa(webPort))
	if err != nil {
		return nil, err
	}
	web := &http.Server{
		Handler:           newWeb(func() any { return h.stats() }),
		ErrorLog:          log.New(stderr, "trivet: ", 0),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	go func() { // ends with the listener
		if err := web.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			fmt.Fprintf(stderr, "trivet: %v\n", err)
		}
	}()
	return web, nil
}

// shutdown lets the web server finish the requests it is at, for half of the
// drain time, then closes everything in the other half.
func (h *host) shutdown(web *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), h.drain)
	defer cancel()
	half, cancelHalf := context.WithTimeout(ctx, h.drain/2)
	defer cancelHalf()
	if err := web.Shutdown(half); err != nil {
		web.Close()
	}
	h.close(ctx)
}

// printWelcome says what is there and how to try it.
func (h *host) printWelcome(w io.Writer, flags *hostFlags) {
	fmt.Fprintf(w, "Device %s is up: Trivet is %s, the kernel is %s.\n",
		h.device.Name(), addrList(flags.addrs), addrList(flags.peers))
	fmt.Fprintf(w, "Serving http on port %d", webPort)
	for _, s := range services {
		fmt.Fprintf(w, ", %s on %d", s.name, s.port)
	}
	fmt.Fprint(w, ", echo over UDP too")
	host := flags.addrs[0].Addr().String()
	url := "http://" + strings.TrimSuffix(net.JoinHostPort(host, ""), ":")
	fmt.Fprintf(w, `. Try:

  curl %[1]s/
  curl %[1]s/stats
  curl -o /dev/null %[1]s/bytes/200000000
  curl -T FILE %[1]s/sink
  nc %[2]s 13

Ctrl-C ends it.
`, url, host)
}

func addrList(list prefixes) string {
	var names []string
	for _, p := range list {
		names = append(names, p.Addr().String())
	}
	return strings.Join(names, " and ")
}
