// Command goodput measures what Trivet's sender gets out of a path: it runs bulk flows,
// exchanges and handshakes over simulated links, each with several seeds, and
// writes docs/goodput.md and the numbers that its test compares with.
//
//	go run ./internal/goodput -write
//
// Time is virtual and all chance comes from the seeds: the same code gives the
// same table on every machine.
package main
