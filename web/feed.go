package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	maxFeeds = 32
	beat     = 5 * time.Second // between signs of life
	maxTab   = 64              // bytes of a tab's name
)

var (
	errTab   = errors.New("want tab=NAME")
	errFeeds = fmt.Errorf("%d tabs are open already", maxFeeds)
)

// message is one server-sent event.
type message struct {
	event string
	data  []byte
}

// feed is the stream of a tab.
type feed struct {
	messages chan message  // never closed; bounded
	replaced chan struct{} // closed when the tab opens another stream

	mu     sync.Mutex // guards wanted
	wanted string     // id of the run that the tab asked for last
}

func (f *feed) want(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = id
}

func (f *feed) wants(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wanted == id
}

// tell sends a message, if the reader keeps up. A tab that does not is so far
// behind that it has to ask anew in any case.
func (f *feed) tell(event string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		data = []byte(`{"error":"not to be said in JSON"}`)
	}
	select {
	case f.messages <- message{event, data}:
	default:
	}
}

// feeds are the streams that are open, one for each tab.
type feeds struct {
	mu    sync.Mutex // guards byTab
	byTab map[string]*feed
}

// of returns the stream of a tab, nil if it has none.
func (f *feeds) of(tab string) *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byTab[tab]
}

// open gives a tab its stream, in the place of one that it has.
func (f *feeds) open(tab string) (*feed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.byTab[tab]
	if old == nil && len(f.byTab) == maxFeeds {
		return nil, errFeeds
	}
	if old != nil {
		close(old.replaced)
	}
	if f.byTab == nil {
		f.byTab = make(map[string]*feed)
	}
	one := &feed{messages: make(chan message, 16), replaced: make(chan struct{})}
	f.byTab[tab] = one
	return one, nil
}

// drop forgets the stream, unless the tab has another one by now.
func (f *feeds) drop(tab string, one *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byTab[tab] == one {
		delete(f.byTab, tab)
	}
}

// feed is the stream of a tab: hello at first, a beat every few seconds so that
// the page sees when the stream is dead, and what becomes of its runs.
func (s *Server) feed(w http.ResponseWriter, r *http.Request) {
	tab := r.URL.Query().Get("tab")
	if tab == "" || len(tab) > maxTab {
		refuse(w, http.StatusBadRequest, errTab)
		return
	}
	f, err := s.feeds.open(tab)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	defer s.feeds.drop(tab, f)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	f.tell("hello", struct{}{})

	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		var m message
		select {
		case <-s.ctx.Done():
			return
		case <-r.Context().Done():
			return
		case <-f.replaced:
			return
		case m = <-f.messages:
		case <-ticker.C:
			m = message{"beat", []byte("{}")}
		}
		// A browser that lost the stream comes back after a second.
		if _, err := fmt.Fprintf(w, "retry: 1000\nevent: %s\ndata: %s\n\n", m.event, m.data); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
	}
}
