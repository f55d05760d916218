package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses of the command.
const (
	exitOK      = 0
	exitFailure = 1 // something went wrong while running
	exitUsage   = 2 // the command line makes no sense
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes the command line args and returns the exit status. Errors are
// one line on stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	started := false
	root := newRootCommand()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &output{w: stdout}
	root.SetOut(out)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil && !errors.Is(out.err, syscall.EPIPE) { // a reader that has seen enough
		err = out.err
	}
	if err == nil {
		return exitOK
	}
	// What fails before a command starts is the command line: an unknown
	// command, a flag that does not parse, a missing argument.
	if _, ok := errors.AsType[*usageError](err); ok || !started {
		fmt.Fprintf(stderr, "trivet: %v (see '%s --help')\n", err, cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(stderr, "trivet: %v\n", err)
	if e, ok := errors.AsType[*drillError](err); ok {
		return e.exitStatus()
	}
	return exitFailure
}

// output remembers why something could not be written, for commands that print
// line by line.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "trivet",
		Short: "A TCP/IP stack in user space",
		Long: `Trivet is a TCP/IP stack in user space, written in Go. This command runs it on
a TUN device, where the programs of this machine meet it as another host on the
network, and in virtual time, where it shows what it does and why.`,
		Example: `  # A conversation of two hosts, without root or a network
  trivet demo

  # A web, echo, discard, daytime and chargen server at 10.1.0.2
  sudo trivet serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24

  # Fetch from a server of this machine, out through the stack
  python3 -m http.server --bind 0.0.0.0 8000 &
  sudo trivet get http://10.1.0.1:8000/ --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24

  # Without root, in a network namespace of your own
  unshare -Urn trivet serve --tun trivet0 --addr 10.1.0.2/24 --peer 10.1.0.1/24`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("trivet {{.Version}}\n")
	root.AddCommand(newDemoCommand(), newServeCommand(), newGetCommand(), newNCCommand(), newDrillCommand(), newLabCommand(), newReadCommand(), newSSCommand(), newManCommand())
	return root
}

// oneArg returns a check that a command gets one argument, called what.
func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("want %s, got %d arguments", what, len(args))
		}
		return nil
	}
}

// version is the module version the command was built from, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") && len(s.Value) >= 12 {
			v = "devel " + s.Value[:12]
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return v + " " + info.GoVersion
}

// usageError is a mistake in the command line that only a running command can
// see.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns an error that makes the command exit with status 2.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}
