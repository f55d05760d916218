package drill

import (
	"strconv"
	"strings"

	"github.com/trivet-net/trivet/tcp"
)

// kernelCounters are the counters of Linux, as nstat names them, that count what a
// rule counts here.
var kernelCounters = map[string]tcp.Rule{
	"TcpExtBeyondWindow":      tcp.RuleBeyondWindow,
	"TcpExtTCPZeroWindowDrop": tcp.RuleZeroWindowData,
	"TcpExtTCPRcvQDrop":       tcp.RuleNoMemory,
}

// nstat runs "nstat | grep NAME | grep -q NUMBER", which fails unless the counter
// has grown by that number since nstat ran last without -s. It reports false when
// text is no such command.
func (r *runner) nstat(text string) (bool, error) {
	words := strings.Fields(strings.ReplaceAll(text, "|", " | "))
	if len(words) == 0 || words[0] != "nstat" {
		return false, nil
	}
	keep := len(words) > 1 && words[1] == "-s"
	if !keep {
		defer r.nstatRead()
	}
	if len(words) == 1 || words[1] == "-n" {
		return true, nil
	}
	if keep {
		words = words[1:]
	}
	if len(words) != 10 || strings.Join(words[1:3], " ") != "| grep" || strings.Join(words[4:8], " ") != "| grep -q \"" {
		return true, &unsupported{"command " + text}
	}
	rule, ok := kernelCounters[words[3]]
	if !ok {
		return true, &unsupported{"counter " + words[3]}
	}
	want, err := strconv.ParseUint(words[8], 10, 64)
	if err != nil {
		return true, &unsupported{"command " + text}
	}
	if got := r.counters().Rules[rule] - r.counted.Rules[rule]; got != want || got == 0 {
		return true, failf("%s is %d, expected %d", words[3], got, want)
	}
	return true, nil
}

// nstatRead remembers what the counters are now.
func (r *runner) nstatRead() { r.counted = r.counters() }

// counters are the counters of the host.
func (r *runner) counters() (c tcp.Counters) {
	if r.engine != nil {
		c = r.engine.Stats().TCP
	}
	return c
}
