package tcp

import (
	"testing"
	"time"
)

// draft-ietf-ccwg-bbr, Section 4.1 (BBR-10): a sample is what was delivered from
// the sending of a segment to its ACK, over the longer of the times that sending
// and acknowledging took; ACKs that come compressed do not raise it, and one
// shorter than the round trip is none.
func TestDeliveryRate(t *testing.T) {
	var r rate
	at := Time(time.Second)
	const rtt = 100 * ms
	// A segment each 10 ms, and its ACK 100 ms later: 100 kB/s.
	var sent []sentRecord
	for i := range 20 {
		sent = append(sent, sentRecord{sentAt: at.Add(time.Duration(i) * 10 * ms)})
	}
	var s rateSample
	for step := range 30 {
		now := at.Add(time.Duration(step) * 10 * ms)
		if k := step - 10; k >= 0 && k < 20 {
			s = r.sample(now, &sent[k], 1000, rtt)
			if s.interval != 0 && perSecond(s.delivered, s.interval) > 110_000 {
				t.Fatalf("ACK %d: %d bytes/s, want at most 110000", k, perSecond(s.delivered, s.interval))
			}
		}
		if step < 20 {
			sent[step].tx = r.sent(now, 1000, min(step, 10)*1000)
		}
	}
	if got := perSecond(s.delivered, s.interval); got != 100_000 || s.appLimited {
		t.Errorf("the last sample is %d bytes/s, application-limited %v, want 100000, false", got, s.appLimited)
	}
	if got := r.perSecond(); got < 99_000 || got > 110_000 {
		t.Errorf("the rate is %d bytes/s, want about 100000", got)
	}
	if r.delivered != 20_000 {
		t.Errorf("delivered = %v, want 20000", r.delivered)
	}

	// Ten ACKs at one moment: the sending took longer.
	r, sent = rate{}, sent[:10]
	for i := range sent {
		sent[i].tx = r.sent(sent[i].sentAt, 1000, i*1000)
	}
	for i := range sent {
		s = r.sample(at.Add(200*ms), &sent[i], 1000, rtt)
	}
	if got := perSecond(s.delivered, s.interval); got > 100_000 {
		t.Errorf("compressed ACKs: %d bytes/s, want at most 100000", got)
	}
	tx := r.sent(at, 1000, 1000)
	if s = r.sample(at.Add(10*ms), &sentRecord{sentAt: at, tx: tx}, 1000, rtt); s.interval != 0 {
		t.Errorf("a sample of %v, less than the round trip", s.interval)
	}
}

// draft-ietf-ccwg-bbr, Section 4.1.2.4: what is sent while data is wanting is
// application-limited, and so is Info's rate, unless it is the highest yet.
func TestApplicationLimited(t *testing.T) {
	d := sackFlight(t, 0)
	d.ack(10_001, 1)
	i := d.c.Info(d.now)
	if i.DeliveryRate != 100_000 || !i.AppLimited || i.Delivered != 10_000 {
		t.Fatalf("%d bytes/s, application-limited %v, %d delivered, want 100000, true, 10000", i.DeliveryRate, i.AppLimited, i.Delivered)
	}
	d.write(100)
	d.now = d.now.Add(100 * ms)
	d.ack(10_101, 1)
	if i := d.c.Info(d.now); i.DeliveryRate != 100_000 {
		t.Errorf("%d bytes/s after 100 bytes, want 100000 still", i.DeliveryRate)
	}
	d.sent = d.sent[:0]
	d.write(60_000)
	for at := 10_101; at < 70_101; {
		d.now = d.now.Add(100 * ms)
		at = min(at+d.sentCount()*1000, 70_101)
		d.ack(at, 1)
	}
	if i := d.c.Info(d.now); i.DeliveryRate < 150_000 || i.AppLimited {
		t.Errorf("%d bytes/s, application-limited %v in bulk, want more, false", i.DeliveryRate, i.AppLimited)
	}
}
