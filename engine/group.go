package engine

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// The host's part of multicast: telling the routers on a link which groups
// somebody here listens to, by IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), or by
// the older versions while a querier of those is there (RFC 1112, 2236, 2710).
//
// Of the filters by source there is one, "all": a host that wants a group wants
// it from everybody. A query about single sources is answered as if it were
// about the group, which says more than was asked.

// Timers and counters of RFC 3376, Section 8, RFC 3810, Section 9, RFC 2236,
// Section 8, and RFC 2710, Section 7.
const (
	defaultRobustness     = 2
	defaultQueryInterval  = 125 * time.Second
	queryResponse         = 10 * time.Second
	unsolicitedInterval   = time.Second
	unsolicitedIntervalV2 = 10 * time.Second
)

// maxGroups bounds the groups that the host is in.
const maxGroups = 1024

// group is one that somebody here is in on an interface, or has just left.
type group struct {
	membership
	users    int
	last     bool     // of those who listen, we were the last to report it
	answerAt tcp.Time // when a query about it is answered; 0: none was asked
	changeAt tcp.Time // when the change is reported again
	changes  int      // how often that is still to be done
}

// groupLink is what is known of the queriers of one family on one interface.
type groupLink struct {
	index      int
	is4        bool
	robustness int
	interval   time.Duration
	v1Until    tcp.Time // a querier of IGMPv1 is there
	v2Until    tcp.Time // one of IGMPv2 or MLDv1 is
	answerAt   tcp.Time // when a query about all groups is answered
}

// groups are those of the host, on all interfaces. Only shard 0 has any.
type groups struct {
	list  []*group
	links []*groupLink
	next  tcp.Time // when something is to be done
	draws uint64   // random numbers used
}

// JoinGroup makes the host a member of the group on the interface and tells the
// routers when it was not before. It is called once for each socket that is in
// the group, in shard 0. Errors: ENODEV, EINVAL, ENOBUFS.
func (e *Engine) JoinGroup(now tcp.Time, index int, addr netip.Addr) error {
	m := membership{index, wire.AddrFrom(addr.WithZone(""))}
	switch {
	case !isMulticast(&m.group):
		return syscall.EINVAL
	case e.network.byIndex(index) == nil:
		return syscall.ENODEV
	}
	g := e.groups.find(m)
	if g == nil {
		if len(e.groups.list) >= maxGroups {
			return syscall.ENOBUFS
		}
		g = &group{membership: m}
		e.groups.list = append(e.groups.list, g)
	}
	g.users++
	if g.users == 1 {
		e.groupChanged(now, g)
	}
	return nil
}

// LeaveGroup undoes JoinGroup. When nobody is left in the group the routers are
// told.
func (e *Engine) LeaveGroup(now tcp.Time, index int, addr netip.Addr) {
	g := e.groups.find(membership{index, wire.AddrFrom(addr.WithZone(""))})
	if g == nil || g.users == 0 {
		return
	}
	g.users--
	if g.users == 0 {
		e.groupChanged(now, g)
	}
}

func (s *groups) find(m membership) *group {
	for _, g := range s.list {
		if g.membership == m {
			return g
		}
	}
	return nil
}

// isMember reports whether the host is in the group on the interface.
func (e *Engine) isMember(index int, group *wire.Addr) bool {
	return *group == allNodes6 || e.groups.find(membership{index: index, group: *group}) != nil
}

// link returns what is known of the queriers on the interface.
func (s *groups) link(index int, is4 bool) *groupLink {
	for _, l := range s.links {
		if l.index == index && l.is4 == is4 {
			return l
		}
	}
	l := &groupLink{index: index, is4: is4, robustness: defaultRobustness, interval: defaultQueryInterval}
	s.links = append(s.links, l)
	return l
}

func (l *groupLink) has(g *group) bool { return g.index == l.index && g.group.Is4() == l.is4 }

// version returns the version that is spoken on the link, of IGMP or MLD, and
// whether it is the latest (RFC 3376, Section 7.2.1; RFC 3810, Section 8.2.1).
func (l *groupLink) version(now tcp.Time) (version uint8, latest bool) {
	switch {
	case l.is4 && now < l.v1Until:
		return 1, false
	case l.is4 && now < l.v2Until:
		return 2, false
	case l.is4:
		return 3, true
	case now < l.v2Until:
		return 1, false
	}
	return 2, true
}

// reported reports whether routers want to know of the group. RFC 3376, Section
// 6, and RFC 3810, Section 6: "all systems" and "all nodes" are not reported, nor
// groups that do not leave the host.
func (e *Engine) reported(m *membership) bool {
	i := e.network.byIndex(m.index)
	if i == nil || i.Loopback {
		return false
	}
	if m.group.Is4() {
		return m.group != allSystems4
	}
	return m.group != allNodes6 && m.group[1]&0xf > 1
}

var (
	allSystems4 = wire.Addr{10: 0xff, 11: 0xff, 12: 224, 15: 1}
	allNodes6   = wire.Addr{0: 0xff, 1: 2, 15: 1}
)

// groupChanged tells the routers that the host has entered or left a group, at
// once and, as the message may be lost, some more times (RFC 3376, Section 5.1;
// RFC 3810, Section 6.1; RFC 2236, Section 3).
func (e *Engine) groupChanged(now tcp.Time, g *group) {
	g.answerAt, g.changeAt, g.changes = 0, 0, 0
	if e.reported(&g.membership) {
		l := e.groups.link(g.index, g.group.Is4())
		version, latest := l.version(now)
		switch {
		case latest:
			g.changes, g.changeAt = l.robustness, now
		case g.users > 0:
			g.changes, g.changeAt = 2, now
		case g.last && !(l.is4 && version == 1):
			e.sendMembership(now, l, wire.MembershipLeave, &g.group)
		}
	}
	if e.groups.next = now; g.changes == 0 && g.users == 0 {
		e.groups.remove(g)
	}
	e.advanceGroups(now)
}

func (s *groups) remove(g *group) {
	s.list = slices.DeleteFunc(s.list, func(o *group) bool { return o == g })
}

// forgetInterface forgets the groups on an interface that is gone.
func (s *groups) forgetInterface(index int) {
	s.list = slices.DeleteFunc(s.list, func(g *group) bool { return g.index == index })
	s.links = slices.DeleteFunc(s.links, func(l *groupLink) bool { return l.index == index })
}

// advanceGroups sends the reports that are due.
func (e *Engine) advanceGroups(now tcp.Time) {
	s := &e.groups
	if !s.next.Due(now) {
		return
	}
	for _, l := range s.links {
		e.advanceLink(now, l)
	}
	s.list = slices.DeleteFunc(s.list, func(g *group) bool { return g.users == 0 && g.changes == 0 })
	s.next = 0
	for _, l := range s.links {
		s.next = tcp.Earliest(s.next, l.answerAt)
	}
	for _, g := range s.list {
		s.next = tcp.Earliest(s.next, tcp.Earliest(g.answerAt, g.changeAt))
	}
}

func (e *Engine) advanceLink(now tcp.Time, l *groupLink) {
	var records []wire.GroupRecord
	_, latest := l.version(now)
	all := l.answerAt.Due(now)
	if all {
		l.answerAt = 0
	}
	for _, g := range e.groups.list {
		if !l.has(g) || !e.reported(&g.membership) {
			continue
		}
		change, answer := g.changeAt.Due(now), g.answerAt.Due(now) || all
		if change {
			e.nextChange(now, g, latest)
		}
		if answer {
			g.answerAt = 0
		}
		switch {
		case !latest && g.users > 0 && (change || answer):
			e.sendMembership(now, l, wire.MembershipReport, &g.group)
			g.last = true
		case !latest:
		case change && g.users > 0:
			records = append(records, wire.GroupRecord{Type: wire.RecordToExclude, Group: g.group})
		case change:
			records = append(records, wire.GroupRecord{Type: wire.RecordToInclude, Group: g.group})
		case answer && g.users > 0:
			records = append(records, wire.GroupRecord{Type: wire.RecordIsExclude, Group: g.group})
		}
	}
	e.sendRecords(l, records)
}

// nextChange says when the change of a group is reported again.
func (e *Engine) nextChange(now tcp.Time, g *group, latest bool) {
	g.changes--
	switch {
	case g.changes <= 0:
		g.changeAt = 0
	case latest:
		g.changeAt = now.Add(e.randomDelay(unsolicitedInterval))
	default:
		g.changeAt = now.Add(e.randomDelay(unsolicitedIntervalV2))
	}
}

// randomDelay returns a time above 0 and up to most, which an outsider cannot
// tell.
func (e *Engine) randomDelay(most time.Duration) time.Duration {
	var b [8]byte
	e.groups.draws++
	binary.LittleEndian.PutUint64(b[:], e.groups.draws)
	return 1 + time.Duration(siphash(&e.keys.delay, 2, 4, b[:])%uint64(max(most, 1)))
}

// inputMembership handles a message of IGMP or MLD that came in by the
// interface.
func (e *Engine) inputMembership(now tcp.Time, p *wire.Packet, index int) {
	var m wire.Membership
	d := p.ParseMembership(&e.ip, &m)
	i := e.network.byIndex(index)
	switch {
	case d != wire.DropNone:
	case i == nil || i.Loopback || e.ip.TTL != 1:
		d = wire.DropICMPHeader // these messages never cross a router
	case m.Group != wire.Addr{} && !isMulticast(&m.Group):
		d = wire.DropICMPHeader
	case m.Kind == wire.MembershipQuery && e.ip.Version == 6 && !e.ip.Src.Netip().IsLinkLocalUnicast():
		d = wire.DropAddress // RFC 3810, Section 6.2
	}
	if d != wire.DropNone {
		e.drop(now, d)
		return
	}
	l := e.groups.link(index, e.ip.Version == 4)
	switch m.Kind {
	case wire.MembershipQuery:
		e.inputQuery(now, l, &m)
	case wire.MembershipReport:
		// RFC 2236, Section 3: another host has reported the group, so we need
		// not. The latest versions do not do that.
		if _, latest := l.version(now); !latest {
			if g := e.groups.find(membership{index, m.Group}); g != nil {
				g.answerAt, g.last = 0, false
			}
		}
	}
	e.groups.next = now
	e.advanceGroups(now)
}

// inputQuery remembers the querier and arranges the answer, after a random time
// so that not all hosts answer at once (RFC 3376, Section 5.2; RFC 2236, Section
// 3).
func (e *Engine) inputQuery(now tcp.Time, l *groupLink, m *wire.Membership) {
	e.heardQuerier(now, l, m)
	most := m.MaxResponse
	if l.is4 && m.Version == 1 {
		most = queryResponse
	}
	_, latest := l.version(now)
	if latest {
		at := now.Add(e.randomDelay(most))
		switch g := e.groups.find(membership{l.index, m.Group}); {
		case l.answerAt != 0 && l.answerAt <= at:
			// All groups are to be reported before.
		case m.Group == wire.Addr{}:
			l.answerAt = at
		case g != nil:
			g.answerAt = tcp.Earliest(g.answerAt, at)
		}
		return
	}
	for _, g := range e.groups.list {
		if !l.has(g) || m.Group != (wire.Addr{}) && m.Group != g.group {
			continue
		}
		if g.answerAt == 0 || g.answerAt > now.Add(most) {
			g.answerAt = now.Add(e.randomDelay(most))
		}
	}
}

// heardQuerier notes of which version the querier is. RFC 3376, Sections 7.2.1
// and 8.12: when the version on the link changes, all that was to be sent in the
// other is forgotten.
func (e *Engine) heardQuerier(now tcp.Time, l *groupLink, m *wire.Membership) {
	before, _ := l.version(now)
	older := time.Duration(l.robustness)*l.interval + queryResponse
	switch {
	case l.is4 && m.Version == 1:
		l.v1Until = now.Add(older)
	case m.Version == 1 || l.is4 && m.Version == 2:
		l.v2Until = now.Add(older)
	default:
		l.robustness, l.interval = int(m.Robustness), m.Interval
		def(&l.robustness, defaultRobustness)
		def(&l.interval, defaultQueryInterval)
	}
	after, _ := l.version(now)
	if after == before {
		return
	}
	l.answerAt = 0
	for _, g := range e.groups.list {
		if l.has(g) {
			g.answerAt, g.changeAt, g.changes = 0, 0, 0
		}
	}
}

// sendMembership sends a report or leave of an older version.
func (e *Engine) sendMembership(now tcp.Time, l *groupLink, kind wire.MembershipKind, addr *wire.Addr) {
	version, _ := l.version(now)
	if p, i := e.nextGroupPacket(l); p != nil {
		p.BuildMembership(i.groupSource(l.is4), kind, version, *addr)
	}
}

// sendRecords sends reports of the latest version.
func (e *Engine) sendRecords(l *groupLink, records []wire.GroupRecord) {
	for len(records) > 0 {
		p, i := e.nextGroupPacket(l)
		if p == nil {
			return
		}
		n := min(len(records), wire.MaxRecords(l.is4, i.MTU))
		p.BuildGroupReport(i.groupSource(l.is4), records[:n])
		records = records[n:]
	}
}

// nextGroupPacket returns a packet to be filled and sent by the interface; nil
// when there is no room.
func (e *Engine) nextGroupPacket(l *groupLink) (*wire.Packet, *Interface) {
	i := e.network.byIndex(l.index)
	if e.replies.Len() >= maxReplies {
		e.stats.ReplyOverflows++
		return nil, i
	}
	p := e.replies.Next()
	p.Link = l.index
	return p, i
}

// groupSource returns the source of messages about groups: an IPv4 address of the
// interface, or its link-local IPv6 address; the unspecified one if it has none
// (RFC 3376, Section 4.2.13; RFC 3590, Section 4).
func (i *Interface) groupSource(is4 bool) wire.Addr {
	for _, p := range i.Prefixes {
		a := p.Addr()
		if a.Is4() == is4 && (is4 || a.IsLinkLocalUnicast()) {
			return wire.AddrFrom(a)
		}
	}
	if is4 {
		return wire.AddrFrom(netip.IPv4Unspecified())
	}
	return wire.Addr{}
}
