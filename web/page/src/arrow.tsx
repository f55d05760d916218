import { Glyph, type GlyphName } from "./glyph";
import { memo } from "./memo";
import type { Columns } from "./ladder";
import type { Segment } from "./model";
import { segmentSentence } from "./sentence";
import { seekTo } from "./store";
import type { Run } from "./run";

interface Props {
  run: Run;
  segment: number;
  y1: number;
  y2: number;
  columns: Columns;
  cursor: number;
  chosen: boolean;
  detail?: Segment;
}

/** What a packet looks like: a class for its colour, a shape at its beginning. */
export function look(kind: string, repeats: number): GlyphName {
  if (repeats) return "again";
  switch (kind) {
    case "syn":
    case "syn-ack":
      return "syn";
    case "fin":
    case "data":
    case "udp":
      return kind;
    case "reset":
      return "rst";
    case "keep-alive":
    case "window-probe":
      return "probe";
    case "icmp":
    case "igmp":
    case "ip":
      return "control";
  }
  return "ack";
}

/** One segment on its way from host to host, down with time. */
function ArrowOf({ run, segment, y1, y2, columns: c, cursor, chosen, detail }: Props) {
  const s = run.outline.segments;
  const { kind, repeats } = { kind: s.kind[segment], repeats: s.repeats[segment] };
  const lost = s.lost[segment] === 1;
  const from = s.from[segment];
  const to = s.to[segment];
  const x1 = c.x[from] ?? c.width / 2;
  const full = c.x[to] ?? c.width / 2;
  const x2 = lost ? x1 + (full - x1) * 0.62 : full;
  const right = x2 > x1;
  const style = look(kind, repeats);
  // As of the cursor: not yet sent, on its way so far, or there.
  const share = y2 > y1 ? Math.max(0, Math.min(1, (cursor - y1) / (y2 - y1))) : cursor >= y1 ? 1 : 0;
  const later = cursor < y1;
  const mx = x1 + (x2 - x1) * share;
  const my = y1 + (y2 - y1) * share;
  const angle = (Math.atan2(y2 - y1, Math.abs(x2 - x1)) * 180) / Math.PI;
  const steep = angle > 12;
  const tx = x1 + (right ? 16 : -16);
  const turn = steep ? "" : `rotate(${right ? angle : -angle} ${x1} ${y1})`;
  const names = ["arrow", style, later && "later", chosen && "chosen", lost && "lost"];
  return (
    <g
      class={names.filter(Boolean).join(" ")}
      role="listitem"
      aria-label={detail ? segmentSentence(detail) : `#${Math.abs(s.packet[segment])}`}
      data-packet={s.packet[segment]}
      onClick={() => seekTo(run.sentAt[segment])}
    >
      <line class="hit" x1={x1} y1={y1} x2={x2} y2={y2} />
      <line class="ghost" x1={x1} y1={y1} x2={x2} y2={y2} />
      {share > 0 && <line class="way" x1={x1} y1={y1} x2={mx} y2={my} />}
      <Glyph name={style} x={x1 + (right ? 8 : -8)} y={y1} flip={!right} />
      {lost ? (
        <path class="end" d={`M${x2 - 6} ${y2 - 6}l12 12m0 -12l-12 12`} />
      ) : (
        <path
          class="head"
          d={`M${x2} ${y2}l${right ? -9 : 9} -5v9z`}
          transform={turnHead(x2, y2, right, angle)}
        />
      )}
      {share > 0 && share < 1 && <circle class="token" cx={mx} cy={my} r={5} />}
      <text class="label" x={tx} y={y1 - 4} text-anchor={right ? "start" : "end"} transform={turn}>
        {label(run, segment, c.apart < 170, detail)}
      </text>
    </g>
  );
}

function turnHead(x: number, y: number, right: boolean, angle: number): string {
  return `rotate(${right ? angle : -angle} ${x} ${y})`;
}

/** "#5 P. 1:62(61) ack 1": without options, which the inspector has; "#5 P." where there is little room. */
function label(run: Run, i: number, narrow: boolean, detail?: Segment): string {
  const s = run.outline.segments;
  const number = `#${Math.abs(s.packet[i])}${s.packet[i] < 0 ? "′" : ""}`;
  if (narrow) return `${number} ${detail?.words?.split(" ")[0] ?? s.kind[i]}`;
  if (!detail?.words) return `${number} ${s.kind[i]} ${s.seq[i]}(${s.len[i]})`;
  const marks =
    (detail.corrupted ? " ⚡" : "") + (detail.delayed ? " ⏳" : "") + (detail.marked ? " CE" : "");
  return `${number} ${detail.words.replace(/ win \d+.*$/, "").replace(/ <.*$/, "")}${marks}`;
}

/** Far from the cursor nothing changes, so nothing is drawn anew. */
export const Arrow = memo(ArrowOf, (a, b) => {
  const phase = (p: Props) => Math.max(0, Math.min(p.cursor, p.y2) - p.y1 + (p.cursor < p.y1 ? -1 : 0));
  return (
    a.run === b.run &&
    a.y1 === b.y1 &&
    a.y2 === b.y2 &&
    a.columns.width === b.columns.width &&
    a.columns.x.length === b.columns.x.length &&
    a.chosen === b.chosen &&
    a.detail === b.detail &&
    a.cursor < a.y1 === b.cursor < b.y1 &&
    phase(a) === phase(b)
  );
});
