package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/trivet-net/trivet/seqnum"
)

func TestParseOptions(t *testing.T) {
	ts := []byte{8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	withTS := Options{HasTS: true, TSVal: 1, TSEcr: 2}
	tests := []struct {
		name string
		b    []byte
		want Options
	}{
		{name: "none"},
		{name: "MSS", b: []byte{2, 4, 5, 0xb4}, want: Options{MSS: 1460}},
		{name: "window scale", b: []byte{3, 3, 15}, want: Options{HasWScale: true, WScale: 15}},
		{name: "window scale 0", b: []byte{3, 3, 0}, want: Options{HasWScale: true}},
		{name: "SACK permitted", b: []byte{4, 2}, want: Options{SACKPermitted: true}},
		{name: "timestamps as usual", b: append([]byte{1, 1}, ts...), want: withTS},

		// RFC 9293, Section 3.1: options may begin on any byte (MUST-64).
		{name: "timestamps at 0", b: append(slices.Clone(ts), 1, 1), want: withTS},
		{name: "timestamps at 1", b: append([]byte{1}, ts...), want: withTS},
		{name: "timestamps at 3", b: append([]byte{1, 1, 1}, ts...), want: withTS},
		{
			name: "SACK at 1", b: []byte{1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9},
			want: Options{NumSACK: 1, SACK: [4]SACKBlock{{1, 9}}},
		},
		{
			name: "four SACK blocks",
			b: []byte{
				5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
				0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8,
			},
			want: Options{NumSACK: 4, SACK: [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}},
		},
		{name: "MD5", b: append([]byte{19, 18}, make([]byte, 16)...), want: Options{HasMD5: true}},
		{name: "cookie request", b: []byte{34, 2}, want: Options{FastOpen: FastOpen{Present: true}}},
		{
			name: "cookie", b: []byte{34, 6, 1, 2, 3, 4},
			want: Options{FastOpen: FastOpen{Present: true, Len: 4, Cookie: [16]byte{1, 2, 3, 4}}},
		},
		{
			name: "longest cookie", b: append([]byte{34, 18}, bytes.Repeat([]byte{7}, 16)...),
			want: Options{FastOpen: FastOpen{Present: true, Len: 16, Cookie: [16]byte(bytes.Repeat([]byte{7}, 16))}},
		},
		// RFC 7413, Section 4.1.1: another length is no cookie.
		{name: "odd cookie", b: []byte{34, 7, 1, 2, 3, 4, 5}},
		{name: "short cookie", b: []byte{34, 4, 1, 2}},
		{name: "long cookie", b: append([]byte{34, 20}, make([]byte, 18)...)},
		{
			name: "experimental cookie", b: []byte{254, 8, 0xf9, 0x89, 1, 2, 3, 4},
			want: Options{FastOpen: FastOpen{Present: true, Experimental: true, Len: 4, Cookie: [16]byte{1, 2, 3, 4}}},
		},
		{name: "another experiment", b: []byte{254, 8, 0xf9, 0x88, 1, 2, 3, 4}},
		{name: "no experiment", b: []byte{254, 3, 0xf9}},
		{name: "MD5 of 17", b: append([]byte{19, 17}, make([]byte, 15)...)},

		// MUST-4: the end of the list ends it, whatever comes after.
		{name: "after the end", b: []byte{0, 2, 4, 5, 0xb4}},
		{name: "end in the middle", b: []byte{4, 2, 0, 3, 3, 7}, want: Options{SACKPermitted: true}},

		// MUST-6: an option that is not known is passed over by its length.
		{name: "unknown", b: []byte{254, 4, 8, 10, 2, 4, 5, 0xb4}, want: Options{MSS: 1460}},
		{name: "unknown without data", b: []byte{77, 2, 4, 2}, want: Options{SACKPermitted: true}},

		// MUST-7: an illegal length does no harm. What came before counts.
		{name: "length 0", b: []byte{4, 2, 254, 0, 2, 4, 5, 0xb4}, want: Options{SACKPermitted: true}},
		{name: "length 1", b: []byte{4, 2, 254, 1, 2, 4, 5, 0xb4}, want: Options{SACKPermitted: true}},
		{name: "length past the end", b: []byte{4, 2, 2, 5, 5, 0xb4}, want: Options{SACKPermitted: true}},
		{name: "no length", b: []byte{4, 2, 1, 2}, want: Options{SACKPermitted: true}},
		{name: "length 255", b: []byte{254, 255, 0, 0}},

		// A known option of another length is an unknown one.
		{name: "MSS of 3", b: []byte{2, 3, 5, 4, 2}, want: Options{SACKPermitted: true}},
		{name: "window scale of 4", b: []byte{3, 4, 7, 7, 4, 2}, want: Options{SACKPermitted: true}},
		{name: "SACK permitted of 3", b: []byte{4, 3, 7, 2, 4, 5, 0xb4}, want: Options{MSS: 1460}},
		{name: "timestamps of 9", b: []byte{8, 9, 0, 0, 0, 1, 0, 0, 0, 4, 2}, want: Options{SACKPermitted: true}},
		{name: "SACK of 9", b: []byte{5, 9, 0, 0, 0, 1, 0, 0, 0, 4, 2}, want: Options{SACKPermitted: true}},
		{name: "SACK of none", b: []byte{5, 2, 4, 2}, want: Options{SACKPermitted: true}},

		{name: "twice", b: []byte{2, 4, 1, 0, 2, 4, 2, 0}, want: Options{MSS: 512}},
		{
			name: "fewer SACK blocks the second time",
			b: []byte{
				5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
				5, 10, 0, 0, 0, 5, 0, 0, 0, 6,
			},
			want: Options{NumSACK: 1, SACK: [4]SACKBlock{{5, 6}}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got Options
			got.parse(test.b)
			if got != test.want {
				t.Errorf("parse(%x) = %+v, want %+v", test.b, got, test.want)
			}
		})
	}
}

// The layout is that of Linux, every option but the end and the padding has a
// length (RFC 9293, Section 3.1, MUST-68), and nothing but padding is left up
// to the data offset (MUST-69).
func TestPutOptions(t *testing.T) {
	blocks := [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}
	block := func(n byte) []byte { return []byte{0, 0, 0, 2*n - 1, 0, 0, 0, 2 * n} }
	ts := []byte{8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	tests := []struct {
		name    string
		options Options
		want    []byte
	}{
		{name: "none"},
		{name: "MSS", options: Options{MSS: 1460}, want: []byte{2, 4, 5, 0xb4}},
		{name: "window scale", options: Options{HasWScale: true, WScale: 7}, want: []byte{1, 3, 3, 7}},
		{name: "SACK permitted", options: Options{SACKPermitted: true}, want: []byte{1, 1, 4, 2}},
		{name: "timestamps", options: Options{HasTS: true, TSVal: 1, TSEcr: 2}, want: append([]byte{1, 1}, ts...)},
		{
			name:    "both",
			options: Options{SACKPermitted: true, HasTS: true, TSVal: 1, TSEcr: 2},
			want:    append([]byte{4, 2}, ts...),
		},
		{
			name:    "cookie request",
			options: Options{MSS: 1460, FastOpen: FastOpen{Present: true}},
			want:    []byte{2, 4, 5, 0xb4, 34, 2, 1, 1},
		},
		{
			name: "cookie after all others",
			options: Options{MSS: 1460, HasWScale: true, WScale: 7, FastOpen: FastOpen{
				Present: true, Len: 4, Cookie: [16]byte{1, 2, 3, 4},
			}},
			want: []byte{2, 4, 5, 0xb4, 1, 3, 3, 7, 34, 6, 1, 2, 3, 4, 1, 1},
		},
		{
			name:    "experimental cookie",
			options: Options{FastOpen: FastOpen{Present: true, Experimental: true, Len: 4, Cookie: [16]byte{1, 2, 3, 4}}},
			want:    []byte{254, 8, 0xf9, 0x89, 1, 2, 3, 4},
		},
		{
			name: "longest options of a SYN",
			options: Options{
				MSS: 1460, HasTS: true, TSVal: 1, TSEcr: 2, SACKPermitted: true, HasWScale: true, WScale: 7,
				FastOpen: FastOpen{Present: true, Experimental: true, Len: 16},
			},
			want: slices.Concat([]byte{2, 4, 5, 0xb4, 4, 2}, ts, []byte{1, 3, 3, 7, 254, 20, 0xf9, 0x89}, make([]byte, 16)),
		},
		{
			name:    "four SACK blocks",
			options: Options{NumSACK: 4, SACK: blocks},
			want:    slices.Concat([]byte{1, 1, 5, 34}, block(1), block(2), block(3), block(4)),
		},
		{
			name:    "no room for the fourth SACK block",
			options: Options{NumSACK: 4, SACK: blocks, HasTS: true, TSVal: 1, TSEcr: 2},
			want:    slices.Concat([]byte{1, 1}, ts, []byte{1, 1, 5, 26}, block(1), block(2), block(3)),
		},
		{
			name: "all",
			options: Options{
				MSS: 256, SACKPermitted: true, HasTS: true, TSVal: 1, TSEcr: 2, HasWScale: true, WScale: 14,
				NumSACK: 2, SACK: [4]SACKBlock{{1, 2}, {3, 4}},
			},
			want: slices.Concat([]byte{2, 4, 1, 0, 4, 2}, ts, []byte{1, 3, 3, 14, 1, 1, 5, 18}, block(1), block(2)),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := test.options.Len()
			got := make([]byte, n)
			test.options.put(got)
			if string(got) != string(test.want) {
				t.Errorf("put(%+v) = %x, want %x", test.options, got, test.want)
			}
		})
	}
}

// FuzzOptions parses any bytes; what was read is the same when it is written
// and read again, except for SACK blocks for which padding leaves no room.
func FuzzOptions(f *testing.F) {
	f.Add([]byte{2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7})
	f.Add([]byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Add([]byte{254, 0, 2, 5, 1, 0})
	f.Add(append([]byte{19, 18}, make([]byte, 16)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxOptionsLen {
			return
		}
		var first, second Options
		first.parse(b)
		first.HasMD5 = false // it is never written
		n := first.Len()
		if n%4 != 0 || n > maxOptionsLen {
			t.Fatalf("Len of %+v = %d", first, n)
		}
		written := make([]byte, n)
		first.put(written)
		second.parse(written)
		if second.NumSACK > first.NumSACK {
			t.Fatalf("%d SACK blocks became %d", first.NumSACK, second.NumSACK)
		}
		for i := second.NumSACK; i < uint8(len(first.SACK)); i++ {
			first.SACK[i] = SACKBlock{}
		}
		if n+sackBlockLen > maxOptionsLen {
			first.NumSACK = second.NumSACK
		}
		if first != second {
			t.Fatalf("%x parsed to %+v, written as %x, parsed to %+v", b, first, written, second)
		}
	})
}

func TestText(t *testing.T) {
	tests := []struct {
		name    string
		segment Segment
		want    string
	}{
		{name: "nothing", segment: Segment{}, want: " 0:0(0) win 0"},
		{
			name: "SYN",
			segment: Segment{Flags: SYN, Window: 65535, Options: Options{
				MSS: 1460, SACKPermitted: true, HasTS: true, TSVal: 1, HasWScale: true, WScale: 7,
			}},
			want: "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
		},
		{
			name:    "SYN without timestamps",
			segment: Segment{Flags: SYN | ACK, Ack: 1, Options: Options{MSS: 536, SACKPermitted: true}},
			want:    "S. 0:0(0) ack 1 win 0 <mss 536,nop,nop,sackOK>",
		},
		{
			name: "SACK",
			segment: Segment{Flags: ACK, Seq: 1, Ack: 1, Options: Options{
				HasTS: true, TSVal: 4, TSEcr: 5, NumSACK: 2, SACK: [4]SACKBlock{{2, 3}, {5, 6}},
			}},
			want: ". 1:1(0) ack 1 win 0 <nop,nop,TS val 4 ecr 5,nop,nop,sack 2:3 5:6>",
		},
		{
			name:    "data across the wrap",
			segment: Segment{Flags: FIN | PSH | ACK, Seq: seqnum.Value(0xffff_fffe), Ack: 7, PayloadLen: 4, Window: 1},
			want:    "FP. 4294967294:2(4) ack 7 win 1",
		},
		{
			name:    "urgent",
			segment: Segment{Flags: PSH | ACK | URG, PayloadLen: 2, Urgent: 2},
			want:    "PU. 0:2(2) ack 0 win 0 urg 2",
		},
		{name: "reset", segment: Segment{Flags: RST, Seq: 9, Ack: 5}, want: "R 9:9(0) win 0"},
		{name: "ECN", segment: Segment{Flags: SYN | ECE | CWR}, want: "SEW 0:0(0) win 0"},
		{name: "AccECN", segment: Segment{Flags: SYN | ECE | CWR | AE}, want: "SEWA 0:0(0) win 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.segment.String(); got != test.want {
				t.Errorf("String() = %q, want %q", got, test.want)
			}
		})
	}
	if got := (SACKBlock{3, 9}).String(); got != "3:9" {
		t.Errorf("SACKBlock.String() = %q, want 3:9", got)
	}
	if got := (Options{}).String(); got != "" {
		t.Errorf("Options.String() = %q, want nothing", got)
	}
	if got := (SYN | ACK).String(); got != "S." {
		t.Errorf("Flags.String() = %q, want S.", got)
	}
}
