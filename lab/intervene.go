package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/trace"
)

// Intervention is something that the user does to a run, once, when a moment
// comes:
//
//	at #5 drop             the packet is lost
//	at #5 delay 300ms      held back that long; without a time, one RTT
//	at #5 duplicate        delivered twice
//	at #5 reorder          held back until later ones have overtaken it
//	at #5 corrupt          one byte is changed
//	at #5 inject rst       a forged segment: rst, syn or ack, from the client
//	                       unless "from server" follows
//	at 2s unplug           the cable is pulled
//	at 2s plug             and put back
//	at 2s crash server     the host forgets everything and starts anew
//	at 2s close client     its programs close their connections
//	at 2s stop-reading server
//
// A moment is a packet by its number, a time since the beginning, or a host with
// the state it reaches or the rule that fires there ("client FIN-WAIT-1"). What
// changes a packet needs a packet. Where no host is named, close means the
// client, crash and stop-reading the server.
type Intervention struct {
	when   trigger
	action string
	delay  time.Duration // delay
	forge  string        // inject: rst, syn or ack
	host   string
	done   bool
}

// The actions, and the host that each means by itself.
var (
	packetActions = []string{"drop", "delay", "duplicate", "reorder", "corrupt"}
	hostActions   = map[string]string{"crash": "server", "close": "client", "stop-reading": "server"}
	allActions    = []string{
		"drop", "delay", "duplicate", "reorder", "corrupt", "inject", "unplug", "plug", "crash", "close", "stop-reading",
	}
	forgeries = []string{"rst", "syn", "ack"}
)

// ParseIntervention reads an intervention in its notation.
func ParseIntervention(text string) (Intervention, error) {
	fail := func(err error) (Intervention, error) {
		return Intervention{}, fmt.Errorf("intervention %q: %w", text, err)
	}
	words := strings.Fields(text)
	if len(words) < 3 || words[0] != "at" {
		return fail(fmt.Errorf("want at MOMENT ACTION, such as 'at #5 drop'"))
	}
	moment, rest := words[1], words[2:]
	if slices.Contains(hostNames, moment) {
		moment, rest = moment+" "+rest[0], rest[1:]
	}
	when, err := parseTrigger(moment)
	if err != nil {
		return fail(err)
	}
	if len(rest) == 0 {
		return fail(fmt.Errorf("what is to be done? one of %s", strings.Join(allActions, ", ")))
	}
	i := Intervention{when: when, action: rest[0]}
	if err := i.arguments(rest[1:]); err != nil {
		return fail(err)
	}
	return i, nil
}

// arguments reads what follows the action.
func (i *Intervention) arguments(args []string) error {
	preset, forHost := hostActions[i.action]
	switch {
	case slices.Contains(packetActions, i.action):
		if i.when.packet == 0 {
			return fmt.Errorf("%s needs a packet, such as #5", i.action)
		}
		if i.action == "delay" && len(args) == 1 {
			d, err := time.ParseDuration(args[0])
			if err != nil || d <= 0 || d > time.Hour {
				return fmt.Errorf("%q is no delay such as 300ms", args[0])
			}
			i.delay, args = d, nil
		}
	case i.action == "inject":
		if len(args) == 0 || !slices.Contains(forgeries, args[0]) {
			return fmt.Errorf("inject what? one of %s", strings.Join(forgeries, ", "))
		}
		i.forge, i.host, args = args[0], "client", args[1:]
		if len(args) == 2 && args[0] == "from" && slices.Contains(hostNames, args[1]) {
			i.host, args = args[1], nil
		}
	case forHost:
		i.host = preset
		if len(args) == 1 && slices.Contains(hostNames, args[0]) {
			i.host, args = args[0], nil
		}
	case i.action != "unplug" && i.action != "plug":
		return fmt.Errorf("no action %q%s", i.action, didYouMean(i.action, allActions))
	}
	switch {
	case len(args) == 0:
		return nil
	case i.host != "":
		return fmt.Errorf("%q is none of %s", args[len(args)-1], strings.Join(hostNames, ", "))
	}
	return fmt.Errorf("%q is too much", strings.Join(args, " "))
}

// verdict is what the interventions decide about a packet.
func (s *stage) verdict(p *trace.Packet) sim.Verdict {
	var v sim.Verdict
	for k := range s.do {
		i := &s.do[k]
		if i.when.packet != p.Number {
			continue
		}
		switch i.action {
		case "drop":
			v.Drop = true
		case "duplicate":
			v.Duplicate = true
		case "corrupt":
			v.Corrupt = true
		case "delay":
			v.Delay = i.delay
			if v.Delay == 0 {
				v.Delay = s.duration("rtt")
			}
		case "reorder":
			v.Delay = max(s.duration("rtt")/2, time.Millisecond)
		default:
			continue
		}
		i.done = true
	}
	return v
}

// intervene does what is not done to a packet. It is called by the network's
// loop, between two things that happen. What finds nothing to do it to is not
// done, and waits for its moment to come again.
func (s *stage) intervene(i *Intervention) {
	switch i.action {
	case "unplug":
		s.link.Unplug()
	case "plug":
		s.link.Plug()
	case "crash":
		s.host(i.host).Reboot()
	case "close":
		i.done = false
		for _, p := range s.programs {
			if p.host == i.host && p.conn != nil && !p.closed {
				p.close()
				i.done = true
			}
		}
	case "stop-reading":
		s.deaf[i.host] = true
	case "inject":
		i.done = s.forge(i)
	}
}

// schedule looks which interventions begin with what just happened.
func (s *stage) schedule(is func(*trigger) bool) {
	for k := range s.do {
		i := &s.do[k]
		if i.done || slices.Contains(packetActions, i.action) || !is(&i.when) {
			continue
		}
		i.done = true
		s.net.After(0, func() { s.intervene(i) })
	}
}
