package drill

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/trivet-net/trivet/tcp"
)

// control is a control message (cmsg) of a recvmsg: a number, a struct, or a
// time. Its level and type are the names of constants.
type control struct {
	level, kind string
	value       int64
	fields      []controlField
	at          tcp.Time // 0: none
}

// controlField is a member of a struct in a control message.
type controlField struct {
	name  string
	value int64
}

// sendControls takes the control messages of a sendmsg: SO_TIMESTAMPING says of
// this write alone which times are wanted.
func (t *transfer) sendControls(m *Expr) error {
	list := m.Field("msg_control")
	if list == nil || list.Kind == ExprEllipsis {
		return nil
	}
	for _, e := range list.List {
		kind, data := e.Field("cmsg_type"), e.Field("cmsg_data")
		if kind == nil || data == nil {
			return failf("expected a control message, found %v", e)
		}
		if kind.Text != "SO_TIMESTAMPING" {
			return &unsupported{"control message " + e.String()}
		}
		flags, err := data.number()
		if err != nil {
			return err
		}
		if flags&^stampWrites != 0 && t.errno == 0 {
			t.errno = syscall.EINVAL
		}
		t.hasStamps, t.stamps = true, flags
	}
	return nil
}

// timestampControl tells a time, as the script's clock has it.
func timestampControl(at tcp.Time) control {
	return control{level: "SOL_SOCKET", kind: "SCM_TIMESTAMPING", at: at}
}

// String returns the message as a script writes it.
func (c *control) String() string {
	data := fmt.Sprint(c.value)
	if c.at != 0 {
		d := c.at.Sub(scriptStart)
		data = fmt.Sprintf("{scm_sec=%d,scm_nsec=%d}", d/time.Second, d%time.Second)
	} else if c.fields != nil {
		var words []string
		for _, f := range c.fields {
			words = append(words, fmt.Sprintf("%s=%d", f.name, f.value))
		}
		data = "{" + strings.Join(words, ",") + "}"
	}
	return fmt.Sprintf("{cmsg_level=%s, cmsg_type=%s, cmsg_data=%s}", c.level, c.kind, data)
}

// compareMessage compares what recvmsg gave with the msghdr that the script
// expects: flags, and control messages in their order.
func (r *runner) compareMessage(m *Expr, flags int64, got []control) error {
	if f := m.Field("msg_flags"); f != nil && f.Kind != ExprEllipsis {
		want, err := f.number()
		if err != nil {
			return err
		}
		if want != flags {
			return failf("msg_flags is %#x, expected %#x", flags, want)
		}
	}
	want := m.Field("msg_control")
	if want == nil || want.Kind == ExprEllipsis {
		return nil
	}
	for i, e := range want.List {
		if i >= len(got) {
			return failf("%d control messages came, expected %v too", len(got), e)
		}
		if err := r.compareControl(e, &got[i]); err != nil {
			return err
		}
	}
	if len(got) > len(want.List) {
		return failf("a control message came that is not expected: %v", &got[len(want.List)])
	}
	return nil
}

// compareControl compares one control message with the script's.
func (r *runner) compareControl(e *Expr, got *control) error {
	for _, f := range []struct{ name, got string }{{"cmsg_level", got.level}, {"cmsg_type", got.kind}} {
		word := e.Field(f.name)
		if word == nil {
			return failf("expected %s in a control message, found %v", f.name, e)
		}
		want, err := word.number()
		if err != nil {
			return err
		}
		if want != constants[f.got] {
			return failf("a control message is %v, expected %v", got, e)
		}
	}
	data := e.Field("cmsg_data")
	switch {
	case data == nil:
		return failf("expected cmsg_data in a control message, found %v", e)
	case got.at != 0:
		return r.compareTimestamp(data, got)
	case got.fields != nil:
		return compareFields(data, got)
	}
	want, err := data.number()
	if err == nil && want != got.value {
		err = failf("%s is %d, expected %d", got.kind, got.value, want)
	}
	return err
}

// compareTimestamp compares a time with {scm_sec=, scm_nsec=}.
func (r *runner) compareTimestamp(data *Expr, got *control) error {
	want := scriptStart
	for _, f := range []struct {
		name string
		unit time.Duration
	}{{"scm_sec", time.Second}, {"scm_nsec", time.Nanosecond}} {
		field := data.Field(f.name)
		if field == nil {
			return failf("expected {scm_sec=, scm_nsec=}, found %v", data)
		}
		n, err := field.number()
		if err != nil {
			return err
		}
		if n < 0 || n > int64(maxScriptTime/f.unit) {
			return failf("expected a time of the script's, found %v", data)
		}
		want = want.Add(time.Duration(n) * f.unit)
	}
	if got.at.Sub(want).Abs() > r.slack(want.Sub(scriptStart)) {
		return failf("the timestamp is %s, expected %s", stampText(got.at), stampText(want))
	}
	return nil
}

// compareFields compares the fields of a struct that the script names.
func compareFields(data *Expr, got *control) error {
	for _, f := range got.fields {
		e := data.Field(f.name)
		if e == nil || e.Kind == ExprEllipsis {
			continue
		}
		want, err := e.number()
		if err != nil {
			return err
		}
		if want != f.value {
			return failf("%s is %d, expected %v", f.name, f.value, e)
		}
	}
	return nil
}
