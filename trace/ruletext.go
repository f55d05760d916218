package trace

import "github.com/trivet-net/trivet/tcp"

// RuleText says in a sentence what the rule decides.
func RuleText(r tcp.Rule, lang Lang) string {
	if int(r) >= len(ruleTexts) {
		return ""
	}
	return ruleTexts[r][lang]
}

// CallText says in a sentence what a call of a program means; "" for those
// that say nothing.
func CallText(e *tcp.Event, lang Lang) string {
	x := explainer{lang: lang}
	return x.call(&item{event: e})
}

// TimerText says in a sentence what it means that the timer fires.
func TimerText(t tcp.Timer, lang Lang) string {
	if int(t) >= len(timerTexts) {
		return ""
	}
	return timerTexts[t][lang]
}

var timerTexts = [...][numLangs]string{
	tcp.TimerRetransmit:  {"no acknowledgement came in time", "没有按时等到确认"},
	tcp.TimerPersist:     {"the peer's window has been closed for long enough to ask again", "对方窗口关闭已久，再问一次"},
	tcp.TimerDelayedAck:  {"the delayed ACK has waited long enough", "延迟的 ACK 等得够久了"},
	tcp.TimerKeepAlive:   {"nothing has come from the peer for long", "很久没有收到对方的任何东西"},
	tcp.TimerFinWait2:    {"no FIN came for a connection that nobody owns", "无主的连接没有等到 FIN"},
	tcp.TimerUserTimeout: {"the time that the program gave is over", "程序给的时间已用完"},
	tcp.TimerReorder:     {"the time for reordered segments is over", "留给乱序报文段的时间已过"},
	tcp.TimerProbe:       {"no acknowledgement for about two round trips", "约两个往返没有等到确认"},
	tcp.TimerTimeWait:    {"2MSL is over", "2MSL 已过"},
	tcp.TimerPacing:      {"the next segment may go", "下一个报文段可以发了"},
}

// ruleTexts has what each rule decides, in every language.
var ruleTexts = [tcp.NumRules][numLangs]string{
	tcp.NoRule: {"no rule", "没有规则"},

	tcp.RuleActiveOpen:          {"a program connects: send a SYN", "程序发起连接：发出 SYN"},
	tcp.RuleSynSentBadAck:       {"this acknowledges what was never sent: reset whoever said it", "确认了从未发出的东西：向对方发 RST"},
	tcp.RuleSynSentBadEcho:      {"this echoes a time stamp that no SYN of ours had: reset whoever said it", "回显的时间戳不属于我方任何 SYN：向对方发 RST"},
	tcp.RuleSynSentReset:        {"a RST that acknowledges the SYN: the connection is refused", "RST 确认了 SYN：连接被拒绝"},
	tcp.RuleSynSentResetIgnored: {"a RST that does not acknowledge the SYN is ignored", "RST 没有确认 SYN，忽略"},
	tcp.RuleSynSentSynAck:       {"the SYN,ACK answers the SYN: the connection is open here", "SYN,ACK 回应了 SYN：本端已打开"},
	tcp.RuleSimultaneousOpen:    {"a SYN instead of a SYN,ACK: both ends open at once; answer SYN,ACK", "来的是 SYN 而不是 SYN,ACK：两端同时打开，回 SYN,ACK"},
	tcp.RuleSynSentSynFin:       {"a SYN with FIN makes no sense here: dropped", "带 FIN 的 SYN 毫无意义：丢弃"},
	tcp.RuleSynSentIgnored:      {"neither SYN nor RST: ignored before the connection is open", "既非 SYN 也非 RST：连接打开之前忽略"},
	tcp.RuleHandshakeAck:        {"the ACK covers our SYN: the handshake is complete", "ACK 覆盖了我们的 SYN：握手完成"},
	tcp.RuleHandshakeBadAck:     {"the ACK covers something never sent: reset", "ACK 确认了从未发出的东西：发 RST"},
	tcp.RuleSynReceivedSynAgain: {"the SYN came again: answer it again", "SYN 又来了：再答一次"},
	tcp.RuleSynReceivedReset:    {"a RST ends the half-open connection", "RST 结束半连接"},

	tcp.RulePAWS:                   {"the time stamp is older than the last one: an old duplicate, dropped", "时间戳比上一个还旧：旧的重复报文，丢弃"},
	tcp.RuleTimestampMissing:       {"the segment lacks the time stamp that was agreed on", "报文段缺少约定的时间戳"},
	tcp.RuleUnacceptable:           {"outside the receive window: dropped, and our position is told", "落在接收窗口之外：丢弃，并告知我方位置"},
	tcp.RuleKeepAliveProbeReceived: {"a probe, of a silent peer or a closed window: answer how things are here", "对空闲连接或零窗口的探测：回答我方现状"},
	tcp.RuleResetOutside:           {"a RST outside the window is forged or old: ignored", "窗口之外的 RST 是伪造的或旧的：忽略"},
	tcp.RuleResetExact:             {"a RST with exactly the next number: believed", "序号恰好是下一个的 RST：相信它"},
	tcp.RuleChallengeReset:         {"a RST in the window but not exact may be forged: a challenge ACK asks", "RST 在窗口内但序号不精确，可能是伪造的：用挑战 ACK 询问"},
	tcp.RuleChallengeSyn:           {"a SYN on an open connection may be forged or from a rebooted host: a challenge ACK asks", "已打开的连接上来了 SYN，可能是伪造的，也可能对方重启过：用挑战 ACK 询问"},

	tcp.RuleNoAck:           {"without ACK: dropped", "没有 ACK：丢弃"},
	tcp.RuleChallengeAckOld: {"the acknowledgement is too old to be true: a challenge ACK asks", "确认号旧得不合理：用挑战 ACK 询问"},
	tcp.RuleAckUnsent:       {"it acknowledges what was not sent yet: told so, dropped", "确认了尚未发出的东西：告知对方，丢弃"},
	tcp.RuleAckOld:          {"an old acknowledgement: nothing new", "旧的确认：没有新内容"},
	tcp.RuleAckNew:          {"new bytes are acknowledged", "新的字节得到确认"},
	tcp.RuleAckDuplicate:    {"the same acknowledgement again: something after it arrived, something is missing", "同样的确认再次出现：后面的到了，中间缺了"},
	tcp.RuleWindowUpdate:    {"the peer tells a new window", "对方告知新的窗口"},
	tcp.RuleWindowShrunk:    {"the peer takes back window that it had offered", "对方收回了已给出的窗口"},
	tcp.RuleFinAcked:        {"our FIN is acknowledged", "我们的 FIN 得到确认"},

	tcp.RuleCongestionMark: {"a router marked it instead of dropping it (CE): every ACK says so until the sender has slowed down", "路由器没有丢弃它而是打了标记（CE）：此后每个 ACK 都回报，直到对方减速"},
	tcp.RuleCongestionEcho: {"the peer reports a mark: the congestion window is reduced, once in a round trip", "对方回报了拥塞标记：减小拥塞窗口，每个往返一次"},

	tcp.RuleInOrder:        {"the next bytes in order: taken", "按序到达的下一段字节：收下"},
	tcp.RuleOutOfOrder:     {"there is a gap before these bytes: kept aside, and the gap is told", "这些字节之前有缺口：先存起来，并告知缺口"},
	tcp.RuleGapFilled:      {"the gap is filled: acknowledged at once", "缺口补上了：立即确认"},
	tcp.RuleDuplicateData:  {"bytes that are here already: dropped, and acknowledged again", "已有的字节：丢弃，并再次确认"},
	tcp.RuleTrimmed:        {"what is outside the window is cut off", "裁去窗口之外的部分"},
	tcp.RuleBeyondWindow:   {"it ends beyond the window, and is held whole or not at all: dropped", "超出窗口，而报文段只能整个存放：丢弃"},
	tcp.RuleOverrun:        {"it ends beyond the window, but nothing waits to be read: taken whole", "超出窗口，但没有数据等待读取：整个接收"},
	tcp.RuleZeroWindowData: {"data where there is no room: dropped, and the closed window is told", "没有空间却来了数据：丢弃，并告知窗口已关闭"},
	tcp.RuleNoMemory:       {"no memory is left for it: dropped", "没有内存可放：丢弃"},
	tcp.RuleDataAfterClose: {"data for a program that has closed: reset", "程序已关闭却来了数据：发 RST"},
	tcp.RuleDataAfterFin:   {"data after the peer's FIN: dropped", "对方 FIN 之后的数据：丢弃"},
	tcp.RuleUrgent:         {"the urgent pointer moved", "紧急指针移动"},
	tcp.RuleFin:            {"the peer has nothing more to send: acknowledged, and the program will read the end", "对方没有数据要发了：确认，程序将读到流的末尾"},
	tcp.RuleFinEarly:       {"a FIN behind a gap has to wait", "FIN 前面有缺口，要等一等"},

	tcp.RuleClose:        {"the program closes: a FIN follows all that it wrote", "程序关闭：写出的数据之后跟一个 FIN"},
	tcp.RuleCloseUnread:  {"closed with bytes unread: a RST tells that they are lost", "关闭时还有未读的字节：用 RST 告知它们已丢失"},
	tcp.RuleAbort:        {"the program aborts: a RST, and all is forgotten", "程序中止：发 RST，忘掉一切"},
	tcp.RuleCloseSynSent: {"closed before it was open: nothing to say", "还没打开就关闭：无话可说"},

	tcp.RuleRetransmitTimeout:   {"the retransmission timer: send the oldest again, double the time-out, begin slow start anew", "重传定时器到期：重发最早的，超时加倍，重新慢启动"},
	tcp.RuleRetriesExhausted:    {"sent too often without an answer: given up", "重发多次都没有回应：放弃"},
	tcp.RuleLost:                {"a segment sent later has arrived, and the time for reordering is over: taken as lost", "后发的报文段已到达，留给乱序的时间也过了：视为丢失"},
	tcp.RuleReorderTimeout:      {"the time for reordering is over: what is still missing is taken as lost", "留给乱序的时间已过：仍缺的视为丢失"},
	tcp.RuleTailProbe:           {"no ACK for about two round trips: send the last segment again to learn what arrived", "约两个往返没有确认：重发最后一个报文段，打听收到了什么"},
	tcp.RuleProbeRepaired:       {"the probe itself repaired a loss: the congestion window pays for it", "探测本身补上了丢失：拥塞窗口为此减小"},
	tcp.RuleReordering:          {"it was late, not lost: more time for reordering from now on", "是迟到而不是丢失：今后给乱序更多时间"},
	tcp.RuleDuplicateReported:   {"DSACK: something arrived twice, so a retransmission was needless", "DSACK：有东西到了两次，说明某次重传是多余的"},
	tcp.RuleForwardRTO:          {"after the time-out new data is tried first, to find out whether it was needless", "超时之后先试发新数据，看这次超时是否多余"},
	tcp.RuleUndoRecovery:        {"the fast retransmission was needless: the congestion window is restored", "快速重传是多余的：恢复拥塞窗口"},
	tcp.RuleUndoTimeout:         {"the time-out was needless: the congestion window is restored", "超时是多余的：恢复拥塞窗口"},
	tcp.RuleReneged:             {"the peer threw away what it had reported by SACK: all is sent again", "对方丢弃了用 SACK 报告过的数据：全部重发"},
	tcp.RuleFastRetransmit:      {"duplicate ACKs show a loss: send it again without waiting for the timer", "重复确认表明有丢失：不等定时器就重发"},
	tcp.RulePartialAck:          {"a partial ACK shows the next loss: send that again", "部分确认指出下一处丢失：重发它"},
	tcp.RuleRecovered:           {"all that was out when the loss showed is acknowledged: recovery ends", "发现丢失时在途的都已确认：恢复结束"},
	tcp.RuleLimitedTransmit:     {"a duplicate ACK lets one new segment out", "一个重复确认允许多发一个新报文段"},
	tcp.RuleZeroWindowProbe:     {"the window is closed: probe whether it opened", "窗口已关闭：探测是否打开"},
	tcp.RuleSillyWindowOverride: {"waited long enough for a larger window: send what fits", "等大窗口等得够久了：能发多少发多少"},
	tcp.RuleRefused:             {"the queue of the own device is full: it was not sent", "本机设备队列已满：等于没有发出"},
	tcp.RuleDelayedAck:          {"no data came to go with the ACK: it goes alone", "没有数据可搭载：ACK 单独发出"},
	tcp.RuleKeepAliveProbe:      {"idle for long: ask whether the peer is still there", "空闲已久：问对方是否还在"},
	tcp.RuleKeepAliveDead:       {"no answer to any probe: the peer is gone", "所有探测都无回应：对方已不在"},
	tcp.RuleUserTimeout:         {"the user timeout is over", "用户超时已到"},
	tcp.RuleFinWait2Timeout:     {"nobody owns the connection and the peer sends no FIN: given up", "连接无主，对方又不发 FIN：放弃"},
	tcp.RuleIdleRestart:         {"idle for longer than a time-out: the congestion window begins anew", "空闲超过一个超时：拥塞窗口从头开始"},

	tcp.RuleICMPIgnored:   {"the ICMP message quotes nothing that is in flight: ignored", "ICMP 引用的不是在途的数据：忽略"},
	tcp.RuleICMPHard:      {"ICMP says that it cannot work", "ICMP 说此路不通"},
	tcp.RuleICMPSoft:      {"ICMP tells of trouble that may pass: remembered; but an attempt to connect ends with it", "ICMP 报告可能是暂时的问题：记下；若还在建立连接，则就此放弃"},
	tcp.RulePathMTU:       {"ICMP tells a smaller path MTU: segments get smaller", "ICMP 告知更小的路径 MTU：报文段变小"},
	tcp.RuleBlackHole:     {"full segments get no answer again and again: try smaller ones, a router may drop large packets without a word", "整段一再没有回应：改用更小的报文段，可能有路由器悄悄丢弃大包"},
	tcp.RuleMTUProbe:      {"a larger segment, to learn whether the path carries it", "发一个更大的报文段，试探路径能否通过"},
	tcp.RuleMTUProbeAcked: {"the larger segment arrived: this is the size from now on", "更大的报文段到了：今后就用这个大小"},
	tcp.RuleMTUProbeLost:  {"the larger segment did not arrive: the path does not carry it, and this is no congestion", "更大的报文段没到：路径通不过，这不是拥塞"},

	tcp.RuleFastOpenText:     {"Fast Open: a cookie of the server's is known, so text goes with the SYN", "Fast Open：已有服务器的 cookie，数据随 SYN 发出"},
	tcp.RuleFastOpenAcked:    {"Fast Open: the server took the text of the SYN", "Fast Open：服务器收下了 SYN 携带的数据"},
	tcp.RuleFastOpenRefused:  {"Fast Open: the server did not take all text of the SYN: sent again", "Fast Open：服务器没有全部收下 SYN 携带的数据：重发"},
	tcp.RuleFastOpenCookie:   {"Fast Open: the client gets a cookie, for its next connection", "Fast Open：发给客户端一个 cookie，供下次连接使用"},
	tcp.RuleFastOpenAccepted: {"Fast Open: the cookie is good: the program gets the connection before the handshake is over", "Fast Open：cookie 有效：握手未完成就把连接交给程序"},
	tcp.RuleFastOpenFull:     {"Fast Open: too many such connections wait for the end of the handshake: opened as usual", "Fast Open：等待握手完成的连接太多：按普通方式打开"},
	tcp.RuleListenReset:      {"a RST to a listener: ignored", "发给监听端口的 RST：忽略"},
	tcp.RuleListenAck:        {"an ACK for a connection that is not there: reset", "确认一个不存在的连接：发 RST"},
	tcp.RuleListenSyn:        {"a SYN for a listener: remembered, and answered SYN,ACK", "监听端口收到 SYN：记下，回 SYN,ACK"},
	tcp.RuleListenSynFin:     {"a SYN with FIN is no request: dropped", "带 FIN 的 SYN 不是请求：丢弃"},
	tcp.RuleListenIgnored:    {"nothing that a listener understands: ignored", "监听端口不理解的东西：忽略"},
	tcp.RuleBacklogFull:      {"the accept queue is full: dropped, and has to come again", "全连接队列已满：丢弃，要等它再来"},
	tcp.RuleSynQueueFull:     {"the SYN queue is full: dropped", "半连接队列已满：丢弃"},
	tcp.RuleDeferAccept:      {"the listener wants data before it accepts", "监听者要等到数据才接受"},
	tcp.RuleMD5Unexpected:    {"a signature, but no key was agreed on: dropped", "带有签名，却没有约定密钥：丢弃"},
	tcp.RuleSynAckRetransmit: {"no ACK for the SYN,ACK: send it again", "SYN,ACK 没有得到确认：重发"},
	tcp.RuleSynAckExhausted:  {"the SYN,ACK was sent too often: the half-open connection is forgotten", "SYN,ACK 重发次数用尽：忘掉半连接"},
	tcp.RuleCookieSent:       {"the SYN queue is full: a SYN cookie is the answer, and nothing is remembered", "半连接队列已满：用 SYN cookie 作答，什么都不记"},
	tcp.RuleCookieAccepted:   {"the ACK returns a cookie of ours: the connection is made from it", "ACK 带回了我们的 cookie：据此建立连接"},
	tcp.RuleCookieRefused:    {"the ACK returns no cookie of ours: reset", "ACK 带回的不是我们的 cookie：发 RST"},

	tcp.RuleClosedReset:   {"no such connection: reset", "没有这个连接：发 RST"},
	tcp.RuleClosedIgnored: {"no such connection, and no answer to a RST", "没有这个连接，而对 RST 不作回应"},

	tcp.RuleTimeWait:        {"an ACK in TIME-WAIT: nothing to do", "TIME-WAIT 中的 ACK：无事可做"},
	tcp.RuleTimeWaitAck:     {"an old segment in TIME-WAIT: our position is told", "TIME-WAIT 中来了旧报文段：告知我方位置"},
	tcp.RuleTimeWaitFin:     {"the FIN again: the last ACK was lost; send it again and begin 2MSL anew", "FIN 又来了：最后的 ACK 丢了，再发一次，2MSL 重新计时"},
	tcp.RuleTimeWaitReset:   {"a RST in TIME-WAIT: ignored, for it might be old", "TIME-WAIT 中的 RST：可能是旧的，忽略"},
	tcp.RuleTimeWaitReuse:   {"a new connection that cannot be taken for the old one: TIME-WAIT ends for it", "新连接不会与旧的混淆：TIME-WAIT 为它让路"},
	tcp.RuleTimeWaitSyn:     {"a SYN in TIME-WAIT that might be old: our position is told", "TIME-WAIT 中的 SYN 可能是旧的：告知我方位置"},
	tcp.RuleTimeWaitExpired: {"2MSL is over: forgotten", "2MSL 已过：忘掉"},
}
