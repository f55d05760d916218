package trivet

import (
	"cmp"
	"context"
	"net/netip"
	"time"
)

// RFC 8305, Section 5 (once RFC 6555, "Happy Eyeballs"), in package net's way: a
// host whose IPv6, or IPv4, leads nowhere is reached by the other after a moment,
// instead of after all retransmissions of a SYN.

const fallbackDelay = 300 * time.Millisecond

// byFamily returns the endpoints of the family of the first one, and the others.
func byFamily(list []netip.AddrPort) (first, others []netip.AddrPort) {
	for _, a := range list {
		if is4(a) == is4(list[0]) {
			first = append(first, a)
		} else {
			others = append(others, a)
		}
	}
	return first, others
}

// dialled is how the dial of one family has ended.
type dialled struct {
	c     *Conn
	err   error
	first bool // it is that of the first address
}

// dialFamilies dials the endpoints, those of the second family beside the first
// ones once these have had their time.
func (d *Dialer) dialFamilies(ctx context.Context, n network, local *end, list []netip.AddrPort) (*Conn, error) {
	if n != networkTCP || d.FallbackDelay < 0 || len(list) < 2 {
		return d.dialList(ctx, n, local, list)
	}
	first, others := byFamily(list)
	if len(others) == 0 {
		return d.dialList(ctx, n, local, list)
	}
	return d.race(ctx, n, local, first, others)
}

// race returns the connection of the family that is faster, or the error of the
// first one. Both dials have ended when it returns.
func (d *Dialer) race(ctx context.Context, n network, local *end, first, others []netip.AddrPort) (*Conn, error) {
	own := *d // for the goroutines: the caller's need not be on the heap
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results, running := make(chan dialled), 0
	start := func(list []netip.AddrPort, isFirst bool) {
		running++
		go func() { // race cancels it and waits for it
			c, err := own.dialList(ctx, n, local, list)
			results <- dialled{c, err, isFirst}
		}()
	}
	start(first, true)
	timer := time.NewTimer(cmp.Or(d.FallbackDelay, fallbackDelay))
	defer timer.Stop()
	var failed error
	for running > 0 {
		select {
		case <-timer.C:
			start(others, false)
		case r := <-results:
			running--
			if r.err == nil {
				cancel()
				closeAll(results, running)
				return r.c, nil
			}
			if r.first {
				failed = r.err
			}
			if ctx.Err() == nil && timer.Stop() {
				start(others, false)
			}
		}
	}
	return nil, failed
}

// closeAll waits for n dials that have lost the race.
func closeAll(results <-chan dialled, n int) {
	for range n {
		if r := <-results; r.err == nil {
			r.c.Close()
		}
	}
}
