package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/sim"
	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/trace"
)

// demo is one conversation: a client that fetches a page from a server.
type demo struct {
	rtt, msl time.Duration
	loss     float64
	seed     uint64

	net *sim.Network
	log trace.Log

	status string // of the response
	body   int    // bytes of it
	err    error  // why there is none
}

const (
	demoRate  = 100e6 // bits per second: a full segment takes 0.12 ms
	demoPort  = 80
	demoLimit = 24 * time.Hour // of virtual time, in case one end waits for ever
	demoBody  = 4096
)

// demoDate is the server's Date header: the same in every run.
var demoDate = time.Date(2026, time.January, 2, 15, 4, 5, 0, time.UTC)

var errNoResponse = errors.New("the connection ended before the whole response was there")

// converse runs the conversation to its end: until neither host remembers it.
func (d *demo) converse() {
	d.net = sim.New(sim.Config{Seed: d.seed, OnEvent: d.log.Event, OnPacket: d.log.Packet})
	cfg := engine.Config{TimeWait: 2 * d.msl}
	client, server := d.net.AddHost("client", cfg), d.net.AddHost("server", cfg)
	d.net.Connect(client, server, sim.Symmetric(sim.Settings{
		Delay: d.rtt / 2, Rate: demoRate, Loss: d.loss,
	}))
	d.err = errNoResponse
	if _, err := server.Listen(demoPort, d.serve); err != nil {
		d.err = err
		return
	}
	remote := netip.AddrPortFrom(server.Addr(), demoPort)
	c, err := client.Dial(remote, tcp.Options{})
	if err != nil {
		d.err = err
		return
	}
	c.Await(tcp.Connected, func() { d.fetch(c, remote) })
	over := func() bool {
		s, t := client.Engine().Stats(), server.Engine().Stats()
		return s.Conns+s.HalfOpen+s.TimeWaits+t.Conns+t.HalfOpen+t.TimeWaits == 0
	}
	// When one end waits for ever the limit ends the run, and the ladder shows
	// the state it is in.
	_ = d.net.RunUntil(over, demoLimit)
}

// fetch is the client: it sends the request and closes once it has the whole
// response.
func (d *demo) fetch(c *sim.Conn, remote netip.AddrPort) {
	if err := c.TakeError(); err != nil {
		d.err = err
		return
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+remote.Addr().String()+"/", nil)
	if err != nil {
		d.err = err
		return
	}
	req.Header.Set("User-Agent", "trivet-demo/1")
	var request bytes.Buffer
	if d.err = req.Write(&request); d.err != nil {
		return
	}
	d.err = errNoResponse
	sim.Send(c, request.Bytes(), nil)
	var got []byte
	sim.Receive(c, func(p []byte) {
		got = append(got, p...)
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), req)
		if err != nil {
			return // not all of the header yet
		}
		body, err := io.ReadAll(resp.Body)
		if err == nil { // the body has its full length
			d.status, d.body, d.err = resp.Proto+" "+resp.Status, len(body), nil
			c.Close()
		}
	}, func(err error) {
		if d.err != nil && err != nil {
			d.err = err
		}
	})
}

// serve is the server: it answers one request and closes a little after the
// client has.
func (d *demo) serve(c *sim.Conn) {
	var got []byte
	answered := false
	sim.Receive(c, func(p []byte) {
		got = append(got, p...)
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(got)))
		if err != nil || answered {
			return
		}
		answered = true
		sim.Send(c, response(req), nil)
	}, func(error) { d.net.After(d.rtt/2, c.Close) })
}

// response is the page as an HTTP server sends it.
func response(req *http.Request) []byte {
	page := demoPage()
	resp := http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{
			"Content-Type": {"text/plain; charset=utf-8"},
			"Date":         {demoDate.Format(http.TimeFormat)},
			"Server":       {"trivet-demo"},
		},
		ContentLength: int64(len(page)),
		Body:          io.NopCloser(strings.NewReader(page)),
	}
	var b bytes.Buffer
	if err := resp.Write(&b); err != nil {
		panic(fmt.Sprintf("a response into memory: %v", err)) // it cannot fail
	}
	return b.Bytes()
}

// demoPage is a page long enough for several segments.
func demoPage() string {
	const line = "A trivet stands on three legs: with two it falls over, a fourth adds nothing.\n"
	return strings.Repeat(line, demoBody/len(line)+1)[:demoBody]
}
