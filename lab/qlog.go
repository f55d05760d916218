package lab

import (
	"encoding/json"
	"io"
	"time"
)

// The record separator of JSON text sequences (RFC 7464).
const recordSeparator = '\x1e'

// qlogEvent is one record of a qlog file.
type qlogEvent struct {
	Time float64        `json:"time"` // milliseconds
	Name string         `json:"name"`
	Data map[string]any `json:"data"`
}

// WriteQlog writes the model as qlog (draft-ietf-quic-qlog-main-schema), a
// sequence of JSON texts, with events of a schema of its own: tcp:segment_sent,
// segment_received, segment_lost, state_updated, rule, timer_expired, call, drop,
// note and metrics_updated.
func (m *Model) WriteQlog(w io.Writer) error {
	head := map[string]any{
		"file_schema": "urn:ietf:params:qlog:file:sequential", "serialization_format": "application/qlog+json-seq",
		"title": m.Scenario.Title.EN,
		"trace": map[string]any{
			"event_schemas": []string{"urn:trivet:params:qlog:events:tcp"},
			"vantage_point": map[string]any{"type": "network", "name": "trivet lab"},
			"common_fields": map[string]any{
				"time_format":    "relative_to_epoch",
				"reference_time": map[string]any{"clock_type": "monotonic", "epoch": "unknown"},
			},
		},
	}
	if err := writeRecord(w, head); err != nil {
		return err
	}
	told := map[int]bool{}
	for i := range m.Events {
		e := &m.Events[i]
		if err := writeRecord(w, m.qlogEvent(e)); err != nil {
			return err
		}
		if e.After >= 0 && !told[e.After] {
			told[e.After] = true
			s := &m.Snapshots[e.After]
			if err := writeRecord(w, qlogEvent{milliseconds(s.Time), "tcp:metrics_updated", map[string]any{
				"host": s.Host, "connection": s.Connection, "metrics": s.Set,
			}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func milliseconds(t int64) float64 { return float64(t) / float64(time.Millisecond) }

func writeRecord(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(append([]byte{recordSeparator}, text...), '\n'))
	return err
}

var qlogNames = map[string]string{
	"send": "segment_sent", "arrive": "segment_received", "lose": "segment_lost", "state": "state_updated",
	"timer": "timer_expired",
}

func (m *Model) qlogEvent(e *EventModel) qlogEvent {
	name := qlogNames[e.Kind]
	if name == "" {
		name = e.Kind
	}
	data := map[string]any{"connection": e.Connection}
	for key, v := range map[string]string{
		"host": e.Host, "old": e.From, "new": e.To, "rule": e.Rule, "cite": e.Cite, "timer": e.Timer,
		"call": e.Call, "error": e.Error, "text": e.Text.EN, "text_zh": e.Text.ZH,
	} {
		if v != "" {
			data[key] = v
		}
	}
	if e.N > 0 {
		data["n"] = e.N
	}
	if e.Segment != nil {
		s := &m.Segments[*e.Segment]
		data["packet_number"], data["fate"] = s.Number, s.Fate
		if s.Header != nil {
			data["header"], data["length"], data["words"] = s.Header, s.Len, s.Words
		}
	}
	return qlogEvent{milliseconds(e.Time), "tcp:" + name, data}
}
