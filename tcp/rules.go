package tcp

import "strconv"

// Rule names a decision that the protocol prescribes, so that a trace can say
// why something happened and a test can ask whether every rule was reached.
type Rule uint8

// The rules, roughly in the order in which a segment meets them. Those of
// LISTEN, of half-open connections and of TIME-WAIT are applied by package
// engine.
const (
	NoRule Rule = iota

	// Opening.
	RuleActiveOpen
	RuleSynSentBadAck
	RuleSynSentBadEcho
	RuleSynSentReset
	RuleSynSentResetIgnored
	RuleSynSentSynAck
	RuleSimultaneousOpen
	RuleSynSentSynFin
	RuleSynSentIgnored
	RuleHandshakeAck
	RuleHandshakeBadAck
	RuleSynReceivedSynAgain
	RuleSynReceivedReset
	RuleFastOpenText
	RuleFastOpenAcked
	RuleFastOpenRefused

	// Sequence number, PAWS, RST, SYN.
	RulePAWS
	RuleTimestampMissing
	RuleUnacceptable
	RuleKeepAliveProbeReceived
	RuleResetOutside
	RuleResetExact
	RuleChallengeReset
	RuleChallengeSyn

	// ACK.
	RuleNoAck
	RuleChallengeAckOld
	RuleAckUnsent
	RuleAckOld
	RuleAckNew
	RuleAckDuplicate
	RuleWindowUpdate
	RuleWindowShrunk
	RuleFinAcked

	// Congestion notification.
	RuleCongestionMark
	RuleCongestionEcho

	// Text, urgent, FIN.
	RuleInOrder
	RuleOutOfOrder
	RuleGapFilled
	RuleDuplicateData
	RuleTrimmed
	RuleBeyondWindow
	RuleOverrun
	RuleZeroWindowData
	RuleNoMemory
	RuleDataAfterClose
	RuleDataAfterFin
	RuleUrgent
	RuleFin
	RuleFinEarly

	// Closing by the user.
	RuleClose
	RuleCloseUnread
	RuleAbort
	RuleCloseSynSent

	// Timers and loss.
	RuleRetransmitTimeout
	RuleRetriesExhausted
	RuleFastRetransmit
	RulePartialAck
	RuleRecovered
	RuleLimitedTransmit
	RuleZeroWindowProbe
	RuleSillyWindowOverride
	RuleRefused
	RuleDelayedAck
	RuleKeepAliveProbe
	RuleKeepAliveDead
	RuleUserTimeout
	RuleFinWait2Timeout
	RuleIdleRestart
	RuleLost
	RuleReorderTimeout
	RuleTailProbe
	RuleProbeRepaired
	RuleReordering
	RuleDuplicateReported
	RuleForwardRTO
	RuleUndoRecovery
	RuleUndoTimeout
	RuleReneged

	// ICMP and the path MTU.
	RuleICMPIgnored
	RuleICMPHard
	RuleICMPSoft
	RulePathMTU
	RuleBlackHole
	RuleMTUProbe
	RuleMTUProbeAcked
	RuleMTUProbeLost

	// LISTEN and half-open connections.
	RuleListenReset
	RuleListenAck
	RuleListenSyn
	RuleListenSynFin
	RuleListenIgnored
	RuleBacklogFull
	RuleSynQueueFull
	RuleDeferAccept
	RuleSynAckRetransmit
	RuleSynAckExhausted
	RuleCookieSent
	RuleCookieAccepted
	RuleCookieRefused
	RuleFastOpenCookie
	RuleFastOpenAccepted
	RuleFastOpenFull

	// Any state.
	RuleMD5Unexpected

	// CLOSED: no such connection.
	RuleClosedReset
	RuleClosedIgnored

	// TIME-WAIT.
	RuleTimeWait
	RuleTimeWaitAck
	RuleTimeWaitFin
	RuleTimeWaitReset
	RuleTimeWaitReuse
	RuleTimeWaitSyn
	RuleTimeWaitExpired

	// NumRules is the number of rules, NoRule included.
	NumRules
)

type ruleText struct{ name, cite string }

var rules = [NumRules]ruleText{
	NoRule: {"none", ""},

	RuleActiveOpen:          {"active-open", "RFC 9293 3.10.1"},
	RuleSynSentBadAck:       {"syn-sent-bad-ack", "RFC 9293 3.10.7.3"},
	RuleSynSentBadEcho:      {"syn-sent-bad-echo", "RFC 7323 4.1"},
	RuleSynSentReset:        {"syn-sent-reset", "RFC 9293 3.10.7.3"},
	RuleSynSentResetIgnored: {"syn-sent-reset-ignored", "RFC 9293 3.10.7.3"},
	RuleSynSentSynAck:       {"syn-ack", "RFC 9293 3.10.7.3"},
	RuleSimultaneousOpen:    {"simultaneous-open", "RFC 9293 3.5"},
	RuleSynSentSynFin:       {"syn-sent-syn-fin", "RFC 9293 3.10.7.3"},
	RuleSynSentIgnored:      {"syn-sent-ignored", "RFC 9293 3.10.7.3"},
	RuleHandshakeAck:        {"handshake-ack", "RFC 9293 3.10.7.4"},
	RuleHandshakeBadAck:     {"handshake-bad-ack", "RFC 9293 3.10.7.4"},
	RuleSynReceivedSynAgain: {"syn-again", "RFC 9293 3.10.7.4"},
	RuleSynReceivedReset:    {"syn-received-reset", "RFC 9293 3.10.7.4"},
	RuleFastOpenText:        {"fast-open-text", "RFC 7413 4.2.1"},
	RuleFastOpenAcked:       {"fast-open-acked", "RFC 7413 4.2.2"},
	RuleFastOpenRefused:     {"fast-open-refused", "RFC 7413 4.2.2"},

	RulePAWS:                   {"paws", "RFC 7323 5.3"},
	RuleTimestampMissing:       {"timestamp-missing", "RFC 7323 3.2"},
	RuleUnacceptable:           {"unacceptable", "RFC 9293 3.10.7.4"},
	RuleKeepAliveProbeReceived: {"keep-alive-received", "RFC 9293 3.8.4"},
	RuleResetOutside:           {"reset-outside", "RFC 5961 3.2"},
	RuleResetExact:             {"reset-exact", "RFC 5961 3.2"},
	RuleChallengeReset:         {"challenge-ack-rst", "RFC 5961 3.2"},
	RuleChallengeSyn:           {"challenge-ack-syn", "RFC 5961 4.2"},

	RuleNoAck:           {"no-ack", "RFC 9293 3.10.7.4"},
	RuleChallengeAckOld: {"challenge-ack-old", "RFC 5961 5.2"},
	RuleAckUnsent:       {"ack-unsent", "RFC 9293 3.10.7.4"},
	RuleAckOld:          {"ack-old", "RFC 9293 3.10.7.4"},
	RuleAckNew:          {"ack-new", "RFC 9293 3.10.7.4"},
	RuleAckDuplicate:    {"ack-duplicate", "RFC 5681 2"},
	RuleWindowUpdate:    {"window-update", "RFC 9293 3.10.7.4"},
	RuleWindowShrunk:    {"window-shrunk", "RFC 9293 3.8.6"},
	RuleFinAcked:        {"fin-acked", "RFC 9293 3.10.7.4"},

	RuleCongestionMark: {"congestion-mark", "RFC 3168 6.1.3"},
	RuleCongestionEcho: {"congestion-echo", "RFC 3168 6.1.2"},

	RuleInOrder:        {"in-order", "RFC 9293 3.10.7.4"},
	RuleOutOfOrder:     {"out-of-order", "RFC 9293 3.10.7.4"},
	RuleGapFilled:      {"gap-filled", "RFC 5681 4.2"},
	RuleDuplicateData:  {"duplicate-data", "RFC 9293 3.10.7.4"},
	RuleTrimmed:        {"trimmed", "RFC 9293 3.10.7.4"},
	RuleBeyondWindow:   {"beyond-window", "RFC 9293 3.10.7.4"},
	RuleOverrun:        {"overrun", "RFC 9293 3.10.7.4"},
	RuleZeroWindowData: {"zero-window-data", "RFC 9293 3.8.6.1"},
	RuleNoMemory:       {"no-memory", "RFC 9293 3.8.6"},
	RuleDataAfterClose: {"data-after-close", "RFC 9293 3.6.1"},
	RuleDataAfterFin:   {"data-after-fin", "RFC 9293 3.10.7.4"},
	RuleUrgent:         {"urgent", "RFC 9293 3.8.5"},
	RuleFin:            {"fin", "RFC 9293 3.10.7.4"},
	RuleFinEarly:       {"fin-early", "RFC 9293 3.10.7.4"},

	RuleClose:        {"close", "RFC 9293 3.10.4"},
	RuleCloseUnread:  {"close-unread", "RFC 9293 3.6.1"},
	RuleAbort:        {"abort", "RFC 9293 3.10.5"},
	RuleCloseSynSent: {"close-syn-sent", "RFC 9293 3.10.4"},

	RuleRetransmitTimeout:   {"retransmit-timeout", "RFC 6298 5.4"},
	RuleRetriesExhausted:    {"retries-exhausted", "RFC 9293 3.8.3"},
	RuleFastRetransmit:      {"fast-retransmit", "RFC 5681 3.2"},
	RulePartialAck:          {"partial-ack", "RFC 6582 3.2"},
	RuleRecovered:           {"recovered", "RFC 6582 3.2"},
	RuleLimitedTransmit:     {"limited-transmit", "RFC 3042 2"},
	RuleZeroWindowProbe:     {"zero-window-probe", "RFC 9293 3.8.6.1"},
	RuleSillyWindowOverride: {"silly-window-override", "RFC 9293 3.8.6.2.1"},
	RuleRefused:             {"refused", "RFC 9293 3.9.2"},
	RuleDelayedAck:          {"delayed-ack", "RFC 9293 3.8.6.3"},
	RuleKeepAliveProbe:      {"keep-alive-probe", "RFC 9293 3.8.4"},
	RuleKeepAliveDead:       {"keep-alive-dead", "RFC 9293 3.8.4"},
	RuleUserTimeout:         {"user-timeout", "RFC 9293 3.10.8"},
	RuleFinWait2Timeout:     {"fin-wait-2-timeout", "tcp(7) tcp_fin_timeout"},
	RuleIdleRestart:         {"idle-restart", "RFC 5681 4.1"},
	RuleLost:                {"lost", "RFC 8985 6.2"},
	RuleReorderTimeout:      {"reorder-timeout", "RFC 8985 6.2"},
	RuleTailProbe:           {"tail-probe", "RFC 8985 7.3"},
	RuleProbeRepaired:       {"probe-repaired", "RFC 8985 7.4"},
	RuleReordering:          {"reordering", "RFC 8985 6.2"},
	RuleDuplicateReported:   {"duplicate-reported", "RFC 2883 5"},
	RuleForwardRTO:          {"forward-rto", "RFC 5682 2.1"},
	RuleUndoRecovery:        {"undo-recovery", "RFC 4015 3.2"},
	RuleUndoTimeout:         {"undo-timeout", "RFC 5682 4"},
	RuleReneged:             {"reneged", "RFC 2018 8"},

	RuleICMPIgnored:   {"icmp-ignored", "RFC 5927 4.1"},
	RuleICMPHard:      {"icmp-hard", "RFC 9293 3.9.2.2"},
	RuleICMPSoft:      {"icmp-soft", "RFC 9293 3.9.2.2"},
	RulePathMTU:       {"path-mtu", "RFC 1191 6.5"},
	RuleBlackHole:     {"black-hole", "RFC 4821 7.7"},
	RuleMTUProbe:      {"mtu-probe", "RFC 4821 7.3"},
	RuleMTUProbeAcked: {"mtu-probe-acked", "RFC 4821 7.6.1"},
	RuleMTUProbeLost:  {"mtu-probe-lost", "RFC 4821 7.6.2"},

	RuleListenReset:      {"listen-reset", "RFC 9293 3.10.7.2"},
	RuleListenAck:        {"listen-ack", "RFC 9293 3.10.7.2"},
	RuleListenSyn:        {"listen-syn", "RFC 9293 3.10.7.2"},
	RuleListenSynFin:     {"listen-syn-fin", "RFC 9293 3.10.7.2"},
	RuleListenIgnored:    {"listen-ignored", "RFC 9293 3.10.7.2"},
	RuleBacklogFull:      {"backlog-full", "listen(2)"},
	RuleSynQueueFull:     {"syn-queue-full", "RFC 4987 3.1"},
	RuleDeferAccept:      {"defer-accept", "tcp(7)"},
	RuleSynAckRetransmit: {"syn-ack-retransmit", "RFC 6298 5.4"},
	RuleSynAckExhausted:  {"syn-ack-exhausted", "RFC 9293 3.8.3"},
	RuleCookieSent:       {"cookie-sent", "RFC 4987 3.6"},
	RuleCookieAccepted:   {"cookie-accepted", "RFC 4987 3.6"},
	RuleCookieRefused:    {"cookie-refused", "RFC 4987 3.6"},
	RuleFastOpenCookie:   {"fast-open-cookie", "RFC 7413 4.1.2"},
	RuleFastOpenAccepted: {"fast-open-accepted", "RFC 7413 4.2.2"},
	RuleFastOpenFull:     {"fast-open-full", "RFC 7413 5.1"},

	RuleMD5Unexpected: {"md5-unexpected", "RFC 2385 2.0"},
	RuleClosedReset:   {"closed-reset", "RFC 9293 3.10.7.1"},
	RuleClosedIgnored: {"closed-ignored", "RFC 9293 3.10.7.1"},

	RuleTimeWait:        {"time-wait", "RFC 9293 3.10.7.4"},
	RuleTimeWaitAck:     {"time-wait-ack", "RFC 9293 3.10.7.4"},
	RuleTimeWaitFin:     {"time-wait-fin", "RFC 9293 3.10.7.4"},
	RuleTimeWaitReset:   {"time-wait-reset", "RFC 1337 4"},
	RuleTimeWaitReuse:   {"time-wait-reuse", "RFC 6191 2"},
	RuleTimeWaitSyn:     {"time-wait-syn", "RFC 6191 2"},
	RuleTimeWaitExpired: {"time-wait-expired", "RFC 9293 3.10.8"},
}

// String returns the rule's name, "challenge-ack-syn".
func (r Rule) String() string {
	if r < NumRules {
		return rules[r].name
	}
	return "Rule(" + strconv.Itoa(int(r)) + ")"
}

// Cite returns where the rule is written, "RFC 5961 4.2".
func (r Rule) Cite() string {
	if r < NumRules {
		return rules[r].cite
	}
	return ""
}

// Counters count what happened to all connections of one engine.
type Counters struct {
	// Rules counts how often each rule decided something.
	Rules [NumRules]uint64

	SegmentsIn, SegmentsOut uint64 // on the wire, not super-segments
	BytesIn, BytesOut       uint64 // payload, retransmissions included
	Retransmitted           uint64 // segments sent again
	ResetsOut               uint64
	ChallengesSuppressed    uint64 // within Config.ChallengeAckInterval of the last one
	ActiveOpens             uint64
	PassiveOpens            uint64
	OutOfOrderFull          uint64 // out-of-order data dropped: range or byte limit
	RecvBufferFull          uint64 // data beyond the receive buffer dropped
	MemoryFull              uint64 // data dropped or refused: Config.MaxMemory
	Memory                  int64  // bytes that buffers take up now
}

// Add adds the counts of d to c.
func (c *Counters) Add(d *Counters) {
	for i := range c.Rules {
		c.Rules[i] += d.Rules[i]
	}
	c.SegmentsIn += d.SegmentsIn
	c.SegmentsOut += d.SegmentsOut
	c.BytesIn += d.BytesIn
	c.BytesOut += d.BytesOut
	c.Retransmitted += d.Retransmitted
	c.ResetsOut += d.ResetsOut
	c.ChallengesSuppressed += d.ChallengesSuppressed
	c.ActiveOpens += d.ActiveOpens
	c.PassiveOpens += d.PassiveOpens
	c.OutOfOrderFull += d.OutOfOrderFull
	c.RecvBufferFull += d.RecvBufferFull
	c.MemoryFull += d.MemoryFull
	c.Memory += d.Memory
}

// rule counts r and tells the trace.
func (c *Conn) rule(now Time, r Rule) {
	c.cfg.Counters.Rules[r]++
	if c.cfg.Trace != nil {
		c.cfg.Trace(&Event{Time: now, Kind: EventRule, Tuple: c.id, Rule: r})
	}
}
