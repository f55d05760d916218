package capture

import (
	"fmt"
	"net/netip"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// Pattern is something in a capture that deserves a look.
type Pattern struct {
	// Kind is half-open, syn-flood, refused, reset, zero-window or
	// retransmissions.
	Kind string
	// Connections are the indices of those it is about.
	Connections []int
	Texts       [2]string // by trace.Lang
}

// In is the pattern in words.
func (p *Pattern) In(lang trace.Lang) string { return p.Texts[lang] }

// floodSize is how many half-open connections to one port make a flood.
const floodSize = 20

// Patterns looks for half-open connections and SYN floods, refusals, resets,
// closed windows and repetitions.
func Patterns(a *trace.Analysis) []Pattern {
	list := a.Connections()
	halfOpen := map[netip.AddrPort][]int{}
	var ports []netip.AddrPort
	byKind := map[string][]int{}
	repeats, zeros := 0, 0
	windows := zeroWindows(a)
	for i := range list {
		c := &list[i]
		switch {
		case unanswered(c):
			if halfOpen[c.Addrs[1]] == nil {
				ports = append(ports, c.Addrs[1])
			}
			halfOpen[c.Addrs[1]] = append(halfOpen[c.Addrs[1]], i)
		case c.Resets > 0 && c.Bytes == [2]int{} && c.Segments <= 3:
			byKind["refused"] = append(byKind["refused"], i)
		case c.Resets > 0:
			byKind["reset"] = append(byKind["reset"], i)
		}
		if c.Repeats > 0 {
			repeats += c.Repeats
			byKind["retransmissions"] = append(byKind["retransmissions"], i)
		}
		if windows[i] > 0 {
			zeros += windows[i]
			byKind["zero-window"] = append(byKind["zero-window"], i)
		}
	}
	var found []Pattern
	add := func(kind string, at []int, en, zh string, args ...any) {
		if len(at) > 0 {
			found = append(found, Pattern{kind, at, [2]string{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}})
		}
	}
	for _, to := range ports {
		at := halfOpen[to]
		if len(at) >= floodSize {
			add("syn-flood", at, "SYN flood: %d SYNs to %v that were never completed.", "SYN 洪泛：发往 %[2]v 的 %[1]d 个 SYN 从未完成握手。", len(at), to)
		} else {
			add("half-open", at, "%d half-open: the handshake with %v was not completed.", "%d 个半连接：与 %v 的握手没有完成。", len(at), to)
		}
	}
	n := func(kind string) int { return len(byKind[kind]) }
	add("refused", byKind["refused"], "%d refused: a RST was the answer.", "%d 个被拒绝：回答是 RST。", n("refused"))
	add("reset", byKind["reset"], "%d broken off by a RST.", "%d 个被 RST 终止。", n("reset"))
	add("zero-window", byKind["zero-window"], "Told a closed window: %[1]s, on %[2]s.", "%[3]d 个报文段告知窗口为零，涉及 %[4]d 个连接。",
		counted(zeros, "segment"), counted(n("zero-window"), "connection"), zeros, n("zero-window"))
	add("retransmissions", byKind["retransmissions"], "Sent again: %[1]s, on %[2]s.", "重传了 %[3]d 个报文段，涉及 %[4]d 个连接。",
		counted(repeats, "segment"), counted(n("retransmissions"), "connection"), repeats, n("retransmissions"))
	return found
}

// counted is a number of things in English.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// unanswered reports whether the connection stopped before it was open at both
// ends.
func unanswered(c *trace.Connection) bool {
	for _, s := range c.States {
		if s == tcp.StateSynReceived || s == tcp.StateSynSent {
			return true
		}
	}
	return false
}

// zeroWindows counts, by connection, the segments that told a closed window.
func zeroWindows(a *trace.Analysis) map[int]int {
	counts := map[int]int{}
	for _, r := range a.Remarks(trace.English) {
		if r.Window == 0 && r.Kind != "reset" && r.Kind != "syn" {
			counts[r.Connection]++
		}
	}
	return counts
}
