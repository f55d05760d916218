// Package capture reads packet captures made elsewhere, pcapng and pcap, into a
// trace.Log, so that their connections can be drawn as ladders:
//
//	c, err := capture.Read(file)
//	trace.Analyse(&c.Log).Ladder(trace.Style{}).WriteTo(os.Stdout)
//
// A capture knows neither what happened inside the hosts nor, being made at one
// place, when a segment was sent and when it arrived. The states of both ends
// are inferred from what they sent and what had passed by until then; each
// segment is drawn as if it had arrived at once.
//
// A file may be cut short, foreign or made to do harm: what can be read is read,
// and Notes say what could not. Known limits: IP fragments are left out, and so
// is everything inside tunnels.
package capture
