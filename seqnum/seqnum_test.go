package seqnum

import "testing"

func TestOrderAcrossTheWrap(t *testing.T) {
	tests := []struct {
		name         string
		v, w         Value
		less, lessEq bool
		diff         int
	}{
		{"equal", 5, 5, false, true, 0},
		{"next", 5, 6, true, true, -1},
		{"wrap", 0xffff_fff0, 0x10, true, true, -0x20},
		{"wrapped back", 0x10, 0xffff_fff0, false, false, 0x20},
		{"just under half", 0, 0x7fff_ffff, true, true, -0x7fff_ffff},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.v.Less(tt.w); got != tt.less {
				t.Errorf("%#x.Less(%#x) = %v, want %v", tt.v, tt.w, got, tt.less)
			}
			if got := tt.v.LessEq(tt.w); got != tt.lessEq {
				t.Errorf("%#x.LessEq(%#x) = %v, want %v", tt.v, tt.w, got, tt.lessEq)
			}
			if got := tt.v.Diff(tt.w); got != tt.diff {
				t.Errorf("%#x.Diff(%#x) = %v, want %v", tt.v, tt.w, got, tt.diff)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	const first, size = Value(0xffff_fffe), Size(4) // fffffffe ffffffff 0 1
	for v, want := range map[Value]bool{
		0xffff_fffd: false, 0xffff_fffe: true, 0xffff_ffff: true, 0: true, 1: true, 2: false,
	} {
		if got := v.In(first, size); got != want {
			t.Errorf("%#x.In(%#x, %d) = %v, want %v", v, first, size, got, want)
		}
	}
	if Value(7).In(7, 0) {
		t.Error("an empty window contains a value")
	}
	if got := first.Add(size); got != 2 {
		t.Errorf("Add across the wrap = %#x, want 2", got)
	}
	if got := Value(2).Sub(first); got != size {
		t.Errorf("Sub across the wrap = %d, want %d", got, size)
	}
}

func TestMinMax(t *testing.T) {
	a, b := Value(0xffff_ffff), Value(3)
	if Max(a, b) != b || Max(b, a) != b || Min(a, b) != a || Min(b, a) != a {
		t.Errorf("Max, Min of %#x and %#x are wrong across the wrap", a, b)
	}
}
