package drill

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// Commands that look at the host's table of sockets: sockstat counts those in a
// state, ss finds one by its state and addresses.
var (
	sockstatCommand = regexp.MustCompile(`^sockstat [^|]*(?:\| *grep packetdril *)?\| *grep -c (\w+) *\| *grep (\d+)$`)
	ssCommand       = regexp.MustCompile(`^ss [^|]*((?:\| *grep [^ |]+ *)+)(?:> */dev/null)?$`)
	ssState         = regexp.MustCompile(` state ([A-Z0-9-]+)`)
	ssPattern       = regexp.MustCompile(`\| *grep ([^ |]+)`)
)

// sockstatStates and ssStates are the states as those print them.
var (
	sockstatStates = map[string]tcp.State{
		"CLOSED": tcp.StateClosed, "LISTEN": tcp.StateListen, "SYN_SENT": tcp.StateSynSent, "SYN_RCVD": tcp.StateSynReceived,
		"ESTABLISHED": tcp.StateEstablished, "CLOSE_WAIT": tcp.StateCloseWait, "FIN_WAIT_1": tcp.StateFinWait1,
		"CLOSING": tcp.StateClosing, "LAST_ACK": tcp.StateLastAck, "FIN_WAIT_2": tcp.StateFinWait2, "TIME_WAIT": tcp.StateTimeWait,
	}
	ssStates = map[string]tcp.State{
		"SYN-SENT": tcp.StateSynSent, "SYN-RECV": tcp.StateSynReceived, "ESTABLISHED": tcp.StateEstablished,
		"CLOSE-WAIT": tcp.StateCloseWait, "FIN-WAIT-1": tcp.StateFinWait1, "CLOSING": tcp.StateClosing,
		"LAST-ACK": tcp.StateLastAck, "FIN-WAIT-2": tcp.StateFinWait2, "TIME-WAIT": tcp.StateTimeWait,
	}
)

// tableCommand runs a command that looks at the table of sockets. It reports
// false if the command is none.
func (r *runner) tableCommand(text string) (bool, error) {
	text = strings.TrimSpace(text)
	if m := sockstatCommand.FindStringSubmatch(text); m != nil {
		state, ok := sockstatStates[m[1]]
		if !ok {
			return false, nil
		}
		if n := strconv.Itoa(r.countState(state)); !strings.Contains(n, m[2]) {
			return true, failf("%s sockets are in %s, expected %s", n, m[1], m[2])
		}
		return true, nil
	}
	m := ssCommand.FindStringSubmatch(text)
	if m == nil {
		return false, nil
	}
	var state *tcp.State
	if s := ssState.FindStringSubmatch(text); s != nil {
		known, ok := ssStates[s[1]]
		if !ok {
			return false, nil
		}
		state = &known
	}
	if !r.findSocket(state, ssPattern.FindAllStringSubmatch(m[1], -1)) {
		return true, failf("no socket is found by %s", text)
	}
	return true, nil
}

// countState counts the sockets in a state; those in CLOSED are in no table.
func (r *runner) countState(state tcp.State) int {
	n := 0
	if state == tcp.StateClosed {
		for _, d := range r.fds {
			if d.socket != nil && d.socket.conn != nil && d.socket.conn.State() == tcp.StateClosed {
				n++
			}
		}
		return n
	}
	r.sockets(func(i *engine.SocketInfo) {
		if i.State == state {
			n++
		}
	})
	return n
}

// findSocket reports whether a connection has all patterns in its addresses, as
// ss prints them, and is in the state if one is given.
func (r *runner) findSocket(state *tcp.State, patterns [][]string) bool {
	found := false
	r.sockets(func(i *engine.SocketInfo) {
		if i.State == tcp.StateListen || state != nil && i.State != *state {
			return
		}
		line := fmt.Sprintf("%v:%d %v:%d", i.Tuple.LocalAddr.Netip(), i.Tuple.LocalPort, i.Tuple.RemoteAddr.Netip(), i.Tuple.RemotePort)
		for _, p := range patterns {
			if !strings.Contains(line, strings.TrimPrefix(p[1], "::ffff:")) {
				return
			}
		}
		found = true
	})
	return found
}

func (r *runner) sockets(f func(*engine.SocketInfo)) {
	if r.engine != nil {
		r.engine.Sockets(r.now, f)
	}
}
