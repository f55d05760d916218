package engine

import (
	"testing"

	"github.com/trivet-net/trivet/tcp"
	"github.com/trivet-net/trivet/wire"
)

// A configuration counts for what begins after it was set: a handshake ends with
// the options that its SYN,ACK agreed to (RFC 7323, Section 3.2: for the whole
// life of a connection), a connection keeps its own, and counters go on.
func TestSetConfig(t *testing.T) {
	h := newHost(t, Config{}, addrA)
	l := h.listen("10.0.0.1:80", ListenOptions{})
	p := h.peer(addrB, 5000, 80).timestamps(7)
	p.open()
	before := h.e.tcp.Counters.Rules[tcp.RuleListenSyn]
	h.e.SetConfig(Config{TCP: tcp.Config{NoTimestamps: true}, MaxBacklog: 1})
	p.send(wire.ACK, 0, "")
	c := l.Accept()
	if c == nil {
		t.Fatal("the handshake that was under way did not end")
	}
	if i := c.Info(h.now); !i.Timestamps {
		t.Error("Info().Timestamps of a handshake from before = false, want true")
	}
	q := h.peer(addrB, 5001, 80).timestamps(7)
	if s := q.open(); s.Options.HasTS {
		t.Errorf("options of a SYN,ACK after SetConfig = %+v, want no timestamps", s.Options)
	}
	if got := h.e.tcp.Counters.Rules[tcp.RuleListenSyn]; got != before+1 {
		t.Errorf("SYNs counted = %d, want %d", got, before+1)
	}
}

// SetConfig leaves what the host is known by: the secret, and its shard.
func TestSetConfigKeeps(t *testing.T) {
	secret := [32]byte{1}
	e := New(Config{Secret: secret, Shard: 1, Shards: 2, ResetRate: -1, ICMPRate: 5, CookieSecret: secret, CookieEpoch: 9})
	was := e.cfg
	e.SetConfig(Config{})
	if e.cfg.Secret != secret || e.cfg.Shard != 1 || e.cfg.Shards != 2 || e.cfg.ResetRate != -1 || e.cfg.ICMPRate != 5 ||
		e.cfg.CookieSecret != was.CookieSecret || e.cfg.CookieEpoch != was.CookieEpoch {
		t.Errorf("SetConfig(Config{}) = %+v, want what %+v was known by", e.cfg, was)
	}
}
