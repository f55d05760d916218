// Package lab plays the scenarios of the TCP textbooks on the real stack, in
// virtual time, and keeps the whole run to be looked at: what each end sent,
// when it arrived or was lost, which rule fired and why, and every variable of
// both ends before and after.
//
//	run, err := lab.Play(lab.Recipe{Scenario: "handshake", Seed: 1})
//	run.WriteLadder(os.Stdout, trace.Style{})
//	ok := run.Passed()
//
// A run is its Recipe and nothing else: the scenario's name, a seed, parameters,
// and interventions such as "at #5 drop". The same recipe gives the same bytes in
// every format, on every machine; going back, undoing and sharing are all playing
// again.
//
// Each scenario says, in English and Chinese, what it shows, why that is so and
// where the RFC has it; it puts captions on the moments that matter, and asserts
// what must come out, so that each is a test as well.
//
// A long run is asked for by parts: Model(Window{First: 1000, Count: 500}) has
// the events from number 1000 on with the segments and snapshots that they name,
// and everything that is not a list of events. The first part of a run takes as
// long as looking through all of it, the others do not.
//
// Model is the run as data, made for a page that draws it and computes nothing
// about TCP; its comment and those of its fields are the format of
// "trivet lab run --format json".
//
// Nothing here keeps time, draws random numbers of its own or touches a file.
package lab
