package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trivet-net/trivet/web"
)

// pageFlags are the flags of trivet lab serve as they are written.
type pageFlags struct {
	listen, token, out string
	link               string // what follows # in the link that is printed
}

const pageListen = "127.0.0.1:8417"

func newLabServeCommand() *cobra.Command {
	var f pageFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Show the scenarios as a page in the browser",
		Long: `Serve shows the scenarios as a page: the ladder, the states, the sockets, the
graphs and every header, step by step, forward and back, in English and Chinese.
Segments in flight can be dropped, delayed, duplicated, reordered and corrupted,
hosts crash, cables are pulled; each change plays the scenario anew.

The page is for this machine alone. To show it to others, --listen on another
address; then a token is needed to open it, which is part of the link printed.
Ctrl-C ends it.`,
		Example: `  trivet lab serve

  # Runs can be saved from the page, each into a folder in runs/
  trivet lab serve --out runs

  # For a classroom
  trivet lab serve --listen 192.0.2.1:8417`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return f.serve(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", pageListen, "`address:port` to serve on; port 0 takes a free one")
	cmd.Flags().StringVar(&f.token, "token", "", "what must be known to open the page (default: none on this machine, random elsewhere)")
	cmd.Flags().StringVar(&f.out, "out", "", "`folder` that the page may save runs into")
	return cmd
}

// secure finds out who can reach the address, and sets a token where that is
// not only this machine.
func (f *pageFlags) secure() (host string, err error) {
	host, _, err = net.SplitHostPort(f.listen)
	if err != nil {
		return "", usagef("--listen: want address:port, not %q", f.listen)
	}
	if strings.EqualFold(host, "localhost") {
		return host, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		return host, nil
	}
	if f.token == "" {
		f.token = rand.Text()
	}
	return host, nil
}

// serve serves the page until ctx is done.
func (f *pageFlags) serve(ctx context.Context, stdout, stderr io.Writer) error {
	host, err := f.secure()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: choose another with --listen, or stop what listens there", f.listen)
	}
	if err != nil {
		return err
	}
	page, err := web.New(web.Config{Token: f.token, Hosts: []string{strings.ToLower(host)}, Out: f.out})
	if err != nil {
		l.Close()
		return err
	}
	server := &http.Server{
		Handler:           page,
		ErrorLog:          log.New(stderr, "trivet: ", 0),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }() // ends with the server
	fmt.Fprintf(stdout, "The lab is at %s\nCtrl-C ends it.\n", f.url(l.Addr()))
	select {
	case err = <-failed:
		page.Close()
		return err
	case <-ctx.Done():
	}
	page.Close()
	last, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return server.Close()
	}
	return nil
}

// url is the link that opens the page.
func (f *pageFlags) url(at net.Addr) string {
	u := url.URL{Scheme: "http", Host: at.String(), Path: "/"}
	if f.token != "" {
		u.RawQuery = url.Values{"token": {f.token}}.Encode()
	}
	if f.link == "" {
		return u.String()
	}
	return u.String() + "#" + f.link
}
