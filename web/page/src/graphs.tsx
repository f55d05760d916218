import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { charts, type Chart, type ChartName } from "./charts";
import { t } from "./language";
import type { Run } from "./run";
import { at, connection, run, seekTo } from "./store";
import { color, onThemeChange } from "./theme";

const chosen = signal<ChartName>("sequence");
const side = signal(-1); // -1: who sent most

/** Graphs over time. All share the cursor of the ladder. */
export function Graphs() {
  const r = run.value;
  const link = r?.model.connections[connection.value];
  if (!r || !link) return null;
  const end = side.value < 0 ? (link.bytes[1] > link.bytes[0] ? 1 : 0) : side.value;
  const names = Object.keys(charts) as ChartName[];
  return (
    <section class="panel graphs" aria-label={t("graphs")}>
      <div class="bar">
        <h2>{t("graphs")}</h2>
        <label>
          <span class="unseen">{t("graphs")}</span>
          <select value={chosen.value} onChange={(e) => (chosen.value = e.currentTarget.value as ChartName)}>
            {names.map((n) => (
              <option key={n} value={n}>
                {t(charts[n].title)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t("host")}{" "}
          <select value={end} onChange={(e) => (side.value = Number(e.currentTarget.value))}>
            {link.hosts.map((h, i) => (
              <option key={i} value={i}>
                {h}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Plot
        key={`${chosen.value}.${end}.${connection.value}`}
        run={r}
        chart={charts[chosen.value]}
        side={end}
      />
    </section>
  );
}

function Plot({ run: r, chart, side: end }: { run: Run; chart: Chart; side: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const line = useRef<HTMLDivElement | null>(null);
  const { data, series, paint, legend } = chart.make(r, connection.value, end);
  const empty = data[0].length === 0;

  useEffect(() => {
    if (empty) return;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(box.current!, series, paint), data, box.current!);
      line.current = document.createElement("div");
      line.current.className = "now";
      plot.current.over.append(line.current);
      moveLine();
    };
    const observer = new ResizeObserver(([e]) =>
      plot.current?.setSize({ width: e.contentRect.width, height: 240 }),
    );
    build();
    observer.observe(box.current!);
    const stop = onThemeChange(build);
    return () => {
      stop();
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [r, chart, end]);

  const moveLine = () => {
    if (!plot.current || !line.current) return;
    const x = plot.current.valToPos(r.time[at.peek()] / 1e9, "x");
    line.current.style.transform = `translateX(${x}px)`;
    line.current.hidden = x < 0 || x > plot.current.over.clientWidth;
  };
  useEffect(moveLine, [at.value]);

  const zoom = (factor: number) => {
    const u = plot.current;
    if (!u) return;
    const whole = [0, r.model.end / 1e9];
    const { min = whole[0], max = whole[1] } = u.scales.x;
    const middle = r.time[at.peek()] / 1e9;
    const half = ((max! - min!) * factor) / 2;
    const range =
      factor === 0 ? whole : [Math.max(whole[0], middle - half), Math.min(whole[1], middle + half)];
    u.setScale("x", { min: range[0], max: range[1] });
    moveLine();
  };

  if (empty) return <p>{t("noData")}</p>;
  return (
    <>
      <div
        class="plot"
        ref={box}
        role="img"
        aria-label={`${t(chart.title)}: ${legend.map((l) => l.name).join(", ")}`}
        onClick={(e) => {
          const u = plot.current;
          if (!u || u.select.width > 0) return;
          const x = e.clientX - u.over.getBoundingClientRect().left;
          seekTo(r.eventAt(u.posToVal(x, "x") * 1e9));
        }}
      />
      <p class="legend">
        {legend.map((l) => (
          <span key={l.name}>
            <b class={`ink-${l.ink}`} aria-hidden="true">
              {l.shape}
            </b>{" "}
            {l.name}
          </span>
        ))}
      </p>
      <div class="row">
        <button type="button" onClick={() => zoom(0.5)}>
          {t("zoomIn")}
        </button>
        <button type="button" onClick={() => zoom(2)}>
          {t("zoomOut")}
        </button>
        <button type="button" onClick={() => zoom(0)}>
          {t("whole")}
        </button>
      </div>
    </>
  );
}

function options(box: HTMLElement, series: uPlot.Series[], paint?: (u: uPlot) => void): uPlot.Options {
  const axis = {
    stroke: color("--text"),
    grid: { stroke: color("--grid"), width: 1 },
    ticks: { stroke: color("--grid") },
  };
  return {
    width: box.clientWidth || 400,
    height: 240,
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false } },
    scales: { x: { time: false } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((v) => `${v} s`) },
      { ...axis, size: 64, values: (_, ticks) => ticks.map(short) },
    ],
    series: [{}, ...series],
    hooks: paint ? { draw: [paint] } : {},
  };
}

/** A number of bytes, or of anything, in few letters. */
function short(v: number): string {
  if (Math.abs(v) >= 1e6) return `${v / 1e6}M`;
  if (Math.abs(v) >= 1e4) return `${v / 1e3}k`;
  return String(v);
}
