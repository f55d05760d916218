package trivet_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notCompared says why a row of checklist section 5 has no socketCase.
var notCompared = map[int]string{
	23:  "neither package net nor Trivet has a call that connects twice",
	25:  "a program gets a connection after the handshake only",
	44:  "SYN-RECEIVED of a dial needs a simultaneous open: tcp/TestCloseInSynReceived",
	46:  "listeners have Close only",
	48:  "takes minutes of real time: tcp/TestR2OfAnOrphan",
	49:  "takes 131072 connections of the kernel: engine/TestMaxOrphans",
	51:  "the kernel outlives a process, a stack inside it does not",
	52:  "of Trivet only: cmd/trivet/TestServeAndTerminate",
	53:  "of Trivet only: trivet/TestStackCloseGraceful",
	54:  "of the garbage collector: trivet/TestConnections",
	58:  "only the wire shows it: tcp/TestKeepAliveWaits",
	71:  "how far a buffer grows is each one's own; over a loopback Trivet sees no need: tcp/TestTuneReceive",
	79:  "there is no such option: a local address chooses the interface",
	83:  "there are no file descriptors to poll",
	92:  "of Windows; the same tests run there: engine/TestListenConflicts",
	95:  "somaxconn is the machine's: engine/TestBacklogShared",
	96:  "takes a flood from another host: engine/TestSynQueueFull",
	103: "the kernel's answer depends on who asks: engine/TestHandshake",
	110: "of Trivet only: trivet/TestConnConformance",
	111: "of Trivet only: trivet/TestHTTP",
}

// Every SOCK row of docs/rfc.md is compared by some case, or has a reason why
// not; and the table says which.
func TestEverySocketRow(t *testing.T) {
	compared := map[int][]string{}
	for _, c := range allSocketCases() {
		if len(c.rows) == 0 {
			t.Errorf("case %q has no row", c.name)
		}
		for _, n := range c.rows {
			compared[n] = append(compared[n], c.name)
		}
	}
	listed := socketRows(t)
	for n, row := range listed {
		const test = "trivet/TestSameOutcomeAsPackageNet"
		switch named := strings.Contains(row, test); {
		case compared[n] == nil && notCompared[n] == "":
			t.Errorf("SOCK-%d has neither a case nor a reason", n)
		case compared[n] != nil && notCompared[n] != "":
			t.Errorf("SOCK-%d has cases %q and a reason why it has none", n, compared[n])
		case named != (compared[n] != nil):
			t.Errorf("SOCK-%d: cases %q, but its line in docs/rfc.md names %s: %v", n, compared[n], test, named)
		}
	}
	for n := range compared {
		if listed[n] == "" {
			t.Errorf("case %q: there is no SOCK-%d", compared[n], n)
		}
	}
	for n := range notCompared {
		if listed[n] == "" {
			t.Errorf("there is no SOCK-%d", n)
		}
	}
}

// What is not compared, or differs on purpose, is listed in docs/testing.md
// with its reason, and nothing else is.
func TestSocketRowsInTestingDoc(t *testing.T) {
	text, err := os.ReadFile("docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[int]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| SOCK-(\d+) \| (.*) \|$`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		listed[n] = true
		if reason := notCompared[n]; reason != "" && m[2] != reason {
			t.Errorf("docs/testing.md has for SOCK-%d %q, want %q", n, m[2], reason)
		}
	}
	want := map[int]bool{}
	for n := range notCompared {
		want[n] = true
	}
	for _, c := range allSocketCases() {
		if c.differs != "" {
			want[c.rows[0]] = true
		}
	}
	if !maps.Equal(listed, want) {
		t.Errorf("docs/testing.md lists the rows %v, want %v", listed, want)
	}
}

func allSocketCases() []socketCase {
	return slices.Concat(errorCases, closeCases, optionCases, listenCases, apiCases)
}

// socketRows returns the lines of docs/rfc.md about SOCK-n, by n.
func socketRows(t *testing.T) map[int]string {
	t.Helper()
	text, err := os.ReadFile("docs/rfc.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]string{}
	line := regexp.MustCompile(`(?m)^\| SOCK-(\d+)(?:\.\.(\d+))? \|.*$`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		first, _ := strconv.Atoi(m[1])
		last := first
		if m[2] != "" {
			last, _ = strconv.Atoi(m[2])
		}
		for n := first; n <= last; n++ {
			rows[n] = m[0]
		}
	}
	if len(rows) != 112 {
		t.Errorf("%d rows SOCK-n in docs/rfc.md, want 112", len(rows))
	}
	return rows
}
