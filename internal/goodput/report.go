package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// head is the beginning of docs/goodput.md.
const head = `# What the sender makes of a path

Made by ` + "`go run ./internal/goodput -write`" + `; ` + "`go test ./internal/goodput`" + ` compares. Each flow is a download
between two hosts of package sim, in virtual time, over a bottleneck with a queue of one bandwidth-delay product, with
loss and lateness in the direction of the data, and, but for one path, with buffers of 32 MiB. Goodput is what
reaches the application, from the dial to the end, slow start included, as a share of the rate of the bottleneck,
whose packets of 1500 bytes carry 1448. It is the median of the seeds, as is the share of segments sent again; the
stall is the longest of all seeds; spurious retransmissions are counted over all seeds, as the receiver reports them
by DSACK. A goal that is not reached is marked, and the notes tell why.

| path | congestion control | goodput | goal | sent again | spurious | longest stall | seeds x time |
|---|---|---|---|---|---|---|---|
`

// write writes the page; notes is what follows the tables.
func write(w io.Writer, rows []row, x *exchanges, notes string) error {
	var b strings.Builder
	b.WriteString(head)
	for i := range rows {
		rows[i].write(&b)
	}
	b.WriteString("\nFairness: the median of Jain's index, and the smaller of the median shares.\n\n")
	b.WriteString("| path | flows | Jain's index | smallest share | goal |\n|---|---|---|---|---|\n")
	for i := range rows {
		rows[i].writeFairness(&b)
	}
	x.write(&b)
	b.WriteString(notes)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *row) write(b *strings.Builder) {
	p := r.path
	for i, f := range r.flows {
		goal := "-"
		if p.goodput > 0 {
			goal = mark(percent(p.goodput), f.goodput < p.goodput)
		}
		again := percent(f.retrans)
		if p.retrans > 0 {
			again += " (" + mark("at most "+percent(p.retrans), f.retrans > p.retrans) + ")"
		}
		stall := roundTime(f.stall)
		if p.stall > 0 {
			stall += " (" + mark("at most "+p.stall.String(), f.stall > p.stall) + ")"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %d | %s | %d x %v |\n",
			p.name, p.flows[i], percent(f.goodput), goal, again, r.spurious[i], stall, r.seeds, p.time)
	}
}

func (r *row) writeFairness(b *strings.Builder) {
	p := r.path
	if len(p.flows) < 2 {
		return
	}
	least, goal := r.least(), ""
	if p.jain > 0 {
		goal = mark(fmt.Sprintf("index %.2f", p.jain), r.jain < p.jain)
	}
	if p.share > 0 {
		goal = mark("share "+percent(p.share), least < p.share)
	}
	fmt.Fprintf(b, "| %s | %s | %.3f | %s | %s |\n", p.name, strings.Join(p.flows, " and "), r.jain, percent(least), goal)
}

func (x *exchanges) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nTime from the dial to the first byte of an answer, %v away, when one segment is lost:\n\n", exchangeRTT)
	b.WriteString("| lost | time to first byte |\n|---|---|\n")
	for i, d := range x.first {
		fmt.Fprintf(b, "| %s | %s |\n", handshakeLosses[i].name, roundTime(d))
	}
	fmt.Fprintf(b, "\nTime of one exchange on a connection that had some, %v away, when the last segment of the answer is lost:\n\n", exchangeRTT)
	b.WriteString("| segments of the answer | time |\n|---|---|\n")
	for i, d := range x.tails {
		fmt.Fprintf(b, "| %d | %s |\n", i+1, roundTime(d))
	}
	fmt.Fprintf(b, "\nThe median is %.2f round-trip times; the goal: %s.\n", x.tailMedian(), mark("under 3", x.tailMedian() >= tailGoal))
}

// tailGoal is what the median of exchanges with tail loss is to be under, in
// round-trip times.
const tailGoal = 3

// mark marks a goal that is missed.
func mark(goal string, missed bool) string {
	if missed {
		return "**missed**: " + goal
	}
	return goal
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// roundTime keeps three digits, so that the page does not change for nothing.
func roundTime(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
