//go:build race

package engine

// spareAllocs is how many allocations a test of what must not allocate lets
// pass: under the race detector sync.Pool forgets at random.
const spareAllocs = 3
