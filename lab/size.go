package lab

import "github.com/trivet-net/trivet/trace"

// About how many bytes the parts of a run take in memory, the room that slices
// have to grow included.
const (
	entryBytes    = 176 // of the log
	segmentBytes  = 160 // what an event says of the segment that it is about
	aroundData    = 120 // beside its data
	lookedThrough = 1300
	snapshotBytes = 680
	socketBytes   = 150 // in a table
	queueBytes    = 80
)

// Size is about how many bytes of memory the run takes, or will once all of it
// was looked through: that adds to each packet the segment, its place in two
// lanes, and a remark in each language.
func (r *Run) Size() int {
	size := len(r.Log.Entries) * entryBytes
	for i := range r.Log.Entries {
		e := &r.Log.Entries[i]
		if e.Event.Segment != nil {
			size += segmentBytes
		}
		if e.Kind == trace.EntrySent {
			size += aroundData + len(e.Packet.Data) + len(e.Packet.Arrived) + lookedThrough
		}
	}
	for i := range r.details.tables {
		size += len(r.details.tables[i].rows) * socketBytes
	}
	return size + len(r.details.snapshots)*snapshotBytes + len(r.details.queues)*queueBytes
}
