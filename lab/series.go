package lab

import (
	"slices"

	"github.com/trivet-net/trivet/tcp"
)

// maxPoints bounds the points of a series; a longer one is thinned.
const maxPoints = 4000

// series adds the columns of each end's variables.
func (b *modelBuilder) series() {
	all := b.run.details.snapshots
	byEnd := map[ending][]int{}
	var order []ending
	for i := range all {
		e := all[i].ending
		if byEnd[e] == nil {
			order = append(order, e)
		}
		byEnd[e] = append(byEnd[e], i)
	}
	shown := b.run.shown()
	for _, e := range order {
		at := b.analysis.ConnectionOf(e.tuple)
		if !slices.Contains(shown, at) {
			continue
		}
		list := byEnd[e]
		m := SeriesModel{Host: e.host, Connection: at}
		stride := 1 + len(list)/maxPoints
		for k := 0; k < len(list); k += stride {
			if i := &all[list[k]]; !i.record {
				m.add(b.run.since(i.time), &i.info)
			}
		}
		if len(m.Time) > 0 {
			b.model.Series = append(b.model.Series, m)
		}
	}
}

func (m *SeriesModel) add(t int64, i *tcp.Info) {
	m.Time = append(m.Time, t)
	m.Cwnd = append(m.Cwnd, i.SndCwnd)
	m.Ssthresh = append(m.Ssthresh, threshold(i))
	m.Flight = append(m.Flight, i.InFlight)
	m.SRTT = append(m.SRTT, int64(i.RTT))
	m.RTO = append(m.RTO, int64(i.RTO))
	m.SndWnd = append(m.SndWnd, i.SndWnd)
	m.RcvWnd = append(m.RcvWnd, i.RcvWnd)
	m.Unread = append(m.Unread, i.Unread)
	m.NotSent = append(m.NotSent, i.NotSent)
}

// queues adds the columns of each host's queues.
func (b *modelBuilder) queues() {
	for _, h := range b.run.hosts {
		m := QueueModel{Host: h.Name, Time: []int64{}}
		var list []queueSample
		for _, q := range b.run.details.queues {
			if q.host == h.Name {
				list = append(list, q)
			}
		}
		stride := 1 + len(list)/maxPoints
		for k := 0; k < len(list); k += stride {
			q := list[k]
			m.Time = append(m.Time, b.run.since(q.time))
			m.SynQueue = append(m.SynQueue, q.synQueue)
			m.Accept = append(m.Accept, q.accept)
			m.TimeWaits = append(m.TimeWaits, q.timeWaits)
			m.Link = append(m.Link, q.linkOut)
		}
		b.model.Queues = append(b.model.Queues, m)
	}
}
