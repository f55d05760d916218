import { seconds } from "./format";
import { overscan, type View } from "./ladder";
import { firstFrom, yOfEvent, type Layout } from "./layout";
import type { Run } from "./run";
import { connection } from "./store";

const apart = 11; // pixels between two lines of a gutter

/** The lifelines of the hosts: the states of the chosen connection, and the times at the edges. */
export function Lanes({
  run: r,
  layout: l,
  columns: c,
  begin,
  end,
  cursor,
}: View & { run: Run; cursor: number }) {
  return (
    <g aria-hidden="true">
      {c.x.map((x) => (
        <line key={x} class="lifeline" x1={x} x2={x} y1={begin} y2={end} />
      ))}
      {[0, 1].map((side) => (
        <StateLane
          key={side}
          run={r}
          side={side}
          layout={l}
          columns={c}
          begin={begin}
          end={end}
          cursor={cursor}
        />
      ))}
      <Times run={r} layout={l} columns={c} begin={begin} end={end} />
    </g>
  );
}

/** One end's states, each a strip of its colour with its name at the beginning. */
function StateLane({
  run: r,
  side,
  layout: l,
  columns: c,
  begin,
  end,
  cursor,
}: View & { run: Run; side: number; cursor: number }) {
  const link = r.model.connections[connection.value];
  if (!link) return null;
  const host = r.hostIndex(link.hosts[side]);
  const x = c.x[host];
  if (x === undefined) return null;
  const left = x <= c.width / 2;
  // The name of a long state stays in sight, a little below the edge.
  const sight = begin > 0 ? begin + overscan + 110 : 0;
  return (
    <>
      {strips(r, l, side).map((s, i, all) => {
        const next = all[i + 1]?.y ?? l.height;
        if (next < begin || s.y > end || next === s.y) return null;
        const name = Math.max(s.name, Math.min(sight, next - 4));
        return (
          <g key={i} class={s.y > cursor ? "later" : ""}>
            <rect
              class={`strip s-${s.state}`}
              x={x - 4}
              width={8}
              y={Math.max(s.y, begin)}
              height={Math.max(Math.min(next, end) - Math.max(s.y, begin), 0)}
            />
            <text class="state" x={x + (left ? -9 : 9)} y={name} text-anchor={left ? "end" : "start"}>
              {s.state}
            </text>
          </g>
        );
      })}
    </>
  );
}

interface Strip {
  y: number;
  name: number; // y of the state's name
  state: string;
}

/** The states of one end of the chosen connection: where each begins, and where its name is free of the one above. */
function strips(r: Run, l: Layout, side: number): Strip[] {
  const link = r.model.connections[connection.value];
  if (!link) return [];
  const changes = r.changes(connection.value, r.hostIndex(link.hosts[side]));
  const list: Strip[] = [{ y: 0, name: 14, state: changes[0]?.from ?? link.initial[side] }];
  for (const s of changes) {
    const y = yOfEvent(l, s.event);
    const above = list[list.length - 1];
    if (above.y === y) list.pop(); // a state of no duration
    list.push({ y, name: Math.max(y + 14, (above.y === y ? 0 : above.name) + apart), state: s.to });
  }
  return list;
}

/** When things happen, on the side where they do. */
function Times({ run: r, layout: l, columns: c, begin, end }: View & { run: Run }) {
  const list = [];
  const free = [0, 0]; // from where on each gutter has room
  const shown = ["", ""];
  const narrow = c.gutter < 130;
  const names = narrow ? [0, 1].map((side) => strips(r, l, side).map((s) => s.name)) : [[], []];
  for (let i = firstFrom(l.y, begin); i < l.rows.length && l.y[i] < end; i++) {
    const host = r.outline.host[l.rows[i]];
    const side = host === c.x.length - 1 ? 1 : 0;
    const text = seconds(r.time[l.rows[i]]);
    if ((host !== 0 && side === 0) || l.y[i] < free[side] || shown[side] === text) continue;
    if (names[side].some((y) => Math.abs(y - l.y[i] - 3) < 9)) continue; // no room beside the name of a state
    free[side] = l.y[i] + apart;
    shown[side] = text;
    list.push(
      <text
        key={i}
        class="time"
        x={side ? c.width - 4 : 4}
        y={l.y[i] + 3}
        text-anchor={side ? "end" : "start"}
      >
        {text}
      </text>,
    );
  }
  return <>{list}</>;
}
