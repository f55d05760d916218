// Package web serves the lab as a page: scenarios that the real stack plays, to
// be looked at step by step, changed, and shared.
//
//	s, err := web.New(web.Config{})
//	http.Serve(listener, s) // then s.Close()
//
// The page, built from the sources in web/page, is embedded. It draws a
// lab.Model and a lab.Outline and computes nothing about TCP: whatever the
// reader changes makes another recipe, which is posted here and played anew.
//
// What is said over HTTP:
//
//	GET  /                     the page
//	GET  /api/scenarios        what there is to play: {"scenarios": [lab.ScenarioInfo...], "saves": bool}
//	GET  /api/feed?tab=T       server-sent events: hello, beat, run
//	POST /api/play?tab=T       a recipe; 202 and the run's id; the feed tells when it is played
//	GET  /api/runs/ID          the beginning of the run: lab.Model
//	GET  /api/runs/ID/outline  lab.Outline
//	GET  /api/runs/ID/events?first=N&count=N
//	                           a part of the run: the parts of lab.Model that Window concerns
//	GET  /api/runs/ID/files/NAME   a file of the run to be downloaded
//	POST /api/runs/ID/save     write all of them into Config.Out
//
// An error is {"error": "..."} with a status of 4xx.
//
// The server is for one person on one machine. It answers only to addresses and
// to localhost as Host, so that no name of somebody else's can lead here (DNS
// rebinding); it refuses what is posted from other origins; the page may load
// nothing but its own files and run no inline script. Where others can reach it,
// Config.Token keeps them out. What it writes stays in Config.Out.
package web
