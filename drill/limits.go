package drill

import "time"

const (
	// maxScriptTime is how far a script's clock may run. TIME-WAIT is 4
	// minutes at most and keep-alive begins after two hours; a day leaves room.
	maxScriptTime = 24 * time.Hour
	// maxSteps bounds how often the engine's timers may fire in one script.
	maxSteps = 20_000
)
