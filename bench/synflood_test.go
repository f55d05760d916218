package main

import "testing"

// RFC 1071: the sum of a block with its checksum is all ones.
func TestSpoofedSYNs(t *testing.T) {
	next := spoofedSYNs()
	seen := map[string]bool{}
	for range 1000 {
		b := next()
		if got := fold(onesSum(b[:ipHeader])); got != 0 {
			t.Fatalf("checksum of the IP header of %x is off by %#x", b, got)
		}
		if got := fold(onesSum(b[12:]) + 6 + synSize - ipHeader); got != 0 {
			t.Fatalf("TCP checksum of %x is off by %#x", b, got)
		}
		seen[string(b[12:22])] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d sources of 1000 SYNs", len(seen))
	}
}
