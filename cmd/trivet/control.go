package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/engine"
	"github.com/trivet-net/trivet/tcp"
)

// A running host answers trivet ss on a unix socket: to whoever connects it
// writes its socket table as one JSON value, and closes.

// socketTable is what it writes.
type socketTable struct {
	Format  string          `json:"format"` // "trivet-sockets/2"
	Device  string          `json:"device"`
	Sockets []socketRow     `json:"sockets"`
	Orphans int             `json:"orphans"`
	UDP     engine.UDPStats `json:"udp"`
	ICMPIn  uint64          `json:"icmp_in"`
	ICMPOut uint64          `json:"icmp_out"`
}

// socketRow is one socket. Times are in nanoseconds.
type socketRow struct {
	Netid   string    `json:"netid"` // tcp or udp
	State   string    `json:"state"` // ss's word
	RecvQ   int       `json:"recv_q"`
	SendQ   int       `json:"send_q"`
	Local   string    `json:"local"`
	Peer    string    `json:"peer"`
	Timer   string    `json:"timer,omitempty"`
	Expires int64     `json:"expires,omitempty"` // from now
	Age     int64     `json:"age"`               // in this state
	Orphan  bool      `json:"orphan,omitempty"`
	Drops   uint64    `json:"drops,omitempty"` // datagrams that found no room
	Info    *tcp.Info `json:"info,omitempty"`
}

const socketsFormat = "trivet-sockets/2"

// control is the unix socket of a running host.
type control struct {
	listener net.Listener
	done     chan struct{}
}

// controlDir is where the unix sockets are.
func controlDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return dir
	}
	return os.TempDir()
}

// controlPath is the unix socket of the host on a device.
func controlPath(device string) string {
	return filepath.Join(controlDir(), "trivet-"+device+".sock")
}

// openControl begins to answer with the table at the path. A socket that a host
// left behind which is no more is replaced.
func openControl(path string, table func() socketTable) (*control, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another host answers at %s", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		os.Remove(path) // the error of listening tells more
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil { // for its owner alone
		l.Close()
		return nil, err
	}
	c := &control{listener: l, done: make(chan struct{})}
	go func() { // ends with the listener; close waits for it
		defer close(c.done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tell(conn, table())
		}
	}()
	return c, nil
}

// tell writes the socket table to whoever asked. One that does not read must
// not keep the others waiting for long; that it did not get it all is its loss.
func tell(conn net.Conn, t socketTable) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(10*time.Second)) == nil {
		_ = json.NewEncoder(conn).Encode(t)
	}
}

// close stops answering and removes the socket. Nil is allowed.
func (c *control) close() {
	if c == nil {
		return
	}
	c.listener.Close() // which removes the file
	<-c.done
}

// tableOf is the socket table of a stack.
func tableOf(s *trivet.Stack, device string) socketTable {
	t := socketTable{Format: socketsFormat, Device: device, Sockets: []socketRow{}}
	stats := s.Stats()
	t.UDP, t.ICMPIn, t.ICMPOut = stats.UDP, stats.ICMPIn, stats.ICMPOut
	for _, x := range s.UDPSockets() {
		t.Sockets = append(t.Sockets, udpRow(&x))
	}
	now := s.Now()
	for _, x := range s.Sockets() {
		row := socketRow{
			Netid: netTCP, State: x.State.SS(), RecvQ: x.RecvQ, SendQ: x.SendQ, Orphan: x.Orphan,
			Local: x.Tuple.Local().String(), Peer: x.Tuple.Remote().String(),
		}
		if x.State == tcp.StateListen {
			row.Peer = strings.TrimSuffix(row.Local, fmt.Sprint(x.Tuple.LocalPort)) + "*"
		}
		if x.Expires != 0 {
			row.Timer, row.Expires = x.Timer.String(), int64(x.Expires.Sub(now))
		}
		if x.Since != 0 {
			row.Age = int64(now.Sub(x.Since))
		}
		if x.Info.SndMSS > 0 {
			info := x.Info
			info.SoftError = nil // errors do not go through JSON
			row.Info = &info
		}
		if x.Orphan && row.Info != nil {
			t.Orphans++
		}
		t.Sockets = append(t.Sockets, row)
	}
	return t
}

// The kinds of sockets, in ss's words.
const netTCP, netUDP = "tcp", "udp"

// udpRow is a UDP socket in the table. Without a peer it is in no state, which
// ss calls UNCONN; with one it is in ESTAB.
func udpRow(u *engine.UDPInfo) socketRow {
	row := socketRow{
		Netid: netUDP, State: stateUnconnected, RecvQ: u.RecvQ, SendQ: u.SendQ, Drops: u.Drops,
		Local: u.Tuple.Local().String(), Peer: "0.0.0.0:*",
	}
	switch {
	case u.Connected:
		row.State, row.Peer = tcp.StateEstablished.SS(), u.Tuple.Remote().String()
	case !u.Tuple.LocalAddr.Is4():
		row.Peer = "[::]:*"
	}
	return row
}

// abandoned reports whether the socket at the path is of a host that is no more: one
// that was killed leaves its socket behind.
func abandoned(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// maxTable is the largest table that ss reads.
const maxTable = 1 << 30

// askControl reads the table of the host at a path; "": of the only one that
// runs.
func askControl(path string) (*socketTable, error) {
	if path == "" {
		found, err := filepath.Glob(controlPath("*"))
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, abandoned)
		switch len(found) {
		case 0:
			return nil, fmt.Errorf("no trivet serve is running that can be asked (nothing like %s)", controlPath("*"))
		case 1:
			path = found[0]
		default:
			return nil, usagef("several hosts run; choose one by --control: %s", strings.Join(found, ", "))
		}
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var t socketTable
	if err := json.NewDecoder(io.LimitReader(conn, maxTable)).Decode(&t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if t.Format != socketsFormat {
		return nil, fmt.Errorf("%s speaks %q, not %q", path, t.Format, socketsFormat)
	}
	return &t, nil
}
