import { signal } from "@preact/signals";
import { duration } from "./format";
import { layout } from "./ladder";
import { firstFrom } from "./layout";
import { Kind } from "./run";
import { at, intervene, playing, run, seekTo, speed } from "./store";

/** What a step goes to. */
export type Unit = "event" | "segment" | "state" | "timer" | "caption";

export const unit = signal<Unit>("event");

const kinds: Record<Exclude<Unit, "event">, string> = {
  segment: Kind.send + Kind.arrive + Kind.lose,
  state: Kind.state,
  timer: Kind.timer,
  caption: Kind.note,
};

export function step(direction: 1 | -1, by: Unit = unit.value) {
  const r = run.value;
  if (!r) return;
  if (by === "event") seekTo(at.value + direction);
  else seekTo(r.seek(at.value, direction, kinds[by]));
}

export function toggle() {
  const r = run.value;
  if (!r) return;
  if (!playing.value && at.value === r.count - 1) at.value = 0;
  playing.value = !playing.value;
}

const pace = 700; // milliseconds for a row of the ladder, at speed 1

/** Moves on by a row of the ladder. */
export function advance() {
  const r = run.value;
  const l = layout.value;
  if (!r || !l) return;
  const next = firstFrom(l.rows, at.value + 1);
  if (next >= l.rows.length) {
    at.value = r.count - 1;
    playing.value = false;
    return;
  }
  // Up to just before the row after: with the rules and states of the moment.
  at.value = (next + 1 < l.rows.length ? l.rows[next + 1] : r.count) - 1;
}

export const interval = () => pace / speed.value;

/** The row of the segment that can be interfered with: the one at the cursor, while it is on its way. */
export function flying(): number {
  const r = run.value;
  if (!r) return -1;
  const row = r.segmentAt(at.value);
  return r.inFlight(row, at.value) ? row : -1;
}

/** The moment of the cursor in the notation of interventions. */
export function moment(): string {
  return run.value ? duration(run.value.time[at.value]) : "0s";
}

export type SegmentAction = "drop" | "delay" | "duplicate" | "reorder" | "corrupt";

export function interfere(action: SegmentAction) {
  const row = flying();
  const packet = row < 0 ? 0 : run.value!.outline.segments.packet[row];
  if (packet > 0) intervene(`at #${packet} ${action}`);
}

/** Lets the segment arrive. */
export function pass() {
  const row = flying();
  if (row >= 0 && run.value!.endedAt[row] >= 0) seekTo(run.value!.endedAt[row]);
}
