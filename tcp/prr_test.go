package tcp

import "testing"

// RFC 9937, Section 6.2 (R9937-1 to R9937-3): while more is in flight than the
// threshold, each ACK lets out its share: ten segments become five or seven by
// the time one window is delivered, without a pause.
func TestPRRProportional(t *testing.T) {
	for _, tt := range []struct{ threshold, sent int }{{5000, 5}, {7000, 7}} {
		var p prr
		p.begin(10_000)
		flight, sent := 9000, 0 // one lost
		for range 9 {
			flight -= 1000
			p.acked(1000, flight, tt.threshold, 1000, false)
			for flight+1000 <= int(p.cwnd) {
				flight, sent = flight+1000, sent+1
				p.out += 1000
			}
		}
		if sent != tt.sent || flight != tt.sent*1000 {
			t.Errorf("threshold %v: %d segments sent, %d bytes in flight after a window, want %d, %d",
				tt.threshold, sent, flight, tt.sent, tt.sent*1000)
		}
	}
}

// The share is right where delivered times threshold is over 2^31, too, which an
// int of 32 bits cannot hold.
func TestPRRLargeWindow(t *testing.T) {
	const segment = 1000
	p := prr{on: true, flight: 4_000_000, delivered: 1_999_000, out: 999_000}
	p.acked(segment, 3_000_000, 2_000_000, segment, false)
	if want := int32(3_001_000); p.cwnd != want {
		t.Errorf("half of a flight of 4 MB arrived: cwnd %d, want %d", p.cwnd, want)
	}
}

// RFC 9937, Section 6.2 (R9937-3): when losses took the flight under the
// threshold, an ACK lets out as much as was delivered; one more segment if it
// moved SND.UNA and told of no new loss; and never over the threshold.
func TestPRRBounds(t *testing.T) {
	tests := []struct {
		name      string
		p         prr
		delivered int
		inFlight  int
		safe      bool
		cwnd      int32
	}{
		{"conservative: what was delivered", prr{on: true, flight: 20_000, out: 3000, delivered: 3000}, 1000, 4000, false, 5000},
		{"conservative: what was delivered before and not used", prr{on: true, flight: 20_000, out: 1000, delivered: 3000}, 1000, 4000, false, 7000},
		{"slow start: one more", prr{on: true, flight: 20_000, out: 3000, delivered: 3000}, 1000, 4000, true, 6000},
		{"not over the threshold", prr{on: true, flight: 20_000, out: 3000, delivered: 3000}, 9000, 8000, true, 10_000},
		{"nothing was delivered: as before", prr{on: true, flight: 20_000, out: 3000, delivered: 3000, cwnd: 7777}, 0, 1000, true, 7777},
		{"the first retransmission is forced", prr{on: true, flight: 20_000}, 10, 15_000, false, 16_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			p.acked(tt.delivered, tt.inFlight, 10_000, 1000, tt.safe)
			if p.cwnd != tt.cwnd {
				t.Errorf("acked(%v, %v, safe %v): cwnd %v, want %v", tt.delivered, tt.inFlight, tt.safe, p.cwnd, tt.cwnd)
			}
		})
	}
}

// RFC 9937, Section 6.1 (R9937-1, R9937-6): a recovery ends with the window at
// the threshold, not with what was in flight by chance.
func TestPRREndsAtTheThreshold(t *testing.T) {
	d := sackFlight(t, 20_000)
	d.sack(1, 1001, 4001)
	for end := int64(5001); end <= 10_001; end += 1000 {
		d.sack(1, 1001, end)
	}
	i := d.c.Info(d.now)
	if i.CAState != "recovery" || i.InFlight != 5000 {
		t.Fatalf("state %v, %d in flight, want recovery, 5000", i.CAState, i.InFlight)
	}
	d.now = d.now.Add(100 * ms)
	d.ack(11_001, 1)
	d.wantRule(RuleRecovered)
	d.wantCwnd(5, 5)
}
