package block

import "testing"

func TestSizes(t *testing.T) {
	for _, tt := range []struct{ n, cap int }{
		{0, Small},
		{1, Small},
		{Small, Small},
		{Small + 1, Medium},
		{Medium + 1, Large},
		{Large, Large},
		{Large + 1, Large + 1},
	} {
		b := Get(tt.n)
		if b.Cap() != tt.cap {
			t.Errorf("Get(%d).Cap() = %d, want %d", tt.n, b.Cap(), tt.cap)
		}
		b.Release()
	}
}

func TestReleaseTooOftenPanics(t *testing.T) {
	b := Get(1)
	b.Ref()
	if !b.Shared() {
		t.Error("two references, Shared is false")
	}
	b.Release()
	if b.Shared() {
		t.Error("one reference, Shared is true")
	}
	b.Release()
	defer func() {
		if recover() == nil {
			t.Error("a release too many did not panic")
		}
	}()
	(&Block{}).Release()
}

func TestFollows(t *testing.T) {
	b, other := Get(1), Get(1)
	d := b.Bytes()
	for _, tt := range []struct {
		name    string
		a, next Chunk
		want    bool
	}{
		{"adjacent", Chunk{b, d[0:4]}, Chunk{b, d[4:8]}, true},
		{"gap", Chunk{b, d[0:4]}, Chunk{b, d[5:8]}, false},
		{"overlap", Chunk{b, d[0:4]}, Chunk{b, d[3:8]}, false},
		{"other block", Chunk{b, d[0:4]}, Chunk{other, other.Bytes()[4:8]}, false},
		{"no block", Chunk{nil, d[0:4]}, Chunk{nil, d[4:8]}, false},
		{"empty next", Chunk{b, d[0:4]}, Chunk{b, d[4:4]}, false},
		{"at the end", Chunk{b, d[4:]}, Chunk{b, d[0:4]}, false},
	} {
		if got := tt.next.Follows(tt.a); got != tt.want {
			t.Errorf("%s: Follows = %v, want %v", tt.name, got, tt.want)
		}
	}
	b.Release()
	other.Release()
}
