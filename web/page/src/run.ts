import type { Model, Outline, Part, Step } from "./model";

/** The events of one answer; as many come with the run itself. */
export const partSize = 1000;

/** Letters of Outline.kind. */
export const Kind = {
  send: "s",
  arrive: "a",
  lose: "l",
  state: "X",
  rule: "r",
  timer: "t",
  call: "c",
  drop: "d",
  note: "n",
} as const;

/** A run as it came from the server, with what is needed to find one's way in it. Nothing of it changes. */
export class Run {
  /** Nanoseconds since the beginning, for each event. */
  readonly time: Float64Array;
  readonly count: number;
  /** Rows of outline.segments by packet. */
  private readonly row = new Map<number, number>();
  /** The events at which a packet was sent, and arrived or was lost; by row, -1 for none. */
  readonly sentAt: Int32Array;
  readonly endedAt: Int32Array;
  /** The connection of each event, -1 for none: that of the packet where a host drops what it was sent. */
  readonly connection: number[];
  /** The nanoseconds that a segment usually takes, to scale drawings by. */
  readonly flight: number;

  constructor(
    readonly id: string,
    readonly model: Model,
    readonly outline: Outline,
  ) {
    this.count = outline.kind.length;
    this.time = new Float64Array(this.count);
    let now = 0;
    for (let i = 0; i < this.count; i++) {
      now += outline.since[i];
      this.time[i] = now;
    }
    const s = outline.segments;
    const n = s.packet?.length ?? 0;
    for (let i = 0; i < n; i++) this.row.set(s.packet[i], i);
    this.sentAt = new Int32Array(n).fill(-1);
    this.endedAt = new Int32Array(n).fill(-1);
    for (let i = 0; i < this.count; i++) {
      const row = this.rowOf(outline.packet[i]);
      if (row < 0) continue;
      if (outline.kind[i] === Kind.send) this.sentAt[row] = i;
      else this.endedAt[row] = i;
    }
    this.adoptDuplicates();
    this.connection = this.ownersOfDrops();
    this.flight = usualFlight(outline);
  }

  /** A duplicate that the link made is drawn from where the original was sent. */
  private adoptDuplicates() {
    const { packet } = this.outline.segments;
    for (let i = 0; i < this.sentAt.length; i++) {
      if (this.sentAt[i] < 0) this.sentAt[i] = this.sentAt[this.rowOf(Math.abs(packet[i]))] ?? -1;
    }
  }

  /** A drop is no event of a connection, but what was dropped had arrived just before. */
  private ownersOfDrops(): number[] {
    const { kind, host, connection } = this.outline;
    const owners = [...connection];
    for (let i = 0; i < this.count; i++) {
      if (kind[i] !== Kind.drop || connection[i] >= 0) continue;
      for (let k = i - 1; k >= 0 && this.time[k] === this.time[i]; k--) {
        if (kind[k] !== Kind.arrive || host[k] !== host[i]) continue;
        owners[i] = connection[k];
        break;
      }
    }
    return owners;
  }

  /** The row of a packet in outline.segments, -1 for none. */
  rowOf(packet: number): number {
    return packet === 0 ? -1 : (this.row.get(packet) ?? -1);
  }

  /** The last event at or before the time. */
  eventAt(time: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }

  /** The next event (or, with -1, the one before) of which one of the kinds is, or the end. */
  seek(from: number, direction: 1 | -1, kinds: string): number {
    for (let i = from + direction; i >= 0 && i < this.count; i += direction) {
      if (kinds.includes(this.outline.kind[i])) return i;
    }
    return direction > 0 ? this.count - 1 : 0;
  }

  /** The state of one end, as of an event, and the change that led to it. */
  stateAt(connection: number, side: number, event: number) {
    const c = this.model.connections[connection];
    const host = this.hostIndex(c.hosts[side]);
    const changes = this.changes(connection, host);
    const change = changes.findLast((s) => s.event <= event);
    return { state: change?.to ?? changes[0]?.from ?? c.initial[side], change };
  }

  /** The changes of state of one end. What the first one changes is what the end, a listener perhaps, was before. */
  changes(connection: number, host: number): Outline["states"] {
    return this.outline.states.filter((s) => s.connection === connection && s.host === host);
  }

  hostIndex(name: string): number {
    return this.model.hosts.findIndex((h) => h.name === name);
  }

  /** The caption in force at an event, undefined before the first one. */
  stepAt(event: number): Step | undefined {
    return this.outline.steps.findLast((s) => s.event <= event);
  }

  /** The row of the segment that the event, or the last before it that is of a segment, is about. */
  segmentAt(event: number): number {
    for (let i = event; i >= 0; i--) {
      const row = this.rowOf(this.outline.packet[i]);
      if (row >= 0) return row;
    }
    return -1;
  }

  /** Whether a segment was on its way after an event. */
  inFlight(row: number, event: number): boolean {
    return row >= 0 && this.sentAt[row] <= event && (this.endedAt[row] < 0 || this.endedAt[row] > event);
  }

  /** Whether hosts take part that the connections of the story do not know: attackers, other machines. */
  strangers(): boolean {
    const known = new Set(this.model.connections.filter((c) => c.shown).flatMap((c) => c.hosts));
    return this.model.hosts.some((h) => !known.has(h.name));
  }

  /** The connection that is drawn at first. */
  firstConnection(): number {
    return Math.max(
      this.model.connections.findIndex((c) => c.shown),
      0,
    );
  }
}

function usualFlight(o: Outline): number {
  const s = o.segments;
  const list: number[] = [];
  for (let i = 0; i < (s.packet?.length ?? 0) && list.length < 200; i++) {
    if (s.ended[i] > s.sent[i] && !s.lost[i]) list.push(s.ended[i] - s.sent[i]);
  }
  list.sort((a, b) => a - b);
  return list[list.length >> 1] ?? 10e6;
}

/** The variables of an end as of a snapshot of a part. */
export function variables(part: Part, snapshot: number): Record<string, string | number | boolean> {
  const chain: number[] = [];
  for (let i = snapshot; i >= 0; i = part.snapshots[i].previous) chain.push(i);
  const values = {};
  for (const i of chain.reverse()) Object.assign(values, part.snapshots[i].set);
  return values;
}
