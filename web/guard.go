package web

import (
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy lets the page load its own files and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const tokenCookie = "trivet_token"

var (
	errHost  = errors.New("this server answers to addresses and to localhost, not to other names")
	errToken = errors.New("open the page with the link that was printed when the server started: it has the token")
	errPost  = errors.New("what is posted must come from the page itself")
	errJSON  = errors.New("what is posted must be application/json")
)

// guard lets through only requests that the page, opened by its owner, makes.
func (s *Server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		switch {
		case !s.knownHost(r.Host):
			refuse(w, http.StatusMisdirectedRequest, errHost)
		case s.config.Token != "" && r.URL.Query().Has("token"):
			s.admit(w, r)
		case !s.admitted(r):
			refuse(w, http.StatusUnauthorized, errToken)
		case origin.Check(r) != nil:
			refuse(w, http.StatusForbidden, errPost)
		case r.Method == http.MethodPost && r.Header.Get("Content-Type") != "application/json":
			// A form can not send this type, so what has no Origin at all is
			// no page either.
			refuse(w, http.StatusUnsupportedMediaType, errJSON)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knownHost reports whether the request was meant for this server: a page of
// another site can make its own name lead here (DNS rebinding), but not an
// address.
func (s *Server) knownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return strings.EqualFold(host, "localhost") || slices.Contains(s.config.Hosts, strings.ToLower(host))
}

// same compares without telling by the time it takes how much is right.
func (s *Server) same(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.config.Token)) == 1
}

// admit takes the token from the link and leaves it as a cookie, out of sight
// of scripts and of other sites.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	if !s.same(r.URL.Query().Get("token")) {
		refuse(w, http.StatusUnauthorized, errToken)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: s.config.Token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) admitted(r *http.Request) bool {
	if s.config.Token == "" {
		return true
	}
	c, err := r.Cookie(tokenCookie)
	return err == nil && s.same(c.Value)
}
