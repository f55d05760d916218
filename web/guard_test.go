package web

import (
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The server answers to addresses and to localhost. Another name that leads here
// is somebody else's (DNS rebinding).
func TestHost(t *testing.T) {
	server := newServer(t, Config{Hosts: []string{"lab.example"}})
	for host, status := range map[string]int{
		"127.0.0.1:8417": 200, "localhost": 200, "LOCALHOST:1": 200, "[::1]:8417": 200, "192.0.2.7": 200,
		"lab.example:80": 200, "Lab.Example": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:8417": 421, "local host": 421,
	} {
		resp, text := do(t, "GET", server.URL+"/api/scenarios", "", func(r *http.Request) { r.Host = host })
		if resp.StatusCode != status {
			t.Errorf("Host %q: status %d, want %d: %s", host, resp.StatusCode, status, text[:min(len(text), 100)])
		}
	}
}

// What another site's page posts is refused, in every way in which it can.
func TestCrossOrigin(t *testing.T) {
	server := newServer(t, Config{})
	f := openTab(t, server.URL, "a")
	playNow(t, f, "a", handshake)
	tests := []struct {
		name, header, value string
		status              int
	}{
		{"another origin", "Origin", "http://evil.example", 403},
		{"an origin that is hidden", "Origin", "null", 403},
		{"another port", "Origin", "http://127.0.0.1:1", 403},
		{"said by the browser", "Sec-Fetch-Site", "cross-site", 403},
		{"a sister site", "Sec-Fetch-Site", "same-site", 403},
		{"the page itself", "Sec-Fetch-Site", "same-origin", 202},
		{"the page's origin", "Origin", server.URL, 202},
		{"a form", "Content-Type", "application/x-www-form-urlencoded", 415},
		{"text", "Content-Type", "text/plain", 415},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, text := do(t, "POST", server.URL+"/api/play?tab=a", handshake, func(r *http.Request) { r.Header.Set(tt.header, tt.value) })
			if resp.StatusCode != tt.status {
				t.Errorf("%s: %s: status %d, want %d: %s", tt.header, tt.value, resp.StatusCode, tt.status, text)
			}
		})
	}
}

// Without the token nothing is served, neither the page nor a run nor the feed;
// with it in the link, a cookie takes its place.
func TestToken(t *testing.T) {
	server := newServer(t, Config{Token: "secret"})
	for _, path := range []string{"/", "/page.js", "/api/scenarios", "/api/feed?tab=a", "/api/runs/x", "/?token=wrong", "/?token="} {
		if resp, _ := do(t, "GET", server.URL+path, "", nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, http.StatusUnauthorized)
		}
	}
	resp, _ := do(t, "GET", server.URL+"/?token=secret", "", nil)
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(cookies) != 1 {
		t.Fatalf("with the token: status %d to %q, %d cookies", resp.StatusCode, resp.Header.Get("Location"), len(cookies))
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %v, want HttpOnly and SameSite=Strict", c)
	}
	for value, status := range map[string]int{"secret": 200, "Secret": 401, "": 401} {
		resp, _ := do(t, "GET", server.URL+"/", "", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: tokenCookie, Value: value})
		})
		if resp.StatusCode != status {
			t.Errorf("with cookie %q: status %d, want %d", value, resp.StatusCode, status)
		}
	}
}

// Every answer carries the policy, also that of a refusal, and the page keeps
// to it: no script, style or handler in line, nothing from elsewhere.
func TestPolicy(t *testing.T) {
	server := newServer(t, Config{})
	for _, path := range []string{"/", "/page.js", "/api/scenarios", "/api/runs/none", "/nothing"} {
		resp, _ := do(t, "GET", server.URL+path, "", nil)
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q, want nosniff", path, got)
		}
	}
	inline := regexp.MustCompile(`<script[^>]*>[^<]|<style| style=| on\w+=|https?://|javascript:|@import`)
	for _, name := range []string{"dist/index.html", "dist/index.css"} {
		text, err := fs.ReadFile(dist, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.Find(text); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
}
