/** Nanoseconds as seconds, with digits down to a tenth of a millisecond. */
export function seconds(ns: number): string {
  return (ns / 1e9).toFixed(4);
}

/** Nanoseconds as a wait: "60 s", "20 ms". */
export function wait(ns: number): string {
  if (ns >= 1e9) return `${round(ns / 1e9)} s`;
  if (ns >= 1e6) return `${round(ns / 1e6)} ms`;
  return `${round(ns / 1e3)} µs`;
}

/** Nanoseconds in the notation of Go's durations, exactly. */
export function duration(ns: number): string {
  return `${ns / 1e6}ms`;
}

function round(x: number): string {
  return String(Number(x.toFixed(x < 10 ? 2 : 1)));
}

/** A variable with its unit. */
export function value(v: string | number | boolean | undefined, unit: string): string {
  if (v === undefined) return "–";
  if (typeof v === "boolean") return v ? "on" : "off";
  if (unit === "ns" && typeof v === "number") return v === 0 ? "–" : wait(v);
  return String(v);
}
