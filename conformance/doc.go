// Package conformance holds the engine to the state-event table of the
// conformance checklist: 11 states, 40 events, 440 cells. It has no code besides
// its tests.
//
// testdata/fsm.csv is the table as the checklist writes it, in words: what RFC
// 9293, Section 3.10, with RFC 5961 folded in, wants of each cell, and what
// deployed stacks do. expect_test.go says the same of Trivet, in a form that a
// test can compare. The test brings an engine into the state with packets and
// virtual time only, lets the event happen, and compares the next state, every
// segment sent and what each of the user's calls returns then. Cells that
// cannot exist are asserted to be so. Where Trivet does something else than the
// table, the cell names the decision in docs/rfc.md that says why.
//
// The user here is who calls package engine: what package trivet makes of it,
// net.ErrClosed after Close above all, is tested there.
package conformance
