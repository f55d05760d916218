package trace

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// Every explanation exists in both languages and takes the same arguments.
func TestCatalogueIsComplete(t *testing.T) {
	for m := msgNone + 1; m < numMessages; m++ {
		en, zh := catalogue[m][English], catalogue[m][Chinese]
		if en == "" || zh == "" {
			t.Errorf("message %d has no text in one language: %q, %q", m, en, zh)
		}
		if a, b := strings.Count(en, "%"), strings.Count(zh, "%"); a != b {
			t.Errorf("message %d takes %d arguments in English, %d in Chinese", m, a, b)
		}
		for _, r := range en {
			if r > unicode.MaxASCII {
				t.Errorf("message %d is not ASCII in English: %q", m, en)
			}
		}
	}
	for f := FateLoss; f < numFates; f++ {
		if lossMessages[f] == msgNone || Chinese.fateText(f) == "" {
			t.Errorf("fate %v has no text", f)
		}
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		s    wire.Segment
		want string
	}{
		{wire.Segment{Flags: wire.SYN, Seq: 7, Window: 100}, "S 7:7(0) win 100"},
		{wire.Segment{Flags: wire.PSH | wire.ACK, Seq: 1, Ack: 2, PayloadLen: 10}, "P. 1:11(10) ack 2 win 0"},
		{wire.Segment{Flags: wire.FIN | wire.ACK, Seq: 0xffff_ffff, PayloadLen: 2}, "F. 4294967295:1(2) ack 0 win 0"},
		{wire.Segment{Flags: wire.RST, Seq: 5}, "R 5:5(0) win 0"},
		{wire.Segment{Flags: wire.SYN | wire.ECE | wire.CWR}, "SEW 0:0(0) win 0"},
		{wire.Segment{Flags: wire.ACK | wire.URG, Urgent: 9}, ".U 0:0(0) ack 0 win 0 urg 9"},
		{wire.Segment{}, "- 0:0(0) win 0"},
		{
			wire.Segment{Flags: wire.SYN, Options: wire.Options{
				MSS: 1460, SACKPermitted: true, HasTS: true, TSVal: 1, TSEcr: 2, HasWScale: true, WScale: 7,
			}},
			"S 0:0(0) win 0 <mss 1460,sackOK,TS val 1 ecr 2,wscale 7>",
		},
		{
			wire.Segment{Flags: wire.ACK, Options: wire.Options{
				NumSACK: 2, SACK: [4]wire.SACKBlock{{Left: 1, Right: 2}, {Left: 5, Right: 9}},
			}},
			". 0:0(0) ack 0 win 0 <sack 1:2 5:9>",
		},
	} {
		if got := Text(&tt.s); got != tt.want {
			t.Errorf("Text(%+v) = %q, want %q", tt.s, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 6, []string{"one", "two", "three"}},
		{"within 8 s", 8, []string{"within", "8 s"}},
		{"unbreakable", 4, []string{"unbreakable"}},
		{"请求建立连接", 6, []string{"请求建", "立连接"}},
		{"请求连接，同意", 8, []string{"请求连", "接，同意"}}, // no line begins with a comma
		{"收到 ACK 之后", 8, []string{"收到 ACK", "之后"}},
	} {
		if got := wrap(tt.text, tt.width); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

func TestFill(t *testing.T) {
	words := []string{"#1", "S", "0:0(0)", "win", "<mss 1,", "sackOK>"}
	for _, tt := range []struct {
		first, rest int
		want        []string
	}{
		{100, 100, []string{"#1 S 0:0(0) win <mss 1,sackOK>"}},
		{29, 100, []string{"#1 S 0:0(0) win", "<mss 1,sackOK>"}},
		{12, 8, []string{"#1 S 0:0(0)", "win", "<mss 1,", "sackOK>"}},
	} {
		if got := fill(words, tt.first, tt.rest); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("fill(%d, %d) = %q, want %q", tt.first, tt.rest, got, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 us"},
		{20 * time.Millisecond, "20 ms"},
		{20123456, "20.1 ms"},
		{5556 * time.Millisecond, "5.56 s"},
		{189640 * time.Microsecond, "190 ms"},
		{1500 * time.Millisecond, "1.5 s"},
		{59940 * time.Millisecond, "59.9 s"},
		{time.Minute, "60 s"},
		{250 * time.Microsecond, "250 us"},
		{999999 * time.Microsecond, "1 s"},
		{999400 * time.Microsecond, "999 ms"},
		{999999, "1 ms"},
	} {
		if got := short(tt.d); got != tt.want {
			t.Errorf("short(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

// Everything but the last column is ASCII, so that the columns meet in every
// terminal, and no line is wider than asked for. A time break is a line of
// its own: it has no column to meet.
func TestLadderWidth(t *testing.T) {
	for _, style := range []Style{
		{},
		{Lang: Chinese},
		{Seq: SeqAbsolute},
		{Seq: SeqBoth, Lang: Chinese},
		{Width: 100},
		{Width: 160, Seq: SeqBoth},
	} {
		l := NewLadder(lossyExchange(), style)
		d := newDrawing(l)
		d.head()
		for i := range l.rows {
			d.row(&l.rows[i])
		}
		for _, line := range d.lines {
			if n := columns(line); n > l.style.Width {
				t.Errorf("%+v: a line has %d columns, more than %d:\n%s", style, n, l.style.Width, line)
			}
			if strings.HasPrefix(strings.TrimSpace(line), ". . .") {
				continue
			}
			used := 0
			for _, r := range line {
				if used < l.style.Width-noteWidth && r > unicode.MaxASCII {
					t.Errorf("%+v: %q in column %d, before the last one:\n%s", style, r, used, line)
				}
				used += columns(string(r))
			}
		}
	}
}

// On each side the times never go back, and every segment is sent once and
// arrives at most once, however the arrows cross.
func TestRowsKeepTheOrderOfEachEnd(t *testing.T) {
	l := NewLadder(lossyExchange(), Style{})
	last := [2]tcp.Time{}
	sent, arrived := map[int]int{}, map[int]int{}
	for _, r := range l.rows {
		for s, it := range r.items {
			if it == nil {
				continue
			}
			if it.time < last[s] {
				t.Errorf("time goes back on side %d: %v after %v", s, it.time, last[s])
			}
			last[s] = it.time
			switch it.kind {
			case itemSend:
				sent[it.seg.packet.Number]++
			case itemArrive:
				arrived[it.seg.packet.Number]++
			}
		}
	}
	for _, seg := range l.talk.segments {
		n, want := seg.packet.Number, 1
		if seg.packet.Fate.Lost() {
			want = 0
		}
		if sent[n] != 1 || arrived[n] != want {
			t.Errorf("#%d is sent %d times and arrives %d times, want 1 and %d", n, sent[n], arrived[n], want)
		}
	}
}

// A log without a connection says so.
func TestLadderOfNothing(t *testing.T) {
	var b strings.Builder
	if _, err := NewLadder(&Log{}, Style{}).WriteTo(&b); err != nil || b.String() != catalogue[msgNoConnection][English]+"\n" {
		t.Errorf("ladder of an empty log = %q, %v", b.String(), err)
	}
	if got := NewLadder(&Log{}, Style{}).Findings(); got != nil {
		t.Errorf("findings of an empty log = %q, want none", got)
	}
}

func TestParseStyle(t *testing.T) {
	for s, want := range map[string]Seq{"rel": SeqRelative, "abs": SeqAbsolute, "both": SeqBoth} {
		if got, err := ParseSeq(s); err != nil || got != want {
			t.Errorf("ParseSeq(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]Lang{"en": English, "zh": Chinese} {
		if got, err := ParseLang(s); err != nil || got != want {
			t.Errorf("ParseLang(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	if _, err := ParseSeq("all"); err == nil {
		t.Error(`ParseSeq("all") gives no error`)
	}
	if _, err := ParseLang("fr"); err == nil {
		t.Error(`ParseLang("fr") gives no error`)
	}
}

func BenchmarkLadder(b *testing.B) {
	log := lossyExchange()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewLadder(log, Style{}).WriteTo(discard{}); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
