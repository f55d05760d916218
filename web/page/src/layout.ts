import { Kind, type Run } from "./run";

/** Which connections the ladder shows: those of the story, the chosen one, or all. */
export type Filter = "shown" | "one" | "all";

/** A long wait that the ladder cuts short. */
export interface Break {
  y: number;
  height: number;
  wait: number; // nanoseconds
}

/** Where everything of a ladder is. Rows are the events that are drawn. */
export interface Layout {
  rows: Int32Array; // events
  y: Float64Array; // of each row
  breaks: Break[];
  height: number;
  /** Rows of outline.segments that are drawn, by their beginning; where each ends; and the furthest end so far. */
  segments: Int32Array;
  from: Float64Array;
  to: Float64Array;
  furthest: Float64Array;
}

const top = 16;
const closeBy = 8; // between rows, at least
// How far words reach above and below their row: those of an arrow stand on it, those of a mark beside it.
const above = { arrow: 14, mark: 6 };
const below = { arrow: 6, mark: 8 };
const stretch = 60; // pixels for the time that a segment usually takes
const longest = 84;
const breakHeight = 36;
const breakFrom = 12; // usual flights

/** A test whether a connection is to be drawn. */
export function included(run: Run, filter: Filter, chosen: number): (connection: number) => boolean {
  if (filter === "all") return () => true;
  if (filter === "one") return (c) => c === chosen;
  return (c) => c < 0 || run.model.connections[c].shown;
}

export function layOut(run: Run, filter: Filter, chosen: number): Layout {
  const { kind, host } = run.outline;
  const { connection } = run;
  const shows = included(run, filter, chosen);
  const rows: number[] = [];
  const ys: number[] = [];
  const breaks: Break[] = [];
  const yOf = new Float64Array(run.count);
  let y = top;
  let last = -1;
  const written = new Map<number, number>(); // by host: down to where there are words
  for (let i = 0; i < run.count; i++) {
    const k = kind[i];
    if (k !== Kind.state && k !== Kind.rule && k !== Kind.note && shows(connection[i])) {
      if (last >= 0) {
        const wait = run.time[i] - run.time[last];
        y += closeBy;
        if (wait > breakFrom * run.flight) {
          breaks.push({ y, height: breakHeight, wait });
          y += breakHeight;
        } else {
          y += Math.min(longest, (stretch * wait) / run.flight);
        }
      }
      if (k !== Kind.arrive && k !== Kind.lose) {
        const what = k === Kind.send ? "arrow" : "mark";
        y = Math.max(y, (written.get(host[i]) ?? 0) + above[what]);
        written.set(host[i], y + below[what]);
      }
      rows.push(i);
      ys.push(y);
      last = i;
    }
    yOf[i] = y;
  }
  const height = y + 40;
  return {
    rows: Int32Array.from(rows),
    y: Float64Array.from(ys),
    breaks,
    height,
    ...arrows(run, shows, yOf, height),
  };
}

function arrows(run: Run, shows: (c: number) => boolean, yOf: Float64Array, height: number) {
  const list: number[] = [];
  for (let i = 0; i < run.sentAt.length; i++) {
    if (run.sentAt[i] >= 0 && shows(run.outline.segments.connection[i])) list.push(i);
  }
  list.sort((a, b) => run.sentAt[a] - run.sentAt[b]);
  const from = new Float64Array(list.length);
  const to = new Float64Array(list.length);
  const furthest = new Float64Array(list.length);
  let most = 0;
  list.forEach((segment, i) => {
    from[i] = yOf[run.sentAt[segment]];
    to[i] = run.endedAt[segment] < 0 ? height : yOf[run.endedAt[segment]];
    most = Math.max(most, to[i]);
    furthest[i] = most;
  });
  return { segments: Int32Array.from(list), from, to, furthest };
}

/** The first index at which the rising values are at least the limit. */
export function firstFrom(values: Float64Array | Int32Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where an event is: at the last row that is not after it. */
export function yOfEvent(l: Layout, event: number): number {
  const i = firstFrom(l.rows, event + 1) - 1;
  return i < 0 ? 0 : l.y[i];
}
