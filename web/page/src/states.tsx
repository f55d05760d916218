import { useEffect, useRef } from "preact/hooks";
import { t } from "./language";
import { at, connection, run } from "./store";

/** The eleven states of RFC 9293, Figure 5, where they are drawn. */
const places: Record<string, [number, number]> = {
  CLOSED: [260, 24],
  LISTEN: [260, 84],
  "SYN-RECEIVED": [110, 144],
  "SYN-SENT": [410, 144],
  ESTABLISHED: [260, 200],
  "FIN-WAIT-1": [110, 256],
  "CLOSE-WAIT": [410, 256],
  "FIN-WAIT-2": [60, 330],
  CLOSING: [216, 330],
  "LAST-ACK": [410, 330],
  "TIME-WAIT": [160, 398],
};

/** Its edges. Another one that a connection takes, as after a reset, is drawn when it is taken. */
const edges: [string, string][] = [
  ["CLOSED", "LISTEN"],
  ["CLOSED", "SYN-SENT"],
  ["LISTEN", "SYN-RECEIVED"],
  ["LISTEN", "SYN-SENT"],
  ["SYN-SENT", "SYN-RECEIVED"],
  ["SYN-RECEIVED", "ESTABLISHED"],
  ["SYN-SENT", "ESTABLISHED"],
  ["SYN-RECEIVED", "FIN-WAIT-1"],
  ["ESTABLISHED", "FIN-WAIT-1"],
  ["ESTABLISHED", "CLOSE-WAIT"],
  ["FIN-WAIT-1", "FIN-WAIT-2"],
  ["FIN-WAIT-1", "CLOSING"],
  ["FIN-WAIT-1", "TIME-WAIT"],
  ["FIN-WAIT-2", "TIME-WAIT"],
  ["CLOSING", "TIME-WAIT"],
  ["CLOSE-WAIT", "LAST-ACK"],
  ["LAST-ACK", "CLOSED"],
  ["TIME-WAIT", "CLOSED"],
];

type Point = [number, number];

/** An edge as three points of a curve; two go around the outside. */
function curve(from: string, to: string): [Point, Point, Point] {
  const a = places[from];
  const b = places[to];
  const middle: Point = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  if (from === "LAST-ACK" && to === "CLOSED") return [a, [640, 110], b];
  if (from === "TIME-WAIT" && to === "CLOSED") return [a, [-190, 60], b];
  return [a, middle, b];
}

function along([a, m, b]: [Point, Point, Point], s: number): Point {
  const mix = (i: 0 | 1) => (1 - s) ** 2 * a[i] + 2 * s * (1 - s) * m[i] + s * s * b[i];
  return [mix(0), mix(1)];
}

export function States() {
  const r = run.value;
  const link = r?.model.connections[connection.value];
  if (!r || !link) return null;
  const ends = [0, 1].map((side) => r.stateAt(connection.value, side, at.value));
  const taken = new Set(ends.filter((e) => e.change).map((e) => `${e.change!.from}>${e.change!.to}`));
  const extra = ends
    .filter((e) => e.change && places[e.change.from] && places[e.change.to])
    .map((e): [string, string] => [e.change!.from, e.change!.to])
    .filter(([a, b]) => !edges.some(([x, y]) => x === a && y === b));
  const sentence = ends.map((e, i) => `${link.hosts[i]}: ${e.state}`).join(", ");
  return (
    <section class="panel states" aria-label={t("states")}>
      <h2>{t("states")}</h2>
      <svg viewBox="0 0 520 424" role="img" aria-label={sentence}>
        <defs>
          <marker
            id="tip"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerUnits="userSpaceOnUse"
            markerWidth="9"
            markerHeight="9"
            orient="auto"
          >
            <path d="M0 0l8 4-8 4z" />
          </marker>
        </defs>
        {[...edges, ...extra].map(([a, b]) => (
          <Edge key={a + b} from={a} to={b} taken={taken.has(`${a}>${b}`)} />
        ))}
        {Object.entries(places).map(([name, [x, y]]) => (
          <g key={name} class={ends.some((e) => e.state === name) ? "node here" : "node"}>
            <rect class={`s-${name}`} x={x - 52} y={y - 14} width={104} height={28} rx={6} />
            <text x={x} y={y + 4} text-anchor="middle">
              {name}
            </text>
          </g>
        ))}
        {ends.map((e, i) => (
          <Token key={i} side={i} state={e.state} from={e.change?.from} />
        ))}
      </svg>
      <p class="legend">
        {link.hosts.map((h, i) => (
          <span key={i}>
            <b aria-hidden="true">{i === 0 ? "●" : "■"}</b> {h}:{" "}
            {ends[i].change ? `${ends[i].change!.from} → ` : ""}
            <b>{ends[i].state}</b>
          </span>
        ))}
      </p>
    </section>
  );
}

function Edge({ from, to, taken }: { from: string; to: string; taken: boolean }) {
  const c = curve(from, to);
  // The tip ends where the box of the state begins.
  let s = 1;
  const [bx, by] = places[to];
  while (s > 0) {
    const [x, y] = along(c, s);
    if (Math.abs(x - bx) > 54 || Math.abs(y - by) > 16) break;
    s -= 0.01;
  }
  const points = Array.from({ length: 25 }, (_, i) =>
    along(c, (s * i) / 24)
      .map((n) => n.toFixed(1))
      .join(" "),
  );
  return <path class={taken ? "edge taken" : "edge"} d={`M${points.join("L")}`} marker-end="url(#tip)" />;
}

/** The token of an end; it moves along the edge that its end takes. */
function Token({ side, state, from }: { side: number; state: string; from?: string }) {
  const g = useRef<SVGGElement>(null);
  const last = useRef(state);
  useEffect(() => {
    const c = from && last.current === from && places[from] ? curve(from, state) : undefined;
    last.current = state;
    const put = ([x, y]: Point) =>
      g.current?.setAttribute("transform", `translate(${x + (side ? 44 : -44)} ${y - 14})`);
    if (!places[state]) return;
    if (!c || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      put(places[state]);
      return;
    }
    let frame = 0;
    let begin = 0;
    const move = (now: number) => {
      begin ||= now;
      const s = Math.min((now - begin) / 450, 1);
      put(along(c, s));
      if (s < 1) frame = requestAnimationFrame(move);
    };
    frame = requestAnimationFrame(move);
    return () => cancelAnimationFrame(frame);
  }, [state, from]);
  return (
    <g ref={g} class={`end end-${side}`}>
      {side ? <rect x={-8} y={-8} width={16} height={16} rx={2} /> : <circle r={9} />}
      <text y={4} text-anchor="middle">
        {run.value?.model.connections[connection.value]?.hosts[side][0].toUpperCase()}
      </text>
    </g>
  );
}
