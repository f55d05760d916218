package drill

import "math/bits"

// The memory of a packet that comes through a TUN device of Linux, in bytes: a
// buffer that is a power of two with room before and behind the packet, a
// page at most; further pages; and the record of it.
const (
	pageSize     = 4096
	packetRoom   = 64 + 320
	packetRecord = 256
)

// tunMemory is what a segment takes up on the machine that the public scripts were
// written on (its truesize): their windows follow from it.
func tunMemory(payload, _ int) int {
	size := payload + 40 + packetRoom
	if size <= pageSize {
		return packetRecord + 1<<bits.Len(uint(size-1))
	}
	return packetRecord + (size+pageSize-1)/pageSize*pageSize
}
