package main

import (
	"strings"
	"testing"
)

// The filters of ss: states are added up and taken away, conditions joined by
// and, or, not and parentheses; "and" binds more tightly, and may be left out.
func TestFilter(t *testing.T) {
	rows := map[string]*socketRow{
		"listener": {Netid: netTCP, State: "LISTEN", Local: "[::]:80", Peer: "[::]:*"},
		"web":      {Netid: netTCP, State: "ESTAB", Local: "10.0.0.1:80", Peer: "192.0.2.7:50000"},
		"leak":     {Netid: netTCP, State: "CLOSE-WAIT", Local: "10.0.0.1:80", Peer: "198.51.100.7:50001"},
		"echo":     {Netid: netTCP, State: "ESTAB", Local: "[fd00::1]:7", Peer: "[fd00::2]:40000"},
		"half":     {Netid: netTCP, State: "SYN-RECV", Local: "10.0.0.1:443", Peer: "192.0.2.9:1024"},
		"dns":      {Netid: netUDP, State: "UNCONN", Local: "0.0.0.0:53", Peer: "0.0.0.0:*"},
	}
	const all = "dns echo half leak listener web"
	for filter, want := range map[string]string{
		"":                                    all,
		"state all":                           all,
		"state established":                   "echo web",
		"state estab":                         "echo web",
		"state ESTAB":                         "echo web",
		"state listening":                     "listener",
		"state unconnected":                   "dns",
		"state connected":                     "echo half leak web",
		"state synchronized":                  "echo half leak web",
		"state bucket":                        "half",
		"state big":                           "dns echo leak listener web",
		"exclude bucket":                      "dns echo leak listener web",
		"excl listening":                      "dns echo half leak web",
		"state established state close-wait":  "echo leak web",
		"state connected exclude established": "half leak",
		"exclude established state estab":     all,

		"sport = :80":         "leak listener web",
		"sport=:80":           "leak listener web",
		"sport == 80":         "leak listener web",
		"sport eq :http":      "leak listener web",
		"sport :80":           "leak listener web",
		"sport != :80":        "dns echo half",
		"sport neq :80":       "dns echo half",
		"sport >= :80":        "half leak listener web",
		"sport ge 80":         "half leak listener web",
		"sport > :80":         "half",
		"sport <= :53":        "dns echo",
		"sport lt :53":        "echo",
		"dport gt :50000":     "leak",
		"src 10.0.0.1":        "half leak web",
		"src = 10.0.0.1:443":  "half",
		"src 10.0.0.1:*":      "half leak web",
		"src :7":              "echo",
		"src *:7":             "echo",
		"src != 10.0.0.0/8":   "dns echo listener",
		"dst 192.0.2.0/24":    "half web",
		"dst 192.0.2.200/24":  "half web",
		"dst fd00::2":         "echo",
		"dst [fd00::2]:40000": "echo",
		"dst [fd00::2]:40001": "",
		"dst fd00::/16":       "echo",

		"state estab sport = :80":                            "web",
		"sport = :80 and dst 192.0.2.7":                      "web",
		"sport = :80 && dst 192.0.2.7":                       "web",
		"sport = :80 dst 192.0.2.7":                          "web",
		"sport = :7 or sport = :53":                          "dns echo",
		"sport = :7|sport = :53":                             "dns echo",
		"not sport = :80":                                    "dns echo half",
		"! ( sport = :80 or sport = :7 )":                    "dns half",
		"!(sport=:80||sport=:7)":                             "dns half",
		"sport = :7 or sport = :80 and dst 192.0.2.7":        "echo web",
		"( sport = :7 or sport = :80 ) and dst 198.51.100.7": "leak",
		"not not sport = :7":                                 "echo",
	} {
		f, err := parseFilter(strings.Fields(filter))
		if err != nil {
			t.Errorf("parseFilter(%q): %v", filter, err)
			continue
		}
		if f.states == nil {
			f.states = statesOf["all"]
		}
		var got []string
		for _, name := range strings.Fields(all) {
			if f.takes(rows[name]) {
				got = append(got, name)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q takes %q, want %q", filter, s, want)
		}
	}
}

// A filter that makes no sense is wrong use, and the message says where.
func TestWrongFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"state":                     "needs a value",
		"exclude nothing":           "no state",
		"sport":                     "needs a value",
		"sport = ":                  "needs a value",
		"sport = :99999":            "is no port",
		"sport = :-1":               "is no port",
		"sport = :no-such-service":  "is no port",
		"src 10.0.0.300":            "is no address",
		"src 10.0.0.0/33":           "is no address",
		"dst > 10.0.0.0/8":          "= and != alone",
		"( sport = :80":             "lacks a )",
		"sport = :80 )":             `ends before ")"`,
		"sport = :80 or":            "ends too early",
		"not":                       "ends too early",
		"port = :80":                "did you mean",
		"sport = :80 state estab":   "comes before the expression",
		strings.Repeat("( ", 200):   "too deep",
		strings.Repeat("not ", 200): "too deep",
	} {
		_, err := parseFilter(strings.Fields(filter))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseFilter(%.40q): %v, want %q", filter, err, want)
		}
	}
}

// FuzzFilter: whatever the words, there is a filter that can be used, or an error.
func FuzzFilter(f *testing.F) {
	f.Add("state established ( sport = :80 or dst [fd00::1]:443 )")
	f.Add("exclude bucket not src 10.0.0.0/8 && dport >= 1024")
	f.Fuzz(func(t *testing.T, words string) {
		filter, err := parseFilter(strings.Fields(words))
		if err == nil {
			filter.takes(&socketRow{State: "ESTAB", Local: "10.0.0.1:80", Peer: "[::]:*"})
		}
	})
}
