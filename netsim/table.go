package netsim

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// Connections returns the socket table of a host without its listeners:
// connections, half-open ones, and TIME-WAIT records.
func Connections(s *trivet.Stack) []engine.SocketInfo {
	var table []engine.SocketInfo
	for _, i := range s.Connections() {
		if i.State != tcp.StateListen {
			table = append(table, i)
		}
	}
	return table
}

// Table returns the socket table of a host as text, for messages of tests.
func Table(s *trivet.Stack) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "State\tRecv-Q\tSend-Q\tLocal\tPeer\tTimer")
	for _, i := range s.Connections() {
		timer := "-"
		if i.Expires != 0 {
			timer = fmt.Sprintf("%v in %v", i.Timer, i.Expires.Sub(s.Now()))
		}
		local, peer := i.Tuple.Local().String(), i.Tuple.Remote().String()
		if i.State == tcp.StateListen {
			local, peer = fmt.Sprintf("*:%d", i.Tuple.LocalPort), "*"
		}
		fmt.Fprintf(w, "%v\t%d\t%d\t%s\t%s\t%s\n", i.State, i.RecvQ, i.SendQ, local, peer, timer)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
