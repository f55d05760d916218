package archtest

// kind says what a package may do.
type kind int

const (
	// pure: no clock, goroutine, channel, lock, random source, socket, file
	// or log. The same input gives the same output.
	pure kind = iota
	// seeded: as pure, but with a random source that has a seed.
	seeded
	// library: the standard library and golang.org/x/sys.
	library
	// open: anything from anywhere.
	open
)

// rule is what one package may do and which packages of the module it may
// import.
type rule struct {
	kind    kind
	imports []string
}

// Storeys of the house, each with all that lies below.
var (
	ground = []string{"seqnum", "internal/block", "internal/pool", "wire"}
	core   = append(ground[:len(ground):len(ground)], "tcp", "engine")
	// The deterministic wing.
	simulation = append(core[:len(core):len(core)], "trace", "sim")
	// The live wing.
	stack = append(core[:len(core):len(core)], "link", ".")
)

// rules has a row for each package, by its path in the module.
var rules = map[string]rule{
	"seqnum":            {kind: pure},
	"internal/block":    {kind: library}, // its pools are safe for all goroutines
	"internal/pool":     {kind: library}, // likewise
	"internal/archtest": {kind: library},
	"internal/doctest":  {kind: library},
	"internal/netns":    {kind: library},
	"conformance":       {kind: library},
	"internal/goodput":  {kind: library, imports: simulation},
	"wire":              {kind: pure, imports: []string{"seqnum", "internal/block"}},
	"tcp":               {kind: pure, imports: ground},
	"engine":            {kind: pure, imports: append(ground[:len(ground):len(ground)], "tcp")},

	"trace":         {kind: seeded, imports: append(ground[:len(ground):len(ground)], "tcp")},
	"trace/pcapng":  {kind: seeded, imports: append(ground[:len(ground):len(ground)], "tcp", "trace")},
	"trace/capture": {kind: open, imports: append(ground[:len(ground):len(ground)], "tcp", "trace")},
	"sim":           {kind: seeded, imports: append(core[:len(core):len(core)], "trace")},
	"drill":         {kind: seeded, imports: simulation},
	"lab":           {kind: seeded, imports: append(simulation[:len(simulation):len(simulation)], "trace/pcapng")},
	"web":           {kind: library, imports: append(simulation[:len(simulation):len(simulation)], "trace/pcapng", "lab")},

	"link":     {kind: library, imports: ground},
	"link/tun": {kind: library, imports: append(ground[:len(ground):len(ground)], "link")},
	".":        {kind: library, imports: append(core[:len(core):len(core)], "link")},
	"netsim":   {kind: library, imports: append(stack[:len(stack):len(stack)], "trace", "trace/pcapng", "sim")},

	"cmd/trivet": {kind: open, imports: append(stack[:len(stack):len(stack)],
		"link/tun", "netsim", "trace", "trace/pcapng", "trace/capture", "sim", "drill", "lab", "web")},
}

// deniedImports are packages of the standard library that a pure package must
// not import, with all that lies below them; net/netip is spared.
var deniedImports = []string{
	"context", "crypto/rand", "iter", "log", "math/rand", "net", "os", "plugin", "runtime", "sync", "testing", "unsafe",
}

// sparedImports are exceptions to deniedImports.
var sparedImports = []string{"net/netip", "sync/atomic"}

// deniedNames are what a pure package must not use of those it may import.
var deniedNames = map[string][]string{
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"time": {"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
}

// allowedNames is all that a pure package may use of a package: of syscall,
// the error numbers (a name of capitals alone is one).
var allowedNames = map[string][]string{
	"syscall": {"Errno"},
}

// seededNames is what a seeded package may use of math/rand/v2: sources with a
// seed, never the global one.
var seededNames = []string{"New", "NewPCG", "NewChaCha8", "NewZipf", "PCG", "ChaCha8", "Rand", "Source", "Zipf"}
