package lab

import (
	"github.com/trivet-net/trivet/tcp"
)

// modelFormat names the form of a Model in JSON.
const modelFormat = "trivet-lab-run/1"

// Model is a run as data: what "trivet lab run --format json" prints and the
// page draws. All times are nanoseconds since the beginning of the run. Indices
// count from 0, packet numbers from 1.
type Model struct {
	Format   string       `json:"format"` // "trivet-lab-run/1"
	Recipe   Recipe       `json:"recipe"`
	Scenario ScenarioInfo `json:"scenario"`
	// Params are the values in force, by name.
	Params map[string]string `json:"params"`
	// End is the last moment.
	End int64 `json:"end"`

	Hosts       []HostModel       `json:"hosts"`
	Connections []ConnectionModel `json:"connections"`
	Segments    []SegmentModel    `json:"segments"`
	Events      []EventModel      `json:"events"`
	// Steps are the captions, in order: a story to be told step by step.
	Steps []StepModel `json:"steps"`

	// Fields describe what Snapshots hold.
	Fields    []Field         `json:"fields"`
	Snapshots []SnapshotModel `json:"snapshots"`
	Sockets   []TableModel    `json:"sockets"`
	Series    []SeriesModel   `json:"series"`
	Queues    []QueueModel    `json:"queues"`

	Findings []FindingModel `json:"findings"`
	Checks   []Check        `json:"checks"`
	Passed   bool           `json:"passed"`

	// Window says which part of all events and segments this is.
	Window WindowModel `json:"window"`
}

// ScenarioInfo is what there is to say about a scenario.
type ScenarioInfo struct {
	Name   string  `json:"name"`
	Title  Text    `json:"title"`
	Why    Text    `json:"why"`
	Cite   string  `json:"cite"`
	Params []Param `json:"params"`
}

// HostModel is a host. Connection ends and events name it.
type HostModel struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

// ConnectionModel is a pair of ends. End 0 sent the first packet.
type ConnectionModel struct {
	Hosts    [2]string `json:"hosts"`
	Addrs    [2]string `json:"addrs"` // with port
	Begin    int64     `json:"begin"`
	End      int64     `json:"end"`
	Segments int       `json:"segments"`
	Bytes    [2]int    `json:"bytes"`
	Repeats  int       `json:"repeats"`
	// Initial and Final are the states of the ends before and after all.
	Initial [2]string `json:"initial"`
	Final   [2]string `json:"final"`
	// Shown says that the scenario is about this one.
	Shown bool `json:"shown"`
}

// SegmentModel is a packet on the link.
type SegmentModel struct {
	Number int `json:"number"` // "#5"
	// Copy is 1 for the duplicate that the link made of the packet.
	Copy       int    `json:"copy,omitempty"`
	Connection int    `json:"connection"` // -1: of none (not TCP)
	From       string `json:"from"`
	To         string `json:"to"`
	Sent       int64  `json:"sent"`
	// Ended is when it arrived or was lost; -1: it is still on its way.
	Ended int64 `json:"ended"`
	// Fate is "in flight", "delivered", "random loss", "queue full", "unplugged",
	// "dropped on purpose", "too large", "dropped by the queue" or "no route".
	Fate      string `json:"fate"`
	Lost      bool   `json:"lost,omitempty"`
	Corrupted bool   `json:"corrupted,omitempty"`
	Delayed   bool   `json:"delayed,omitempty"`
	Marked    bool   `json:"marked,omitempty"`
	// Foreign says that it was put on the link in From's name.
	Foreign bool `json:"foreign,omitempty"`

	// Of a TCP segment: relative numbers, and what is on the wire. Of another
	// packet, whose kind is "udp", "icmp", "igmp" or "ip": words, length and text.
	Kind     string       `json:"kind,omitempty"`
	Words    string       `json:"words,omitempty"` // packetdrill's grammar
	Header   *HeaderModel `json:"header,omitempty"`
	Seq      uint32       `json:"seq"`
	Ack      uint32       `json:"ack"`
	Len      int          `json:"len"`
	Window   int          `json:"window"` // bytes, scaled
	SACK     [][2]uint32  `json:"sack,omitempty"`
	Repeats  int          `json:"repeats,omitempty"` // number of the packet sent again
	Needless bool         `json:"needless,omitempty"`
	// Sender and Receiver are the states of the ends after it was sent, and
	// after it arrived.
	Sender   string `json:"sender,omitempty"`
	Receiver string `json:"receiver,omitempty"`
	Text     Text   `json:"text"`
	Hex      string `json:"hex"` // from the IP header on, as sent
}

// HeaderModel is the TCP header as it is on the wire.
type HeaderModel struct {
	SrcPort uint16   `json:"src_port"`
	DstPort uint16   `json:"dst_port"`
	Seq     uint32   `json:"seq"`
	Ack     uint32   `json:"ack"`
	Flags   []string `json:"flags"`
	Window  uint16   `json:"window"`
	Urgent  uint16   `json:"urgent,omitempty"`
	MSS     uint16   `json:"mss,omitempty"`
	WScale  *uint8   `json:"wscale,omitempty"`
	SACKOK  bool     `json:"sack_ok,omitempty"`
	TSVal   *uint32  `json:"ts_val,omitempty"`
	TSEcr   *uint32  `json:"ts_ecr,omitempty"`
	TTL     uint8    `json:"ttl"`
	TOS     uint8    `json:"tos"`
}

// EventModel is one thing that happened.
type EventModel struct {
	Time int64  `json:"time"`
	Host string `json:"host,omitempty"`
	// Kind is send, arrive, lose, state, rule, timer, call, drop or note.
	Kind       string `json:"kind"`
	Connection int    `json:"connection"` // -1: of none, or of all
	// Segment is the index in Segments: send, arrive, lose.
	Segment *int   `json:"segment,omitempty"`
	From    string `json:"from,omitempty"` // state
	To      string `json:"to,omitempty"`
	Rule    string `json:"rule,omitempty"` // state, rule, drop
	Cite    string `json:"cite,omitempty"`
	Timer   string `json:"timer,omitempty"`
	Call    string `json:"call,omitempty"` // "write", with N and Error
	N       int    `json:"n,omitempty"`
	Error   string `json:"error,omitempty"`
	Text    Text   `json:"text"`
	// Before and After are indices in Snapshots of the end it happened at, -1
	// where there is none. Events between two moments of rest share them.
	Before int `json:"before"`
	After  int `json:"after"`
}

// StepModel is a caption.
type StepModel struct {
	Event int   `json:"event"` // index in Events, of its note
	Time  int64 `json:"time"`
	Text  Text  `json:"text"`
}

// SnapshotModel is what changed in the variables of one end since the snapshot
// before of the same end; the first has them all. Of a half-open connection, of
// TIME-WAIT and of what is forgotten the state is all that is known.
type SnapshotModel struct {
	Time       int64          `json:"time"`
	Host       string         `json:"host"`
	Connection int            `json:"connection"`
	Previous   int            `json:"previous"` // index, -1 for the first
	Set        map[string]any `json:"set"`
}

// TableModel is the socket table of a host as ss prints it, from Time on, which is
// after the events before Event: several may have one time.
type TableModel struct {
	Time  int64         `json:"time"`
	Event int           `json:"event"`
	Host  string        `json:"host"`
	Rows  []SocketModel `json:"rows"`
	More  int           `json:"more,omitempty"` // sockets left out
}

// SocketModel is a line of a socket table.
type SocketModel struct {
	State   string `json:"state"` // ss's words: ESTAB
	RecvQ   int    `json:"recv_q"`
	SendQ   int    `json:"send_q"`
	Local   string `json:"local"`
	Peer    string `json:"peer"`
	Timer   string `json:"timer,omitempty"`
	Expires int64  `json:"expires,omitempty"`
	Orphan  bool   `json:"orphan,omitempty"`
}

// SeriesModel is how the variables of one end changed: columns of equal length.
type SeriesModel struct {
	Host       string  `json:"host"`
	Connection int     `json:"connection"`
	Time       []int64 `json:"time"`
	Cwnd       []int   `json:"cwnd"`
	Ssthresh   []int   `json:"ssthresh"` // 0: none yet
	Flight     []int   `json:"flight"`
	SRTT       []int64 `json:"srtt"`
	RTO        []int64 `json:"rto"`
	SndWnd     []int   `json:"snd_wnd"`
	RcvWnd     []int   `json:"rcv_wnd"`
	Unread     []int   `json:"unread"`
	NotSent    []int   `json:"not_sent"`
}

// QueueModel is how full the queues of a host were: columns of equal length.
type QueueModel struct {
	Host      string  `json:"host"`
	Time      []int64 `json:"time"`
	SynQueue  []int   `json:"syn_queue"`
	Accept    []int   `json:"accept"`
	TimeWaits []int   `json:"time_waits"`
	Link      []int   `json:"link"` // bytes that wait to be sent
}

// FindingModel is what a look at a whole connection shows.
type FindingModel struct {
	Connection int    `json:"connection"`
	Texts      []Text `json:"texts"`
}

// WindowModel says which of all events and segments a model has.
type WindowModel struct {
	FirstEvent    int `json:"first_event"`
	TotalEvents   int `json:"total_events"`
	FirstSegment  int `json:"first_segment"`
	TotalSegments int `json:"total_segments"`
}

// Window is a part of a run: the events from First on, Count of them. The zero
// value is the whole.
type Window struct{ First, Count int }

// since is a moment as the model has it.
func (r *Run) since(t tcp.Time) int64 { return int64(t.Sub(r.Begin)) }
