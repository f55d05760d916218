package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progressInterval is how often the progress bar is drawn at most.
const progressInterval = 100 * time.Millisecond

// getFlags are the flags of trivet get.
type getFlags struct {
	host   hostFlags
	output string
	sha256 bool
}

func newGetCommand() *cobra.Command {
	var flags getFlags
	cmd := &cobra.Command{
		Use:   "get URL --tun NAME --addr ADDRESS/BITS --peer ADDRESS/BITS",
		Short: "Fetch a URL through the stack",
		Long: `Get creates a TUN device as serve does, connects from the Trivet host to the
server of an http or https URL, and prints the body, or writes it to a file.
The kernel of this machine is at the --peer address; it forwards to others if
it is told to.

The exit status is 1 if the server answers with an error.`,
		Example: `  python3 -m http.server --bind 0.0.0.0 8000 &
  sudo trivet get http://10.1.0.1:8000/ --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24

  # A file, and its digest
  sudo trivet get http://10.1.0.1:8000/big -o big --sha256 \
      --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24`,
		Args: oneArg("a URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return get(ctx, args[0], &flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.host.add(cmd)
	cmd.Flags().StringVarP(&flags.output, "output", "o", "", "write the body to `file`")
	cmd.Flags().BoolVar(&flags.sha256, "sha256", false, "print the SHA-256 of the body, not the body itself")
	return cmd
}

// get fetches rawURL through a host of its own.
func get(ctx context.Context, rawURL string, flags *getFlags, stdout, stderr io.Writer) error {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usagef("%q is not an http or https URL", rawURL)
	}
	h, err := flags.host.open()
	if err != nil {
		return err
	}
	ctx, stop := h.whileUp(ctx)
	defer stop()
	defer h.close(ctx)

	transport := &http.Transport{DialContext: h.stack.DialContext}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return usagef("%v", err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s", u, resp.Status)
	}
	return flags.save(resp, stdout, stderr)
}

// save puts the body where the flags say.
func (f *getFlags) save(resp *http.Response, stdout, stderr io.Writer) (err error) {
	var to []io.Writer
	name := "-"
	switch {
	case f.output != "":
		file, err := os.Create(f.output)
		if err != nil {
			return err
		}
		defer func() {
			if cerr := file.Close(); err == nil {
				err = cerr
			}
		}()
		to, name = append(to, file), f.output
	case !f.sha256:
		to = append(to, stdout)
	}
	var digest hash.Hash
	if f.sha256 {
		digest = sha256.New()
		to = append(to, digest)
	}
	if bar := f.progress(resp, stderr); bar != nil {
		defer bar.Close()
		to = append(to, bar)
	}
	n, err := copyBuffer(io.MultiWriter(to...), resp.Body)
	if err != nil {
		return fmt.Errorf("the body ended after %d bytes: %w", n, err)
	}
	if digest != nil {
		fmt.Fprintf(stdout, "%s  %s\n", hex.EncodeToString(digest.Sum(nil)), name)
	}
	return nil
}

// progress returns a bar on stderr, or nil when nobody sees it or the body
// goes to the terminal too.
func (f *getFlags) progress(resp *http.Response, stderr io.Writer) *progressbar.ProgressBar {
	if f.output == "" && !f.sha256 {
		return nil
	}
	return newBar(resp.ContentLength, stderr)
}

// newBar is a bar of progress over so many bytes, nil when stderr is no terminal.
func newBar(size int64, stderr io.Writer) *progressbar.ProgressBar {
	if !isTerminal(stderr) {
		return nil
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(stderr),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(progressInterval),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(stderr) }),
	)
}

// isTerminal reports whether a stream of this process is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
