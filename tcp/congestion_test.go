package tcp

import "testing"

// MAY-18: the algorithm is that of the options, else that of the host, else
// CUBIC; a new one goes on from the window of the old one.
func TestChooseCongestion(t *testing.T) {
	tests := []struct{ name, host, option, want string }{
		{"default", "", "", "cubic"},
		{"of the host", "reno", "", "reno"},
		{"of the connection", "cubic", "reno", "reno"},
		{"unknown to the host", "vegas", "", "cubic"},
		{"unknown to the connection", "reno", "vegas", "reno"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, func(d *driver) {
				d.cfg = NewConfig(Config{Congestion: tt.host})
				d.open.Options.Congestion = tt.option
			}).connect()
			if got := d.c.Info(d.now).Congestion; got != tt.want {
				t.Errorf("Congestion = %q, want %q", got, tt.want)
			}
		})
	}
	d := flight(t, 50_000)
	d.ack(1, 3)
	for _, name := range append(Congestions(), "") {
		d.setOptions(func(o *Options) { o.Congestion = name })
		if i := d.c.Info(d.now); i.SndCwnd != 5000 {
			t.Errorf("window %d after the change to %q, want 5000", i.SndCwnd, name)
		}
		if got := d.c.Info(d.now).Congestion; name != "" && got != name {
			t.Errorf("Congestion = %q, want %q", got, name)
		}
	}
	if !KnownCongestion("") || KnownCongestion("vegas") {
		t.Error("KnownCongestion is wrong about the default or an unknown name")
	}
}
