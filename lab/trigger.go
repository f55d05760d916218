package lab

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// trigger is a moment of a run, by what happens then.
type trigger struct {
	text   string
	packet int           // "#5": packet 5 is sent
	after  time.Duration // "1.5s": so long after the beginning
	timed  bool
	host   string    // "client FIN-WAIT-1": the host reaches the state ...
	state  tcp.State // ... or, isRule, a rule decides there, "server challenge-ack-syn"
	rule   tcp.Rule
	isRule bool
}

// hostNames are the hosts that interventions can name.
var hostNames = []string{"client", "server"}

func parseTrigger(text string) (trigger, error) {
	t := trigger{text: text}
	if number, ok := strings.CutPrefix(text, "#"); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return t, fmt.Errorf("%q is no packet such as #5", text)
		}
		t.packet = n
		return t, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		t.after, t.timed = d, true
		return t, nil
	}
	host, what, _ := strings.Cut(text, " ")
	if what == "" {
		return t, fmt.Errorf("%q is no moment such as #5, 1.5s or client FIN-WAIT-1", text)
	}
	t.host = host
	for s := tcp.StateClosed; s <= tcp.StateTimeWait; s++ {
		if s.String() == what {
			t.state = s
			return t, nil
		}
	}
	for r := tcp.NoRule + 1; r < tcp.NumRules; r++ {
		if r.String() == what {
			t.rule, t.isRule = r, true
			return t, nil
		}
	}
	return t, fmt.Errorf("%q is neither a state nor a rule%s", what, didYouMean(what, happenings()))
}

// happenings are the states and the rules by name.
func happenings() []string {
	var names []string
	for s := tcp.StateClosed; s <= tcp.StateTimeWait; s++ {
		names = append(names, s.String())
	}
	for r := tcp.NoRule + 1; r < tcp.NumRules; r++ {
		names = append(names, r.String())
	}
	return names
}

// matchesEvent reports whether the event of a host is the moment.
func (t *trigger) matchesEvent(host string, e *tcp.Event) bool {
	switch {
	case t.host == "" || t.host != host:
		return false
	case t.isRule:
		return e.Kind == tcp.EventRule && e.Rule == t.rule
	case e.Kind == tcp.EventCall && e.Call == "listen":
		return t.state == tcp.StateListen
	}
	return e.Kind == tcp.EventState && e.To == t.state
}

// matchesPacket reports whether sending the packet is the moment.
func (t *trigger) matchesPacket(p *trace.Packet) bool {
	return t.packet != 0 && t.packet == p.Number && p.Fate == trace.FateInFlight && p.Copy == 0
}
