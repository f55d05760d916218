import type uPlot from "uplot";
import type { Drawing } from "./charts";
import { t } from "./language";
import type { Run } from "./run";
import { color } from "./theme";

/** What is drawn, in the x of seconds and the y of relative sequence numbers. */
interface Glyphs {
  data: number[]; // rows of outline.segments: sent by the host
  acks: number[]; // received by it
  sack: [number, number, number][]; // row, left, right
}

/**
 * The time-sequence graph with the glyphs of tcptrace, for what one end sends: each segment is a bar from its
 * first to its last number, red where it was sent again; below runs the line of what is acknowledged, above that
 * of the window; blocks of SACK lie between; S, F and R mark SYN, FIN and RST.
 */
export function timeSequence(run: Run, connection: number, side: number): Drawing {
  const host = run.hostIndex(run.model.connections[connection].hosts[side]);
  const s = run.outline.segments;
  const glyphs: Glyphs = { data: [], acks: [], sack: [] };
  let most = 1;
  let end = 0;
  for (let i = 0; i < s.packet.length; i++) {
    if (s.connection[i] !== connection) continue;
    end = Math.max(end, s.sent[i], s.ended[i]);
    if (s.from[i] === host) {
      glyphs.data.push(i);
      most = Math.max(most, s.seq[i] + s.len[i]);
    } else if (!s.lost[i] && s.ended[i] >= 0 && s.kind[i] !== "syn" && s.kind[i] !== "reset") {
      glyphs.acks.push(i);
      most = Math.max(most, s.ack[i]);
    }
  }
  for (const [row, left, right] of s.sack) {
    if (s.connection[row] === connection && s.from[row] !== host) glyphs.sack.push([row, left, right]);
  }
  glyphs.acks.sort((a, b) => s.ended[a] - s.ended[b]);
  return {
    data: [
      [0, end / 1e9],
      [0, most * 1.05],
    ],
    series: [{ show: true, stroke: "transparent", points: { show: false } }],
    paint: (u) => paintGlyphs(u, run, glyphs),
    legend: [
      { name: t("data"), ink: 1, shape: "┃" },
      { name: `${t("retransmission")} R`, ink: 4, shape: "┃" },
      { name: "ACK", ink: 2, shape: "━" },
      { name: t("window"), ink: 3, shape: "┉" },
      { name: "SACK", ink: 5, shape: "┃" },
    ],
  };
}

function paintGlyphs(u: uPlot, run: Run, glyphs: Glyphs) {
  const s = run.outline.segments;
  const g = u.ctx;
  const scale = devicePixelRatio;
  const x = (ns: number) => u.valToPos(ns / 1e9, "x", true);
  const y = (v: number) => u.valToPos(v, "y", true);
  const { min, max } = u.scales.x;
  const seen = (ns: number) => ns >= min! * 1e9 && ns <= max! * 1e9;
  g.save();
  g.beginPath();
  g.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  g.clip();
  g.lineWidth = 1.5 * scale;
  const end = u.bbox.left + u.bbox.width;
  paintSent(g, glyphs, run, x, y, seen, scale);
  paintSteps(g, glyphs.acks, (i) => [x(s.ended[i]), y(s.ack[i])], color("--ink-2"), [], end);
  const dotted = [2 * scale, 3 * scale];
  paintSteps(
    g,
    glyphs.acks,
    (i) => [x(s.ended[i]), y(s.ack[i] + s.window[i])],
    color("--ink-3"),
    dotted,
    end,
  );
  g.strokeStyle = color("--ink-5");
  g.beginPath();
  for (const [row, left, right] of glyphs.sack) {
    if (!seen(s.ended[row])) continue;
    g.moveTo(x(s.ended[row]), y(left));
    g.lineTo(x(s.ended[row]), y(right));
  }
  g.stroke();
  g.restore();
}

type Place = (v: number) => number;

function paintSent(
  g: CanvasRenderingContext2D,
  glyphs: Glyphs,
  run: Run,
  x: Place,
  y: Place,
  seen: (ns: number) => boolean,
  scale: number,
) {
  const s = run.outline.segments;
  const letters: Record<string, string> = { syn: "S", "syn-ack": "S", fin: "F", reset: "R" };
  g.font = `${11 * scale}px sans-serif`;
  // The axes were written before, and their way of writing is still in force.
  g.textAlign = "left";
  g.textBaseline = "bottom";
  for (const again of [false, true]) {
    g.strokeStyle = g.fillStyle = color(again ? "--ink-4" : "--ink-1");
    g.beginPath();
    for (const i of glyphs.data) {
      if (!!s.repeats[i] !== again || !seen(s.sent[i])) continue;
      const at = x(s.sent[i]);
      const low = y(s.seq[i]);
      const high = y(s.seq[i] + s.len[i]);
      if (s.len[i] > 0) {
        g.moveTo(at - 2 * scale, low);
        g.lineTo(at + 2 * scale, low);
        g.moveTo(at, low);
        g.lineTo(at, high);
        g.moveTo(at - 2 * scale, high);
        g.lineTo(at + 2 * scale, high);
      }
      const letter = letters[s.kind[i]] ?? (again ? "R" : "");
      if (letter) g.fillText(letter, at + 3 * scale, high - 2 * scale);
    }
    g.stroke();
  }
}

/** A line that holds each value until the next, the last one to the end of the graph. */
function paintSteps(
  g: CanvasRenderingContext2D,
  rows: number[],
  point: (row: number) => [number, number],
  stroke: string,
  dash: number[],
  end: number,
) {
  g.strokeStyle = stroke;
  g.setLineDash(dash);
  g.beginPath();
  let last = 0;
  rows.forEach((row, i) => {
    const [px, py] = point(row);
    if (i === 0) g.moveTo(px, py);
    else {
      g.lineTo(px, last);
      g.lineTo(px, py);
    }
    last = py;
  });
  if (rows.length > 0) g.lineTo(end, last);
  g.stroke();
  g.setLineDash([]);
}
