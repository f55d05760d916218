package main

import (
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/stack/gro"
)

// maxQueued bounds the packets on their way in one direction; what is over is
// dropped. It has room for a whole receive window of 8 MiB.
const maxQueued = 8192

// gvisorLink is what all links of gVisor here have in common.
type gvisorLink struct {
	mtu        uint32
	caps       stack.LinkEndpointCapabilities
	gso        stack.SupportedGSO
	dispatcher stack.NetworkDispatcher
}

func (l *gvisorLink) MTU() uint32                                  { return l.mtu }
func (l *gvisorLink) SetMTU(mtu uint32)                            { l.mtu = mtu }
func (l *gvisorLink) MaxHeaderLength() uint16                      { return 0 }
func (l *gvisorLink) LinkAddress() tcpip.LinkAddress               { return "" }
func (l *gvisorLink) SetLinkAddress(tcpip.LinkAddress)             {}
func (l *gvisorLink) Capabilities() stack.LinkEndpointCapabilities { return l.caps }
func (l *gvisorLink) Attach(d stack.NetworkDispatcher)             { l.dispatcher = d }
func (l *gvisorLink) IsAttached() bool                             { return l.dispatcher != nil }
func (l *gvisorLink) Wait()                                        {}
func (l *gvisorLink) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareNone }
func (l *gvisorLink) AddHeader(*stack.PacketBuffer)                {}
func (l *gvisorLink) ParseHeader(*stack.PacketBuffer) bool         { return true }
func (l *gvisorLink) Close()                                       {}
func (l *gvisorLink) SetOnCloseAction(func())                      {}
func (l *gvisorLink) GSOMaxSize() uint32                           { return stack.GVisorGSOMaxSize }
func (l *gvisorLink) SupportedGSO() stack.SupportedGSO             { return l.gso }

// gvisorMemory is one end of a link in memory between two gVisor stacks; without a
// peer it drops what it gets.
type gvisorMemory struct {
	gvisorLink
	peer   *gvisorMemory
	inline bool
	merge  bool // coalesce what arrives
	gro    gro.GRO

	mu     sync.Mutex // guards queue
	filled sync.Cond
	queue  []*stack.PacketBuffer
}

// start begins to deliver what the peer writes.
func (m *gvisorMemory) start(inline bool) {
	m.inline = inline
	m.filled.L = &m.mu
	if !inline {
		go m.deliver() // for as long as the process
	}
}

// WritePackets implements stack.LinkWriter.
func (m *gvisorMemory) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	n := list.Len()
	p := m.peer
	if p == nil {
		return n, nil
	}
	if p.inline {
		for _, pkt := range list.AsSlice() {
			in := pkt.CloneToInbound()
			p.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, in)
			in.DecRef()
		}
		return n, nil
	}
	p.mu.Lock()
	for _, pkt := range list.AsSlice() {
		if len(p.queue) < maxQueued {
			p.queue = append(p.queue, pkt.CloneToInbound())
		}
	}
	p.mu.Unlock()
	p.filled.Signal()
	return n, nil
}

// deliver hands packets up in batches.
func (m *gvisorMemory) deliver() {
	var batch []*stack.PacketBuffer
	for {
		m.mu.Lock()
		for len(m.queue) == 0 {
			m.filled.Wait()
		}
		batch, m.queue = m.queue, batch[:0]
		m.mu.Unlock()
		if m.merge {
			m.coalesce(batch)
		} else {
			for _, pkt := range batch {
				m.dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
			}
		}
		for i, pkt := range batch {
			pkt.DecRef()
			batch[i] = nil
		}
	}
}

// coalesce hands a batch up through gVisor's receive coalescing, which checks
// the checksums.
func (m *gvisorMemory) coalesce(batch []*stack.PacketBuffer) {
	if m.gro.Dispatcher == nil {
		m.gro.Init(true)
		m.gro.Dispatcher = m.dispatcher
	}
	for _, pkt := range batch {
		pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
		m.gro.Enqueue(pkt)
	}
	m.gro.Flush()
}
