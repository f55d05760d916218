// Package link defines what a stack asks of a network device, and Pair, two
// ends joined in memory. Devices of the operating system are in its
// subpackages.
package link
