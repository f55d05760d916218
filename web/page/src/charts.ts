import type uPlot from "uplot";
import type { Key } from "./catalogue";
import { t } from "./language";
import type { Queue, Series } from "./model";
import type { Run } from "./run";
import { timeSequence } from "./timesequence";
import { color } from "./theme";

/** Inks of the style sheet: --ink-1 and so on. */
export interface Legend {
  name: string;
  ink: number;
  shape: string;
}

export interface Drawing {
  data: uPlot.AlignedData;
  series: uPlot.Series[];
  legend: Legend[];
  paint?: (u: uPlot) => void;
}

export interface Chart {
  title: Key;
  make(run: Run, connection: number, side: number): Drawing;
}

export type ChartName = "sequence" | "congestion" | "rtt" | "windows" | "queues";

/** Dashes, so that lines differ without their colours. */
const dashes = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
const shapes = ["━", "╍", "┉", "┅"];

/** A line whose points each hold until the next. */
function stepped(rows: { name: string; values: number[] }[], time: number[]): Drawing {
  const data = [time.map((ns) => ns / 1e9), ...rows.map((r) => r.values)] as uPlot.AlignedData;
  const series = rows.map((r, i) => ({
    label: r.name,
    stroke: () => color(`--ink-${i + 1}`),
    width: 1.5,
    dash: dashes[i % dashes.length],
    points: { show: false },
    paths: steps,
  }));
  const legend = rows.map((r, i) => ({ name: r.name, ink: i + 1, shape: shapes[i % shapes.length] }));
  return { data, series, legend };
}

const steps: uPlot.Series.PathBuilder = (u, index, first, last) => {
  const path = new Path2D();
  const xs = u.data[0];
  const ys = u.data[index];
  const scale = u.series[index].scale ?? "y";
  let y = 0;
  for (let i = first; i <= last; i++) {
    const x = u.valToPos(xs[i], "x", true);
    if (i > first) path.lineTo(x, y);
    y = u.valToPos(ys[i] ?? 0, scale, true);
    if (i === first) path.moveTo(x, y);
    else path.lineTo(x, y);
  }
  return {
    stroke: path,
    fill: null,
    clip: null,
    band: null,
    gaps: null,
    flags: 0,
  } as unknown as uPlot.Series.Paths;
};

function ofEnd(run: Run, connection: number, side: number): Series | undefined {
  const host = run.model.connections[connection].hosts[side];
  return run.model.series.find((s) => s.connection === connection && s.host === host);
}

function fromSeries(pick: (s: Series) => { name: string; values: number[] }[]): Chart["make"] {
  return (run, connection, side) => {
    const s = ofEnd(run, connection, side);
    return s ? stepped(pick(s), s.time) : { data: [[]], series: [], legend: [] };
  };
}

const milliseconds = (ns: number[]) => ns.map((v) => v / 1e6);

function queues(run: Run, connection: number, side: number): Drawing {
  const host = run.model.connections[connection].hosts[side];
  const q: Queue | undefined = run.model.queues.find((x) => x.host === host);
  if (!q || q.time.length === 0) return { data: [[]], series: [], legend: [] };
  // The queues stay as they are until the end.
  const held = (values: number[]) => [...values, values[values.length - 1]];
  return stepped(
    [
      { name: t("synQueue"), values: held(q.syn_queue) },
      { name: t("acceptQueue"), values: held(q.accept) },
      { name: "TIME-WAIT", values: held(q.time_waits) },
    ],
    [...q.time, run.model.end],
  );
}

export const charts: Record<ChartName, Chart> = {
  sequence: { title: "graphSequence", make: timeSequence },
  congestion: {
    title: "graphCongestion",
    make: fromSeries((s) => [
      { name: "cwnd", values: s.cwnd },
      // 0 is none yet: nothing to draw.
      { name: "ssthresh", values: s.ssthresh.map((v) => v || (null as unknown as number)) },
      { name: "flight", values: s.flight },
    ]),
  },
  rtt: {
    title: "graphRTT",
    make: fromSeries((s) => [
      { name: "SRTT ms", values: milliseconds(s.srtt) },
      { name: "RTO ms", values: milliseconds(s.rto) },
    ]),
  },
  windows: {
    title: "graphWindows",
    make: fromSeries((s) => [
      { name: "SND.WND", values: s.snd_wnd },
      { name: "RCV.WND", values: s.rcv_wnd },
      { name: t("unread"), values: s.unread },
      { name: t("notSent"), values: s.not_sent },
    ]),
  },
  queues: { title: "graphQueues", make: queues },
};
