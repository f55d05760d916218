//go:build !race

package engine

// spareAllocs is how many allocations a test of what must not allocate lets
// pass.
const spareAllocs = 0
