import { computed, signal, useComputed } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Arrow } from "./arrow";
import { wait, seconds } from "./format";
import { Glyph, type GlyphName } from "./glyph";
import { Lanes } from "./lanes";
import { t } from "./language";
import { firstFrom, layOut, yOfEvent, type Layout } from "./layout";
import { Kind, type Run } from "./run";
import { at, connection, filter, partOf, run, seekTo } from "./store";
import { eventSentence } from "./sentence";
import type { Filter } from "./layout";

export const overscan = 200; // pixels that are drawn above and below what is seen
const most = 600; // arrows drawn at once

/** The columns of the ladder. */
export interface Columns {
  width: number;
  gutter: number;
  apart: number; // from host to host
  x: number[]; // of each host
}

function columns(width: number, hosts: number): Columns {
  const gutter = width < 480 || hosts > 4 ? 88 : 130;
  const apart = hosts > 1 ? (width - 2 * gutter) / (hosts - 1) : 0;
  return { width, gutter, apart, x: Array.from({ length: hosts }, (_, i) => gutter + i * apart) };
}

const size = signal({ width: 640, height: 480 });
const scroll = signal(0);

export const layout = computed<Layout | undefined>(() =>
  run.value ? layOut(run.value, filter.value, connection.value) : undefined,
);

export function Ladder() {
  const box = useRef<HTMLDivElement>(null);
  useFollow(box);
  useEffect(() => {
    const observer = new ResizeObserver(([e]) => {
      size.value = { width: Math.floor(e.contentRect.width), height: Math.floor(e.contentRect.height) };
    });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const r = run.value;
  const l = layout.value;
  return (
    <section class="panel ladder" aria-label={t("ladder")}>
      <LadderHead />
      <div
        class="scroll"
        ref={box}
        tabIndex={0}
        role="group"
        aria-label={t("ladder")}
        onScroll={(e) => (scroll.value = e.currentTarget.scrollTop)}
      >
        {r && l && <Drawing run={r} layout={l} />}
      </div>
    </section>
  );
}

function LadderHead() {
  const r = run.value;
  const c = columns(size.value.width, r?.model.hosts.length ?? 2);
  const list = r?.model.connections ?? [];
  return (
    <>
      <div class="bar">
        <h2>{t("ladder")}</h2>
        <label>
          {t("show")}{" "}
          <select value={filter.value} onChange={(e) => (filter.value = e.currentTarget.value as Filter)}>
            <option value="shown">{t("filterShown")}</option>
            <option value="one">{t("filterOne")}</option>
            <option value="all">{t("filterAll")}</option>
          </select>
        </label>
        {list.length > 1 && (
          <label>
            {t("connection")}{" "}
            <select
              value={connection.value}
              onChange={(e) => (connection.value = Number(e.currentTarget.value))}
            >
              {list.map((x, i) => (
                <option value={i} key={i}>
                  {i + 1}: {x.addrs[0]} {x.shown ? "★" : ""}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <svg class="hosts" width={c.width} height={34} aria-hidden="true">
        {r?.model.hosts.map((h, i) => (
          <text key={h.name} x={c.x[i]} y={14} text-anchor="middle">
            <tspan class="host">{h.name}</tspan>
            {c.apart > 76 && (
              <tspan class="faint" x={c.x[i]} dy={14}>
                {h.addr}
              </tspan>
            )}
          </text>
        ))}
      </svg>
    </>
  );
}

/** Keeps the cursor in sight. */
function useFollow(box: { current: HTMLDivElement | null }) {
  const y = useComputed(() => (layout.value ? yOfEvent(layout.value, at.value) : 0));
  useEffect(() => {
    const e = box.current!;
    const height = e.clientHeight;
    if (y.value >= e.scrollTop + 30 && y.value <= e.scrollTop + height - 60) return;
    const top = Math.max(0, y.value - height * 0.6);
    // What is further than a screen away is jumped to.
    e.scrollTo({ top, behavior: Math.abs(top - e.scrollTop) > height ? "instant" : "auto" });
  }, [y.value]);
}

function Drawing({ run: r, layout: l }: { run: Run; layout: Layout }) {
  const { width, height } = size.value;
  const c = columns(width, r.model.hosts.length);
  // Drawn anew only when the reader has scrolled half of what is drawn in reserve.
  const begin = Math.max(0, Math.floor(scroll.value / (overscan / 2)) * (overscan / 2) - overscan);
  const end = Math.min(begin + height + 2.5 * overscan, l.height);
  const cursor = yOfEvent(l, at.value);
  return (
    <div class="spacer" style={{ height: `${l.height}px` }}>
      <svg
        width={width}
        height={Math.max(end - begin, 1)}
        viewBox={`0 ${begin} ${width} ${Math.max(end - begin, 1)}`}
        style={{ top: `${begin}px` }}
        role="list"
        aria-label={t("ladder")}
      >
        <line class="cursor" x1={50} x2={width - 50} y1={cursor} y2={cursor} aria-hidden="true" />
        <Lanes run={r} layout={l} columns={c} begin={begin} end={end} cursor={cursor} />
        <Breaks layout={l} columns={c} begin={begin} end={end} />
        <Arrows run={r} layout={l} columns={c} begin={begin} end={end} cursor={cursor} />
        <Marks run={r} layout={l} columns={c} begin={begin} end={end} />
      </svg>
    </div>
  );
}

export interface View {
  layout: Layout;
  columns: Columns;
  begin: number;
  end: number;
}

function Breaks({ layout: l, columns: c, begin, end }: View) {
  return (
    <g aria-hidden="true">
      {l.breaks
        .filter((b) => b.y + b.height > begin && b.y < end)
        .map((b) => (
          <g key={b.y} class="break">
            {c.x.map((x) => (
              <path key={x} d={zigzag(x, b.y + b.height / 2)} />
            ))}
            <text
              x={(c.x[0] + c.x[Math.min(1, c.x.length - 1)]) / 2}
              y={b.y + b.height / 2 + 4}
              text-anchor="middle"
            >
              {c.apart < 170 ? wait(b.wait) : `· · · ${wait(b.wait)} ${t("later")} · · ·`}
            </text>
          </g>
        ))}
    </g>
  );
}

/** A lane that is cut. */
function zigzag(x: number, y: number): string {
  return `M${x - 9} ${y - 6}l6 6 6 -6 6 6M${x - 9} ${y}l6 6 6 -6 6 6`;
}

function Arrows({ run: r, layout: l, columns: c, begin, end, cursor }: View & { run: Run; cursor: number }) {
  const list = [];
  const chosen = r.segmentAt(at.value);
  for (let i = firstFrom(l.furthest, begin); i < l.segments.length && l.from[i] < end; i++) {
    if (l.to[i] < begin) continue;
    if (list.length === most) break;
    const segment = l.segments[i];
    list.push(
      <Arrow
        key={segment}
        run={r}
        segment={segment}
        y1={l.from[i]}
        y2={l.to[i]}
        columns={c}
        cursor={cursor}
        chosen={segment === chosen}
        detail={detail(r, segment)}
      />,
    );
  }
  return <g class={list.length > 150 ? "dense" : ""}>{list}</g>;
}

/** The segment with all that is known of it, once its part came. */
function detail(r: Run, segment: number) {
  const event = r.sentAt[segment];
  const part = partOf(event);
  const index = part?.events[event - part.window.first_event]?.segment;
  return index === undefined ? undefined : part!.segments[index];
}

/** Calls, timers and drops: what happens inside a host. */
function Marks({ run: r, layout: l, columns: c, begin, end }: View & { run: Run }) {
  const list = [];
  const { kind, host } = r.outline;
  for (let i = firstFrom(l.y, begin); i < l.rows.length && l.y[i] < end; i++) {
    const event = l.rows[i];
    const k = kind[event];
    if (k !== Kind.call && k !== Kind.timer && k !== Kind.drop) continue;
    const part = partOf(event);
    const e = part?.events[event - part.window.first_event];
    const right = host[event] === c.x.length - 1;
    const shape: GlyphName = k === Kind.call ? "call" : k === Kind.timer ? "timer" : "drop";
    const words = e?.timer ?? (e?.call ? `${e.call}()` : (e?.rule ?? e?.error ?? ""));
    const x = (c.x[host[event]] ?? c.width / 2) + (right ? -14 : 14);
    list.push(
      <g
        key={event}
        class={`mark ${event > at.value ? "later" : ""}`}
        role="listitem"
        aria-label={`${seconds(r.time[event])} s ${e && part ? eventSentence(e, part) : words}`}
        onClick={() => seekTo(event)}
      >
        <Glyph name={shape} x={x} y={l.y[i]} flip={right} />
        <text x={x + (right ? -9 : 9)} y={l.y[i] + 4} text-anchor={right ? "end" : "start"}>
          {words}
        </text>
      </g>,
    );
  }
  return <>{list}</>;
}
