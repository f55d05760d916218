package tcp

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"
)

// configs are those of all connections that the tests made.
var configs struct {
	sync.Mutex
	all []*Config
}

// noteConfig has the rules that connections with the configuration apply
// counted.
func noteConfig(c *Config) *Config {
	configs.Lock()
	defer configs.Unlock()
	configs.all = append(configs.all, c)
	return c
}

// engineRules are applied by package engine alone.
var engineRules = []Rule{
	RuleListenReset, RuleListenAck, RuleListenSyn, RuleListenSynFin, RuleListenIgnored,
	RuleBacklogFull, RuleSynQueueFull, RuleDeferAccept, RuleMD5Unexpected, RuleSynAckRetransmit, RuleSynAckExhausted,
	RuleCookieSent, RuleCookieAccepted, RuleCookieRefused, RuleClosedReset, RuleClosedIgnored,
	RuleTimeWait, RuleTimeWaitAck, RuleTimeWaitFin, RuleTimeWaitReset, RuleTimeWaitReuse,
	RuleTimeWaitSyn, RuleTimeWaitExpired, RuleFastOpenCookie, RuleFastOpenAccepted, RuleFastOpenFull,
}

// TestMain runs all tests and asserts that together they reached every rule
// that a connection applies, and that none wrote to what connections at rest
// share.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && everything() {
		if missing := unreached(); len(missing) > 0 {
			fmt.Println("rules that no test reached:", missing)
			code = 1
		}
	}
	if !reflect.DeepEqual(&resting, &transient{}) {
		fmt.Printf("a connection at rest was written to: %+v\n", resting)
		code = 1
	}
	os.Exit(code)
}

// everything reports whether no flag kept a test from running.
func everything() bool {
	for _, name := range []string{"run", "skip", "list", "fuzz"} {
		if flag.Lookup("test."+name).Value.String() != "" {
			return false
		}
	}
	return true
}

func unreached() (missing []Rule) {
	var sum Counters
	for _, c := range configs.all {
		sum.Add(c.Counters)
	}
	for _, r := range engineRules {
		sum.Rules[r]++
	}
	for r := NoRule + 1; r < NumRules; r++ {
		if sum.Rules[r] == 0 {
			missing = append(missing, r)
		}
	}
	return missing
}
