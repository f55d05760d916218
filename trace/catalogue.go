package trace

import "fmt"

// message is one entry of the catalogue of explanations.
type message uint8

const (
	msgNone message = iota

	// Columns, title and end.
	msgLater
	msgWhat
	msgStart
	msgFindings
	msgNothingLost
	msgNothingAgain
	msgNoConnection
	msgLegend
	msgLegendRelative
	msgLegendScale

	// Calls and timers.
	msgCallListen
	msgCallConnect
	msgCallAccept
	msgCallWrite
	msgCallEOF
	msgCallClose
	msgCallCloseWrite
	msgCallCloseRead
	msgCallAbort
	msgReboot
	msgCallFailed
	msgTimerTimeWait
	msgTimerFinWait2
	msgTimerUserTimeout
	msgTimerGivesUp
	msgTimerKeepAlive
	msgTimerOther

	// Segments.
	msgSyn
	msgSynCrossing
	msgSynAck
	msgHandshake
	msgFirstData
	msgData
	msgAck
	msgAckDelayed
	msgAckAgain
	msgDuplicate
	msgDSACK
	msgStillHere
	msgWindowStillZero
	msgWindowZero
	msgWindowOpen
	msgFin
	msgFinData
	msgAckFin
	msgReset
	msgResetRefuse
	msgResetUnknown
	msgResetUnsent
	msgResetVain
	msgKeepAlive
	msgWindowProbe
	msgChallenge
	msgForeign
	msgRepeatTimeout
	msgRepeatFast
	msgRepeatLate
	msgRepeatProbe
	msgRepeat
	msgRepeatNeedless
	msgRepeatTurn
	msgRepeatAsked
	msgRepeatAcked

	// What becomes of them.
	msgLostRandom
	msgLostQueue
	msgLostUnplugged
	msgLostFilter
	msgLostSize
	msgLostAQM
	msgLostNoRoute
	msgArrives
	msgCorrupted
	msgLinkDuplicate
	msgOutOfOrder
	msgGapFilled
	msgHadAlready
	msgTooFar
	msgRefused
	msgAborted
	msgFinWait2
	msgCloseWait
	msgClosing
	msgTimeWait
	msgClosed
	msgTimeWaitAgain

	// Findings.
	msgFindHandshake
	msgFindBytes
	msgFindCaptured
	msgFindLost
	msgFindRepeatTimeout
	msgFindRepeatFast
	msgFindRepeatLate
	msgFindRepeatProbe
	msgFindUndone
	msgFindRepeat
	msgFindMany
	msgFindManyTimeout
	msgFindManyFast
	msgFindManyLate
	msgFindManyProbe
	msgFindManySilent
	msgFindManyAckLost
	msgFindManyAckLate
	msgFindManyUnused
	msgFindManyAcked
	msgFindMore
	msgFindNeedlessSilent
	msgFindRepeatTurn
	msgFindManyTurn
	msgFindRepeatAsked
	msgFindNeedlessAcked
	msgFindMissing
	msgFindNeedlessLost
	msgFindNeedlessLate
	msgFindNeedlessUnused
	msgFindCorrupted
	msgFindDuplicated
	msgFindReordered
	msgFindDelayed
	msgFindForeign
	msgFindClosed
	msgFindStayedClosed
	msgFindTimeWait
	msgFindTimeWaitAgain
	msgFindReset
	msgFindRefused
	msgFindResetIdle
	msgFindResetLost
	msgFindGaveUp
	msgFindOpen

	// Datagrams.
	msgOvertaken
	msgHop
	msgFindDatagrams
	msgFindDatagramsLost
	msgFindDatagramsLate
	msgFindDatagramErrors

	numMessages
)

// say returns the message in the language, with its arguments filled in.
func (l Lang) say(m message, args ...any) string {
	text := catalogue[m][l]
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// catalogue has every explanation in every language. Both texts of an entry
// take the same arguments in the same order, or by number.
var catalogue = [numMessages][numLangs]string{
	msgNone:         {"", ""},
	msgLater:        {". . .  %s later  . . .", ". . .  %s 之后  . . ."},
	msgWhat:         {"what happens", "发生了什么"},
	msgStart:        {"before it begins", "开始之前"},
	msgFindings:     {"Findings", "小结"},
	msgNothingLost:  {"Nothing was lost, nothing was sent again.", "没有丢失，也没有重传。"},
	msgNoConnection: {"No TCP connection in this record.", "记录中没有 TCP 连接。"},
	msgLegend: {
		"#n FLAGS seq:end(len) ack N win W <options>   flags: S SYN, F FIN, R RST, P PSH, . ACK   --X lost   - - crossing",
		"#n 标志 起始:结束(长度) ack 确认号 win 窗口 <选项>   标志：S SYN，F FIN，R RST，P PSH，. ACK   --X 丢失   - - 交错",
	},
	msgLegendRelative: {
		"Sequence numbers and time stamps count from the first of each side.",
		"序号和时间戳都从各方的第一个算起。",
	},
	msgLegendScale: {
		"win is as on the wire; after the handshake a unit of %s's is %d bytes, of %s's %d (window scale).",
		"win 是报文里的原值；握手之后 %s 的每单位为 %d 字节，%s 的为 %d 字节（窗口扩大因子）。",
	},

	msgCallListen:       {"the program waits for callers", "程序等待连接"},
	msgCallConnect:      {"the program wants to connect", "程序要建立连接"},
	msgCallAccept:       {"the program takes the connection", "程序接受连接"},
	msgCallWrite:        {"the program hands over %d bytes", "程序交出 %d 字节"},
	msgCallEOF:          {"the program has read to the end", "程序读到了流的末尾"},
	msgCallClose:        {"the program closes", "程序关闭连接"},
	msgCallCloseWrite:   {"the program will write no more, but still reads", "程序不再发送，但仍接收"},
	msgCallCloseRead:    {"the program will read no more", "程序不再接收"},
	msgCallAbort:        {"the program aborts", "程序中止连接"},
	msgReboot:           {"the host crashes and starts anew: all is forgotten", "主机崩溃后重启，什么都不记得了"},
	msgCallFailed:       {"the call fails: %v", "调用失败：%v"},
	msgTimerTimeWait:    {"2MSL is over: nothing is left of the connection", "2MSL 已过，连接不留痕迹"},
	msgTimerFinWait2:    {"nobody owns the connection and no FIN came: given up", "连接已无主，又没有等到 FIN，放弃"},
	msgTimerUserTimeout: {"user timeout: no answer for too long", "用户超时：太久没有回应"},
	msgTimerGivesUp:     {"gives up: sent again too often without an answer", "放弃：多次重传都没有回应"},
	msgTimerOther:       {"the timer fires", "定时器到期"},

	msgSyn:               {"asks to connect; numbers start here", "请求连接，告知自己的初始序号"},
	msgSynCrossing:       {"asks to connect too: the two SYNs cross", "对方也请求连接，两个 SYN 交错"},
	msgSynAck:            {"agrees, with numbers of its own", "同意连接，告知自己的初始序号"},
	msgHandshake:         {"confirms: the connection is open", "确认，三次握手完成"},
	msgFirstData:         {"%q", "%q"},
	msgData:              {"%d bytes of data", "%d 字节数据"},
	msgAck:               {"ACK: has all before %d", "ACK：%d 之前的已全部收到"},
	msgAckDelayed:        {"delayed ACK: has all before %d", "延迟 ACK：%d 之前的已全部收到"},
	msgAckAgain:          {"ACK again: has all before %d", "再次 ACK：%d 之前的已全部收到"},
	msgDuplicate:         {"duplicate ACK: still waits for %d", "重复 ACK：仍在等 %d"},
	msgDSACK:             {"ACK again: got some bytes twice (DSACK)", "再次 ACK：有字节收到了两次（DSACK）"},
	msgStillHere:         {"answers: still here", "回应：还在"},
	msgWindowStillZero:   {"answers: still no room", "回应：仍然没有空间"},
	msgWindowZero:        {"ACK: has all before %d, but no room for more", "ACK：%d 之前的已收到，但缓冲区已满"},
	msgWindowOpen:        {"has room again: window update", "又有空间了：更新窗口"},
	msgFin:               {"FIN: has nothing more to send", "FIN：没有数据要发了"},
	msgFinData:           {"the last %d bytes, and FIN", "最后 %d 字节，附 FIN"},
	msgAckFin:            {"confirms the FIN", "确认对方的 FIN"},
	msgReset:             {"RST: breaks the connection off", "RST：强行终止连接"},
	msgResetRefuse:       {"RST: nothing listens here", "RST：此端口无人监听"},
	msgResetUnknown:      {"RST: knows of no such connection", "RST：这里没有这个连接"},
	msgResetUnsent:       {"RST: never sent what is acknowledged here", "RST：这里确认的从未发出过"},
	msgResetVain:         {"RST: is meant to break the connection off", "RST：意图终止连接"},
	msgTimerKeepAlive:    {"gives up: no probe was answered", "放弃：所有探测都没有回应"},
	msgForeign:           {"not sent by %s now", "并非 %s 此刻所发"},
	msgFindForeign:       {"Not sent by %s now, but in its name: %s.", "并非 %s 此刻所发、却用其名的：%s。"},
	msgRepeatAcked:       {" (#%d had been acknowledged)", "（#%d 其实已得到确认）"},
	msgFindNeedlessAcked: {"#%d repeats #%d, which had been acknowledged.", "#%d 重传 #%d，而后者其实已得到确认。"},
	msgFindMissing:       {"The capture lacks %d bytes of %s, which %s acknowledged.", "抓包缺少 %[2]s 的 %[1]d 字节，而 %[3]s 确认了它们。"},
	msgFindCaptured:      {"Captured of %s: %d bytes, of %s: %d.", "抓到 %s 发送的 %d 字节，%s 发送的 %d 字节。"},
	msgNothingAgain:      {"Nothing was sent again.", "没有重传。"},
	msgRepeatAsked:       {"#%d again: the SYN came again", "重传 #%d：SYN 又来了"},
	msgFindRepeatAsked:   {"#%d repeats #%d: the SYN came again.", "#%d 重传 #%d：SYN 又来了。"},
	msgFindMany:          {"%d segments were sent again: %s.", "重传了 %d 个报文段：%s。"},
	msgFindManyTimeout:   {"%d segments were sent again, for no ACK came in time: %s.", "没有按时等到确认而重传的报文段有 %d 个：%s。"},
	msgFindManyFast:      {"%d segments were sent again, for duplicate ACKs said they were missing: %s.", "重复确认表明丢了而快速重传的报文段有 %d 个：%s。"},
	msgFindManyLate:      {"%d segments were sent again, for what was sent after them had arrived: %s.", "晚发的已经到了而重传的报文段有 %d 个：%s。"},
	msgFindManyProbe:     {"%d segments were sent again as probes: %s.", "重传作尾部探测的报文段有 %d 个：%s。"},
	msgFindManySilent:    {"%d segments were sent again that had arrived, but were not acknowledged: %s.", "其实已到达、只是没有得到确认而重传的报文段有 %d 个：%s。"},
	msgFindManyAckLost:   {"%d segments were sent again that had arrived, but whose ACK was lost: %s.", "其实已到达、确认却丢了而重传的报文段有 %d 个：%s。"},
	msgFindManyAckLate:   {"%d segments were sent again that had arrived, but whose ACK was late: %s.", "其实已到达、确认却迟了而重传的报文段有 %d 个：%s。"},
	msgFindManyUnused:    {"%d segments were sent again that had arrived, and whose ACK was not taken: %s.", "其实已到达、确认却没有被接受而重传的报文段有 %d 个：%s。"},
	msgFindManyAcked:     {"%d segments were sent again that had been acknowledged: %s.", "其实已得到确认而重传的报文段有 %d 个：%s。"},
	msgFindMore:          {" and %d more", " 等，另有 %d 个"},
	msgRepeatTurn:        {"#%d again: found lost before, and now its turn", "重传 #%d：先前已判定丢失，现在轮到它"},
	msgFindRepeatTurn:    {"#%d repeats #%d: found lost before, it had its turn.", "#%d 重传 #%d：先前已判定丢失，这时轮到它。"},
	msgFindManyTurn:      {"%d segments were sent again that had been found lost before and had their turn: %s.", "先前已判定丢失、轮到时才重传的报文段有 %d 个：%s。"},
	msgFindDelayed:       {"Held back on the way from %s: %s.", "%s 发出而被耽搁的：%s。"},
	msgFindClosed:        {"The window of %s was closed for %s, from #%d to #%d.", "%s 的窗口关闭了 %s，从 #%d 到 #%d。"},
	msgFindStayedClosed:  {"The window of %s was closed from #%d to the end.", "%s 的窗口从 #%d 起一直关闭。"},
	msgFindResetLost:     {"A RST from %s that was lost, so that %s does not know: %s.", "%s 发出而丢失、%s 因而不知道的 RST：%s。"},
	msgKeepAlive:         {"keep-alive: are you still there?", "保活探测：你还在吗？"},
	msgWindowProbe:       {"probe: is there room by now?", "零窗口探测：有空间了吗？"},
	msgChallenge:         {"challenge ACK: asks whether that was meant", "挑战 ACK：请对方证实"},
	msgRepeatTimeout:     {"#%d again: no ACK came within %s", "重传 #%d：%s 内没有等到确认"},
	msgRepeatFast:        {"#%d again: duplicate ACKs say it is missing", "快速重传 #%d：重复确认表明它丢了"},
	msgRepeatLate:        {"#%d again: what was sent after it has arrived", "重传 #%d：比它晚发的已经到了"},
	msgRepeatProbe:       {"#%d again, as a probe: no ACK came within %s", "重传 #%d 作尾部探测：%s 内没有等到确认"},
	msgRepeat:            {"#%d again", "重传 #%d"},
	msgRepeatNeedless:    {" (#%d had arrived)", "（#%d 其实已到达）"},

	msgLostRandom:    {"LOST on the way", "途中丢失"},
	msgLostQueue:     {"LOST: the link's queue is full", "丢失：链路队列已满"},
	msgLostUnplugged: {"LOST: the link is unplugged", "丢失：链路已断开"},
	msgLostFilter:    {"LOST: dropped on purpose", "丢失：人为丢弃"},
	msgLostSize:      {"LOST: too large for the link", "丢失：超过链路的最大长度"},
	msgLostAQM:       {"LOST: dropped by the link's queue management", "丢失：被链路的队列管理丢弃"},
	msgLostNoRoute:   {"LOST: the router knows no way to there", "丢失：路由器不知道去那里的路"},
	msgArrives:       {"#%d arrives", "#%d 到达"},
	msgCorrupted:     {"arrives damaged: checksum wrong, dropped", "到达时已损坏：校验和不符，丢弃"},
	msgLinkDuplicate: {"the link's duplicate of #%d", "链路复制的 #%d"},
	msgOutOfOrder:    {"a gap before it: kept aside", "前面有缺口，先存起来"},
	msgGapFilled:     {"fills the gap", "补上缺口"},
	msgHadAlready:    {"had it already", "已经收到过"},
	msgTooFar:        {"not acceptable here", "不可接受"},
	msgRefused:       {"the call fails: connection refused", "连接被拒绝"},
	msgAborted:       {"the connection is gone", "连接就此终止"},
	msgFinWait2:      {"%s now waits for the FIN of %s", "%s 接着等 %s 的 FIN"},
	msgCloseWait:     {"%s may still send", "%s 还可以继续发送"},
	msgClosing:       {"both closed at once: the FINs crossed", "双方同时关闭，FIN 交错"},
	msgTimeWait:      {"%s waits 2MSL, in case its last ACK gets lost", "%s 等待 2MSL，以防最后的 ACK 丢失"},
	msgClosed:        {"all is said: closed", "全部完成，关闭"},
	msgTimeWaitAgain: {"the last ACK was lost: repeats it", "最后的 ACK 丢了，再发一次"},

	msgFindHandshake:      {"The handshake took %s.", "握手用时 %s。"},
	msgFindBytes:          {"%s sent %d bytes, %s %d.", "%s 发送了 %d 字节，%s 发送了 %d 字节。"},
	msgFindLost:           {"Lost from %s (%s): %s.", "%s 发出而丢失的（%s）：%s。"},
	msgFindRepeatTimeout:  {"#%d repeats #%d: no ACK came within %s.", "#%d 重传 #%d：%s 内没有等到确认。"},
	msgFindRepeatFast:     {"#%d repeats #%d: duplicate ACKs said it was missing.", "#%d 快速重传 #%d：重复确认表明它丢了。"},
	msgFindRepeatLate:     {"#%d repeats #%d: what was sent after that had arrived.", "#%d 重传 #%d：比它晚发的已经到了。"},
	msgFindRepeatProbe:    {"#%d repeats #%d as a probe: no ACK came within %s.", "#%d 重传 #%d 作尾部探测：%s 内没有等到确认。"},
	msgFindUndone:         {"%s found after %s that nothing had been lost, and took the slow-down back.", "%s 在 %s 时发现其实没有丢失，撤销了减速。"},
	msgFindRepeat:         {"#%d repeats #%d.", "#%d 重传 #%d。"},
	msgFindNeedlessSilent: {"#%d repeats #%d, which had arrived, but was not acknowledged.", "#%d 重传 #%d，而后者其实已到达，只是没有得到确认。"},
	msgFindNeedlessLost:   {"#%d repeats #%d, which had arrived: its ACK was lost.", "#%d 重传 #%d，而后者其实已到达：是它的确认丢了。"},
	msgFindNeedlessLate:   {"#%d repeats #%d, which had arrived: its ACK was late.", "#%d 重传 #%d，而后者其实已到达：是它的确认迟了。"},
	msgFindNeedlessUnused: {"#%d repeats #%d, which had arrived, and so had its ACK, which was not taken.", "#%d 重传 #%d，而后者其实已到达，它的确认也到了，却没有被接受。"},
	msgFindCorrupted:      {"Damaged on the way from %s, and dropped: %s.", "%s 发出而途中损坏、被丢弃的：%s。"},
	msgFindDuplicated:     {"Delivered twice from %s: %s.", "%s 发出而到达两次的：%s。"},
	msgFindReordered:      {"Held back on the way from %s, so that others overtook: %s.", "%s 发出而被耽搁、让后发的先到的：%s。"},
	msgFindTimeWait:       {"%s was in TIME-WAIT for %s (2MSL).", "%s 在 TIME-WAIT 停留了 %s（2MSL）。"},
	msgFindTimeWaitAgain:  {"%s was in TIME-WAIT for %s: 2MSL, which began again with %s.", "%s 在 TIME-WAIT 停留了 %s：2MSL 的计时因 %s 重新开始。"},
	msgFindResetIdle:      {"A RST from %s that changed nothing: %s.", "%s 发出而没有影响的 RST：%s。"},
	msgFindRefused:        {"#%d from %s refused the connection.", "%[2]s 的 #%[1]d 拒绝了连接。"},
	msgFindReset:          {"#%d from %s broke the connection off.", "%[2]s 的 #%[1]d 终止了连接。"},
	msgFindGaveUp:         {"%s gave up after %s: no answer.", "%s 在 %s 后放弃：没有回应。"},
	msgFindOpen:           {"At the end %s is in %s, %s in %s.", "结束时 %s 处于 %s，%s 处于 %s。"},

	msgOvertaken:          {"late: one sent after it arrived first", "迟到：后发的先到了"},
	msgHop:                {"from %s to %s", "从 %s 到 %s"},
	msgFindDatagrams:      {"Datagrams from %s: %d, with %d bytes.", "%s 发送的数据报：%d 个，共 %d 字节。"},
	msgFindDatagramsLost:  {"Datagrams from %s: %d, with %d bytes; lost: %d.", "%s 发送的数据报：%d 个，共 %d 字节；丢失 %d 个。"},
	msgFindDatagramsLate:  {"%d arrived after one that was sent later.", "有 %d 个晚于后发的数据报到达。"},
	msgFindDatagramErrors: {"%d ICMP messages tell of trouble.", "有 %d 个 ICMP 报文报告问题。"},
}

// lossMessages says what a fate is called beside the arrow.
var lossMessages = [numFates]message{
	FateLoss: msgLostRandom, FateQueue: msgLostQueue, FateUnplugged: msgLostUnplugged,
	FateFilter: msgLostFilter, FateSize: msgLostSize, FateAQM: msgLostAQM, FateNoRoute: msgLostNoRoute,
}

// fateText is the fate in words, for the findings.
func (l Lang) fateText(f Fate) string {
	if l == English {
		return f.String()
	}
	return [numFates]string{"在途", "送达", "随机丢包", "队列已满", "链路断开", "人为丢弃", "过长", "队列管理丢弃", "没有路由"}[f]
}
